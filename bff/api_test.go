package bff

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cloakroom/configs"
)

// CSRF-01 to CSRF-05, CSRF-10: a request that does not prove to come from our own pages never reaches an upstream with a session.
func TestCrossSiteRequestsAreRefused(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	meta := func(site, mode, dest string) []string {
		return []string{"Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode, "Sec-Fetch-Dest", dest}
	}
	evidence := []struct {
		name    string
		headers []string
		ok      bool
	}{
		{"our own page", meta("same-origin", "cors", "empty"), true},
		{"a sibling host", meta("same-site", "cors", "empty"), false},
		{"another site", meta("cross-site", "no-cors", "empty"), false},
		{"another site's script tag", meta("cross-site", "no-cors", "script"), false}, // CSRF-09
		{"nothing at all", nil, false},
		{"nothing but the custom header", []string{"X-Csrf", "1"}, true},
		{"our origin without metadata", []string{"Origin", h.origin}, true},
		{"our host with another scheme", []string{"Origin", strings.Replace(h.origin, "http:", "https:", 1)}, false},
		{"our host with another port", []string{"Origin", "http://localhost:1"}, false},
		{"a null origin", []string{"Origin", "null"}, false},
		{"another origin with the custom header", []string{"Origin", "https://evil.test", "X-Csrf", "1"}, false},
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		for _, e := range evidence {
			t.Run(method+" from "+e.name, func(t *testing.T) {
				before := h.upstream.count()
				res := b.do(method, "/api/x", nil, e.headers...)
				reached := h.upstream.count() > before
				if e.ok != reached || e.ok != (res.StatusCode == 200) {
					t.Errorf("%d, upstream reached: %t", res.StatusCode, reached)
				}
			})
		}
	}
	for _, endpoint := range []string{"GET /bff/user", "POST /bff/logout", "POST /bff/keepalive"} {
		method, path, _ := strings.Cut(endpoint, " ")
		if res := b.do(method, path, nil, meta("cross-site", "cors", "empty")...); res.StatusCode != 403 { // RPL-01
			t.Errorf("%s from another site: %d", endpoint, res.StatusCode)
		}
	}
	if !b.user().Authenticated {
		t.Error("a refused request ended the session")
	}
}

// What a navigation gets where a script gets a status.
func TestNavigations(t *testing.T) {
	h := newHouse(t, nil)
	signedIn := h.browser()
	signedIn.signIn("/bff/login")
	for _, c := range []struct {
		name, path, site string
		b                *browser
		status           int
		contains         string
	}{
		{"a typed address starts the sign-in", "/api/x", "none", h.browser(), 303, ""}, // BBA-6.1-29
		{"a link of ours starts the sign-in", "/pages/x", "same-origin", h.browser(), 303, ""},
		{"another site's link to a page is bounced first", "/pages/x?y=1", "cross-site", h.browser(), 200, "url=/pages/x?y=1"},
		{"also for who is signed in, to bring the Strict cookie", "/pages/x", "cross-site", signedIn, 200, "url=/pages/x"},
		{"another site's link to an API needs the user's own click", "/api/pay?to=me", "cross-site", signedIn, 403, "Continue"},
		{"a page of ours with a session is served", "/pages/x", "same-origin", signedIn, 200, `"target"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := h.upstream.count()
			res := c.b.visit(c.path, c.site)
			if res.StatusCode != c.status || !strings.Contains(res.body, c.contains) {
				t.Errorf("%d, want %d with %q\n%s", res.StatusCode, c.status, c.contains, res.body)
			}
			if c.contains != `"target"` && h.upstream.count() != before {
				t.Error("the upstream was reached")
			}
			if c.status == 303 && !strings.HasPrefix(res.Header.Get("Location"), h.idp.Issuer()) {
				t.Errorf("it leads to %s", res.Header.Get("Location"))
			}
		})
	}
}

// CSRF-04: a route that lets old web views read without metadata relies on the Strict cookie. A sign-in on the way must not stand in for it: it ends
// on the app's start page, not with the request that another site may have made.
func TestSignInDoesNotReplayWhatAnotherSiteAskedFor(t *testing.T) {
	h := newHouse(t, func(c *configs.Config) {
		for i := range c.Routes {
			c.Routes[i].WithoutFetchMetadata = "safe"
		}
	})
	for path, want := range map[string]string{"/api/pay?to=me": "/", "/pages/x?y=1": "/pages/x?y=1"} {
		b := h.browser()
		if got := refreshTo(b.visit(b.authorizeFrom(b.do("GET", path, nil, "Accept", "text/html")), "cross-site")); got != want {
			t.Errorf("%s: the sign-in ends on %q, want %q", path, got, want)
		}
	}
}

// A route of pages answers under the app's policy, every other one under that for data.
func TestPagesOfAnUpstreamMayLoadTheirFiles(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	if csp := b.visit("/pages/x", "same-origin").Header.Values("Content-Security-Policy"); len(csp) != 1 || !strings.Contains(csp[0], "default-src 'self'") {
		t.Errorf("a page: %q", csp)
	}
	if csp := b.fetch("GET", "/api/x").Header.Values("Content-Security-Policy"); len(csp) != 1 || !strings.Contains(csp[0], "default-src 'none'") {
		t.Errorf("data: %q", csp)
	}
}

func TestOptionalAndPublicRoutes(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	for _, c := range []struct {
		name, path, site string
		bearer           bool
	}{
		{"optional, our page", "/optional/x", "same-origin", true},
		{"optional, another site: anonymous", "/optional/x", "cross-site", false},
		{"public, our page: no session is read", "/public/x", "same-origin", false},
		{"public, another site", "/public/x", "cross-site", false},
	} {
		res := b.do("GET", c.path, nil, "Sec-Fetch-Site", c.site, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")
		got := h.upstream.last().Header.Get("Authorization") != ""
		if res.StatusCode != 200 || got != c.bearer {
			t.Errorf("%s: %d, bearer %t", c.name, res.StatusCode, got)
		}
	}
	if res := h.browser().fetch("GET", "/optional/x"); res.StatusCode != 200 {
		t.Errorf("optional without a session: %d", res.StatusCode)
	}
}

// WS-01, WS-09: on every kind of route a handshake needs our own origin, once, and goes to WebSocket alone.
func TestHandshakesNeedOurOrigin(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	own, evil := "Origin: "+h.origin+"\r\n", "Origin: https://evil.test\r\n"
	for _, path := range []string{"/api/x", "/optional/x", "/public/x", "/pages/x"} {
		for _, c := range []struct {
			name, origin, protocol string
			reached                bool
		}{
			{"ours", own, "websocket", true}, // the echo upstream does not switch, and says 200
			{"ours, to another protocol", own, "h2c", false},
			{"another origin", evil, "websocket", false},
			{"null", "Origin: null\r\n", "websocket", false},
			{"none", "", "websocket", false},
			{"two", own + evil, "websocket", false},
			{"none but the custom header", "X-CSRF: 1\r\n", "websocket", false},
			{"ours, with metadata that says otherwise", own + "Sec-Fetch-Site: cross-site\r\n", "websocket", false},
		} {
			before := h.upstream.count()
			h.raw("GET " + path + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(h.origin, "http://") + "\r\nCookie: " + ticketCookie + "=" + b.cookie(ticketCookie) +
				"\r\n" + c.origin + "Connection: Upgrade, close\r\nUpgrade: " + c.protocol + "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
			if reached := h.upstream.count() > before; reached != c.reached {
				t.Errorf("%s, origin %s: upstream reached %t", path, c.name, reached)
			}
		}
	}
}

// CORS-03, BBA-6.1-14, BBA-6.1-17, PRX-13: methods that a route does not take, and questions of other origins.
func TestMethods(t *testing.T) {
	h := newHouse(t, nil)
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
		allow        string
	}{
		{"POST", "/get-only", []string{"X-Csrf", "1"}, 405, "GET, HEAD"},
		{"FOO", "/get-only", []string{"X-Csrf", "1"}, 405, "GET, HEAD"},
		{"TRACE", "/api/x", nil, 405, ""},
		{"DELETE", "/bff/user", nil, 405, "GET, HEAD"},
		{"DELETE", "/bff/logout", nil, 405, "GET, HEAD, POST"},
		{"HEAD", "/bff/callback?state=x", nil, 405, "GET"}, // it would spend the code
		{"GET", "/bff", nil, 404, ""},
		{"POST", "/bff?x=1", nil, 404, ""},
		{"GET", "/bff/keepalive", nil, 405, "POST"},
		{"GET", "/bff/nothing", nil, 404, ""},
		{"GET", "/nothing", nil, 404, ""},
		{"OPTIONS", "/api/x", []string{"Origin", "https://evil.test", "Access-Control-Request-Method", "POST"}, 204, ""},
		{"OPTIONS", "/bff/user", []string{"Origin", "https://evil.test", "Access-Control-Request-Method", "GET"}, 204, ""},
	} {
		res := h.browser().do(c.method, c.path, nil, c.headers...)
		if res.StatusCode != c.status || (c.allow != "" && res.Header.Get("Allow") != c.allow) {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", c.method, c.path, res.StatusCode, res.Header.Get("Allow"), c.status, c.allow)
		}
		for name := range res.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: %s", c.method, c.path, name)
			}
		}
		if strings.HasPrefix(c.path, "/bff") && res.Header.Get("Cache-Control") != "no-store" { // HDR-08
			t.Errorf("%s %s: Cache-Control %q", c.method, c.path, res.Header.Get("Cache-Control"))
		}
	}
	if h.upstream.count() != 0 {
		t.Error("the upstream was reached")
	}
}

// PRX-20, PRX-21, PRX-23: one reading of the path decides; what has two is refused before anything looks at it.
func TestPathTricksReachNoUpstream(t *testing.T) {
	h := newHouse(t, nil)
	for _, path := range []string{
		"/public/../api/x", "/public/%2e%2e/api/x", "/public/%2E%2e%2Fapi/x", "/public/..%2fapi/x", "/public/..;/api/x", "/public/;x=1/../api/x",
		"/public/%252e%252e/api/x", "/public//x", "//public/x", "/public/%2fx", "/public/..%5cx", "/public/./x", "/public/%2e/x", "/public/x%00", "/public/x%0d%0aX:1",
		"/public/x%23f", "/public/x%3fa=b", "/public/%c0%ae%c0%ae/x",
	} {
		res := h.raw("GET " + path + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(h.origin, "http://") + "\r\nX-CSRF: 1\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(res, "HTTP/1.1 400 ") {
			t.Errorf("%s: %.40q", path, res)
		}
	}
	if h.upstream.count() != 0 {
		t.Error("the upstream was reached")
	}
	for _, trick := range []string{"X-Original-Url: /public/x", "X-Rewrite-Url: /public/x", "X-Forwarded-Uri: /public/x", "User-Agent: GoogleHC/1.0"} {
		name, value, _ := strings.Cut(trick, ": ")
		if res := h.browser().fetch("GET", "/api/x?/public/", name, value); res.StatusCode != 401 {
			t.Errorf("%s: %d", trick, res.StatusCode)
		}
	}
	if res := h.browser().fetch("GET", "/%61pi/x"); res.StatusCode != 401 { // the same path, spelled differently
		t.Errorf("/%%61pi/x: %d", res.StatusCode)
	}
}

// PRX-28, BCP-07: a foreign name is not answered.
func TestForeignHostIsMisdirected(t *testing.T) {
	h := newHouse(t, nil)
	own := strings.TrimPrefix(h.origin, "http://")
	for _, request := range []string{
		"GET /bff/user HTTP/1.1\r\nHost: evil.test\r\n",
		"GET http://evil.test/public/x HTTP/1.1\r\nHost: " + own + "\r\n",
	} {
		if res := h.raw(request + "Connection: close\r\n\r\n"); !strings.HasPrefix(res, "HTTP/1.1 421 ") {
			t.Errorf("%q: %.60q", request, res)
		}
	}
	if h.upstream.count() != 0 {
		t.Error("the upstream was reached")
	}
}

// ERR-01, SES-10: with the store away, what needs it is a 503 in bounded time; what does not, works. No cookie is touched.
func TestStoreOutage(t *testing.T) {
	h := newHouseUnready(t, func(c *configs.Config) {
		c.Session.Store, c.Session.Redis.URL = "redis", "redis://127.0.0.1:1/0"
	})
	b := h.browser()
	ticket := ticketCookie + "=" + strings.Repeat("A", 43)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/api/x", 503}, {"GET", "/optional/x", 503}, {"GET", "/bff/user", 503}, {"POST", "/bff/keepalive", 503}, {"POST", "/bff/logout", 503},
		{"GET", "/public/x", 200},
	} {
		res := b.do(c.method, c.path, nil, "Cookie", ticket, "X-Csrf", "1")
		if res.StatusCode != c.status || res.Header.Get("Set-Cookie") != "" || (c.status == 503 && res.Header.Get("Retry-After") == "") {
			t.Errorf("%s %s: %d, Set-Cookie %q, Retry-After %q", c.method, c.path, res.StatusCode, res.Header.Get("Set-Cookie"), res.Header.Get("Retry-After"))
		}
	}
	// A sign-in can begin, but its callback spends no code that it could not keep.
	if res := b.visit(b.authorize("/bff/login"), "cross-site"); res.StatusCode != 503 {
		t.Errorf("callback: %d", res.StatusCode)
	}
	if h.get(h.admin+"/livez").StatusCode != 200 {
		t.Error("liveness depends on the store")
	}
	if ready := h.get(h.admin + "/readyz"); ready.StatusCode != 503 {
		t.Errorf("readiness: %d", ready.StatusCode)
	}
}

// HDR-02 to HDR-08, ERR-01: on every kind of answer.
func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	answers := map[string]answer{
		"user": b.fetch("GET", "/bff/user"), "proxied": b.fetch("GET", "/api/x"), "404": b.fetch("GET", "/x"), "405": b.fetch("POST", "/get-only"),
		"400": b.fetch("GET", "/bff/login?return_to=//x"), "page": b.visit("/bff/logout", "none"), "login": b.visit("/bff/login", "none"),
		"problem": b.fetch("GET", "/bff/problems/signed_out"), "preflight": b.do("OPTIONS", "/api/x", nil, "Origin", "https://x", "Access-Control-Request-Method", "GET"),
		"413": b.do("POST", "/api/x", strings.NewReader(strings.Repeat("x", 2<<10)), "Sec-Fetch-Site", "same-origin"), "logout": b.fetch("POST", "/bff/logout"),
	}
	for name, a := range answers {
		for _, header := range []string{"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "X-Request-Id"} {
			if len(a.Header.Values(header)) != 1 {
				t.Errorf("%s (%d): %s = %q", name, a.StatusCode, header, a.Header.Values(header))
			}
		}
		if cc := a.Header.Get("Cache-Control"); !strings.Contains(cc, "no-store") {
			t.Errorf("%s: Cache-Control %q", name, cc)
		}
		if a.Header.Get("Server") != "" || a.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: Server or HSTS over http", name)
		}
		if a.StatusCode >= 400 {
			if got := answerField(t, a, "code"); got == "" || a.Header.Get("X-Cloakroom") != "problem" || a.Header.Get("Content-Type") != "application/problem+json" ||
				!strings.Contains(a.body, fmt.Sprintf(`"status":%d`, a.StatusCode)) {
				t.Errorf("%s: %d %s %s", name, a.StatusCode, a.Header.Get("Content-Type"), a.body)
			}
		}
	}
	if answers["413"].StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body beyond the limit: %d", answers["413"].StatusCode)
	}
}
