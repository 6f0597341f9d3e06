package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCookieAttributes(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg      CookieConfig
		insecure bool
		want     string // of the whole header, with T for the ticket
	}{
		"V-02, CK-02, CK-03, BBA-6.1-04, BBA-6.1-05, BBA-6.1-06, BBA-6.1-08, BBA-6.1-09: by default": {CookieConfig{Name: "__Host-Http-session", SameSite: "strict"}, false,
			"__Host-Http-session=T; Path=/; HttpOnly; Secure; SameSite=Strict"},
		"lax where it is configured": {CookieConfig{Name: "__Host-app", SameSite: "lax"}, false,
			"__Host-app=T; Path=/; HttpOnly; Secure; SameSite=Lax"},
		"CK-02: persist lives as long as the session may": {CookieConfig{Name: "__Host-app", SameSite: "strict", Persist: true}, false,
			"__Host-app=T; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict"},
		"on insecure localhost neither prefix nor Secure": {CookieConfig{Name: "__Host-Http-session", SameSite: "strict"}, true,
			"session=T; Path=/; HttpOnly; SameSite=Strict"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			newCookie(tt.cfg, tt.insecure).set(w, ticketA, 12*time.Hour)
			got := w.Header().Values("Set-Cookie")
			if len(got) != 1 || got[0] != strings.Replace(tt.want, "T", ticketA, 1) {
				t.Errorf("Set-Cookie = %q, want %q", got, tt.want)
			}
		})
	}
}

// BBA-6.1-04, CK-05: taking the cookie away has the attributes that let the browser find it.
func TestClearCookie(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	w := httptest.NewRecorder()
	h.ClearCookie(w)
	want := "__Host-Http-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
	if got := w.Header().Values("Set-Cookie"); len(got) != 1 || got[0] != want {
		t.Errorf("Set-Cookie = %q, want %q", got, want)
	}
}

func TestCookieReading(t *testing.T) {
	c := newCookie(CookieConfig{Name: "sid"}, false)
	for name, tt := range map[string]struct {
		lines []string
		want  string
		err   error
	}{
		"none":                                 {nil, "", ErrNone},
		"others only":                          {[]string{"a=b; sidx=1; xsid=2"}, "", ErrNone},
		"among others":                         {[]string{"a=b; sid=T; c=d"}, "T", nil},
		"without spaces":                       {[]string{"a=b;sid=T;c=d"}, "T", nil},
		"in the second header":                 {[]string{"a=b", "sid=T"}, "T", nil},
		"empty":                                {[]string{"sid="}, "", nil},
		"without =":                            {[]string{"sid"}, "", nil},
		"with = in its value":                  {[]string{"sid=a=b"}, "a=b", nil},
		"CK-04: two in one header":             {[]string{"sid=evil; sid=T"}, "", ErrTwoCookies},
		"CK-04: two headers":                   {[]string{"sid=T", "a=b; sid=evil"}, "", ErrTwoCookies},
		"CK-04: twice the same":                {[]string{"sid=T; sid=T"}, "", ErrTwoCookies},
		"CK-04: the second without a value":    {[]string{"sid=T; sid"}, "", ErrTwoCookies},
		"CK-04: the second with a space in it": {[]string{"sid=T; sid =evil"}, "", ErrTwoCookies},
		"another case is another name":         {[]string{"SID=evil; sid=T"}, "T", nil},
		"CK-05: 200 of them":                   {[]string{strings.Repeat("a=b; ", 200) + "sid=T"}, "T", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.read(http.Header{"Cookie": tt.lines})
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("read(%q) = %q, %v; want %q, %v", tt.lines, got, err, tt.want, tt.err)
			}
		})
	}
}

// Whatever net/http takes for our cookie, we see; and where it sees several, we refuse.
func FuzzCookieReading(f *testing.F) {
	for _, seed := range []string{"", "sid=T", "sid=T; sid=U", "sid = T;;=;sid", "a=b;\tsid=\"T\"", "sid==", "=sid=T"} {
		f.Add(seed)
	}
	c := newCookie(CookieConfig{Name: "sid"}, false)
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		got, err := c.read(h)
		theirs := (&http.Request{Header: h}).CookiesNamed("sid")
		switch {
		case len(theirs) > 1 && !errors.Is(err, ErrTwoCookies):
			t.Errorf("%q has %d cookies: %v", line, len(theirs), err)
		case len(theirs) == 1 && err == nil && strings.Trim(got, `"`) != strings.Trim(theirs[0].Value, `"`):
			t.Errorf("%q is %q to net/http and %q to us", line, theirs[0].Value, got)
		case len(theirs) == 1 && errors.Is(err, ErrNone):
			t.Errorf("%q: not seen", line)
		}
	})
}
