package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
)

func TestTargetPath(t *testing.T) {
	for _, c := range []struct{ name, base, strip, path, raw, want string }{
		{"the route of the documentation", "/v2", "/api", "/api/orders/7", "", "/v2/orders/7"},
		{"no base, no prefix", "", "", "/api/orders/7", "", "/api/orders/7"},
		{"trailing slash stays", "/v2", "/api", "/api/", "", "/v2/"},
		{"the prefix alone", "/v2", "/api", "/api", "", "/v2"},
		{"the prefix alone, no base", "", "/api", "/api", "", "/"},
		{"space is escaped", "", "", "/a b", "", "/a%20b"},
		{"an escape that need not be stays", "/v2", "/api", "/api/a,b", "/api/a%2Cb", "/v2/a%2Cb"},
		{"at sign", "", "", "/api/@evil/x", "", "/api/@evil/x"},
		{"URL in the path", "", "/api", "/api/http:/evil", "", "/http:/evil"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tg := newTarget(c.base, c.strip)
			p, raw, err := tg.path(&url.URL{Path: c.path, RawPath: c.raw})
			out := &http.Request{URL: &url.URL{}}
			tg.aim(out, p, raw, "")
			if err != nil || out.URL.EscapedPath() != c.want {
				t.Errorf("got %s, %v, want %s", out.URL, err, c.want)
			}
		})
	}
}

func TestPathsThatGoNowhere(t *testing.T) { // PRX-22 BBA-6.1-16 PRX-21
	up := newEcho(t)
	g := newGateway(t, up.URL+"/v2", func(c *Config, _ *Caller) { c.Path, c.StripPrefix = "/api/", "/api" })
	rt := g.table.routes[0]
	for _, p := range []string{"/api/../admin", "/api/./admin", "/api/%2e%2e/admin", "/api/%2e/admin", "/api/..;/admin", "/api/..;a=b/admin", "/api/.;/x", "/api/..%2fadmin", "/api/..%5cadmin",
		"/api/%252e%252e/admin", "/api/%252fadmin", "/api/a%00b", "/api//admin", "/api/a//b", "/api../admin", "/apix/admin", "/api%2e/admin", "/api/..", "/api/x/..", "/api/a%0ab", "/api/a%7fb", "/", "/other",
		"/api/a%5cb", "/api/%2fadmin", "/api/a%2fb"} {
		u, err := url.Parse(p)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = u
		w := httptest.NewRecorder()
		rt.Forward(w, r, Caller{Bearer: token})
		if w.Code != 400 {
			t.Errorf("%s: got %d, want 400", p, w.Code)
		}
	}
	if n := up.requests(); n > 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestTheQueryGoesOnByteForByte(t *testing.T) { // PRX-25
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	many := strings.Repeat("a=1&", 10_000) + "role=user"
	for _, q := range []string{"a=1;b=2", "a=%zz", "a=%", "&&&=", "a=1&a=2&A=3", "a+b=c%20d", "", "?", "a=/../..//", many} {
		answer, _ := raw(t, g.URL, "GET /x?"+q+" HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
		if got := up.request().URI; got != "/x?"+q {
			t.Errorf("%.40q: upstream got %.60q; answer %.60q", q, got, answer)
		}
	}
}

func TestNothingAClientSaysDecidesWhereItGoes(t *testing.T) { // BBA-6.1-15 PRX-28
	up, evil := newEcho(t), newEcho(t)
	g := newGateway(t, up.URL, nil)
	host := strings.TrimPrefix(evil.URL, "http://")
	for _, head := range []string{
		"GET http://" + host + "/api/x HTTP/1.1\r\nHost: app",
		"GET /api/x HTTP/1.1\r\nHost: " + host,
		"GET /api/x HTTP/1.1\r\nHost: app\r\nX-Forwarded-Host: " + host,
		"GET /api/@" + host + "/ HTTP/1.1\r\nHost: app",
		"GET /api/x HTTP/1.1\r\nHost: app\r\nForwarded: host=" + host,
		"GET /api/x HTTP/1.1\r\nHost: app\r\nX-Original-URL: http://" + host + "/",
	} {
		raw(t, g.URL, head+"\r\nConnection: close\r\n\r\n")
		got := up.request()
		if got.Host != strings.TrimPrefix(up.URL, "http://") || got.Header.Get("X-Forwarded-Host") != "app.example.com" {
			t.Errorf("%q: upstream got Host %q, X-Forwarded-Host %q", head, got.Host, got.Header.Get("X-Forwarded-Host"))
		}
	}
	if up.requests() != 6 || evil.requests() != 0 {
		t.Errorf("upstream asked %d times, the other %d times", up.requests(), evil.requests())
	}
}

// FuzzTarget: a URL that is built never leaves the upstream's origin and base path, also for a server that
// decodes twice, cuts path parameters, takes backslashes for slashes and cleans.
func FuzzTarget(f *testing.F) {
	for _, p := range []string{"/api/x", "/api/../x", "/api/%2e%2e/x", "/api/..;/x", "/api/%252e%252e%252fx", `/api/..\x`, "/api/a%2cb", "/api/.%2e", "/api/%", "/api/@h/x", "/api//h/x", "/api/..%00/", "/api/%c0%ae"} {
		f.Add(p)
	}
	tg := newTarget("/v2", "/api")
	orders := &server{address: address{scheme: "http", host: "orders:9001"}}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.ParseRequestURI(text)
		if err != nil {
			return
		}
		p, raw, err := tg.path(u)
		if err != nil {
			return
		}
		out := &http.Request{URL: u, Host: "x"}
		tg.aim(out, p, raw, u.RawQuery)
		orders.aim(out)
		if out.URL.Scheme != "http" || out.URL.Host != "orders:9001" || out.Host != "" {
			t.Fatalf("%q leads to %s", text, out.URL)
		}
		again, err := url.Parse(out.URL.String())
		if err != nil || again.Host != "orders:9001" {
			t.Fatalf("%q leads to %q, %v", text, out.URL.String(), err)
		}
		final := again.EscapedPath()
		for range 2 {
			if d, err := url.PathUnescape(final); err == nil {
				final = d
			}
		}
		segments := strings.Split(strings.ReplaceAll(final, `\`, "/"), "/")
		for i := range segments {
			segments[i], _, _ = strings.Cut(segments[i], ";")
		}
		if clean := path.Clean(strings.Join(segments, "/")); clean != "/v2" && !strings.HasPrefix(clean, "/v2/") {
			t.Fatalf("%q leads to %q, which a forgiving server reads as %q", text, out.URL.String(), clean)
		}
	})
}
