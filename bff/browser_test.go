package bff

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser is a cookie jar and the headers that a browser writes.
type browser struct {
	*house
	jar    http.CookieJar
	client *http.Client
	who    string // signs in; ada, if empty
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{house: h, jar: jar, client: &http.Client{Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do sends a request with headers given as name, value, ….
func (b *browser) do(method, target string, body io.Reader, headers ...string) answer {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.origin + target
	}
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res, string(text)}
}

// fetch is a script's request of our own page.
func (b *browser) fetch(method, target string, headers ...string) answer {
	b.t.Helper()
	return b.do(method, target, nil, append([]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, headers...)...)
}

// visit is a top-level navigation that site says where from.
func (b *browser) visit(target, site string) answer {
	b.t.Helper()
	return b.do("GET", target, nil, navigation(site)...)
}

func navigation(site string) []string {
	return []string{"Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"}
}

// authorize starts a sign-in and walks through the provider as far as the URL of the callback.
func (b *browser) authorize(loginURL string) (callback string) {
	b.t.Helper()
	return b.authorizeFrom(b.visit(loginURL, "none"))
}

// authorizeFrom walks on from the redirect to the provider.
func (b *browser) authorizeFrom(res answer) (callback string) {
	b.t.Helper()
	if res.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("GET %s: %d %s", res.Request.URL, res.StatusCode, res.body)
	}
	location := res.Header.Get("Location")
	for range 8 {
		res = b.visit(location, "cross-site")
		if form := formAction.FindStringSubmatch(res.body); form != nil && res.StatusCode == http.StatusOK {
			action, _ := url.Parse(strings.ReplaceAll(form[1], "&amp;", "&"))
			base, _ := url.Parse(location)
			res = b.do("POST", base.ResolveReference(action).String(), strings.NewReader(hiddenFields(res.body)+"&user="+cmp.Or(b.who, "ada")),
				append(navigation("same-origin"), "Content-Type", "application/x-www-form-urlencoded", "Origin", b.idp.Issuer())...)
		}
		location = res.Header.Get("Location")
		if strings.HasPrefix(location, b.origin+"/bff/callback") {
			return location
		}
		if location == "" {
			b.t.Fatalf("the provider stopped at %s: %d\n%s", res.Request.URL, res.StatusCode, res.body)
		}
		if strings.HasPrefix(location, "/") {
			location = b.idp.Issuer() + location
		}
	}
	b.t.Fatal("the provider goes in circles")
	return ""
}

// signIn is the whole way, ending on the bounce page.
func (b *browser) signIn(loginURL string) answer {
	b.t.Helper()
	res := b.visit(b.authorize(loginURL), "cross-site")
	if res.StatusCode != http.StatusOK || refreshTo(res) == "" {
		b.t.Fatalf("callback: %d\n%s\n%s", res.StatusCode, res.body, b.log)
	}
	return res
}

// user is what GET /bff/user says.
func (b *browser) user() (u userAnswer) {
	b.t.Helper()
	res := b.fetch("GET", "/bff/user")
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("GET /bff/user: %d %s", res.StatusCode, res.body)
	}
	if err := json.Unmarshal([]byte(res.body), &u); err != nil {
		b.t.Fatal(err)
	}
	return u
}

// cookie is the value that the jar holds for the app.
func (b *browser) cookie(name string) string {
	u, _ := url.Parse(strings.Replace(b.origin, "http://", "https://", 1)) // the jar keeps Secure cookies for https
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

var (
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	hidden     = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
	metaTo     = regexp.MustCompile(`<meta http-equiv="refresh" content="0;\s*url=([^"]*)"`)
)

func hiddenFields(page string) string {
	v := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		v.Set(m[1], m[2])
	}
	return v.Encode()
}

// refreshTo is where a bounce page leads.
func refreshTo(a answer) string {
	m := metaTo.FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#39;", "'").Replace(m[1])
}

func mustURL(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// answerField is one text member of a JSON answer.
func answerField(t testing.TB, a answer, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%d: %v\n%s", a.StatusCode, err, a.body)
	}
	s, _ := m[name].(string)
	return s
}
