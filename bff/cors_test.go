package bff

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/proxy"
)

const sibling = "http://localhost:1"

// corsAllowed is what an answer lets other origins do.
func corsAllowed(h http.Header) (all []string) {
	for name, values := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			all = append(all, name+": "+strings.Join(values, ", "))
		}
	}
	return all
}

func varyHas(h http.Header, name string) bool {
	return strings.Contains(", "+strings.Join(h.Values("Vary"), ", ")+",", ", "+name+",")
}

// sharing lets the scripts of a sibling use the session on /api/, and those of a partner read what /public/ and /optional/ say to everybody.
func sharing(c *configs.Config) {
	for i := range c.Routes {
		switch c.Routes[i].Path {
		case "/api/":
			c.Routes[i].CORS = proxy.CORSConfig{Origins: []string{sibling}, Credentials: true, Headers: []string{"Content-Type"}, Expose: []string{"X-Request-Id"}, MaxAge: time.Minute}
		case "/get-only":
			c.Routes[i].CORS = proxy.CORSConfig{Origins: []string{sibling}, Credentials: true}
		case "/public/", "/optional/":
			c.Routes[i].CORS = proxy.CORSConfig{Origins: []string{"https://partner.example"}}
		}
	}
}

func fetchFrom(origin, site string, more ...string) []string {
	return append([]string{"Origin", origin, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, more...)
}

func TestPreflightsAreAnsweredByTheRoute(t *testing.T) { // CORS-02, CORS-03, CORS-06
	h := newHouse(t, sharing)
	b := h.browser()
	b.signIn("/bff/login")
	before := h.upstream.count()
	for _, c := range []struct {
		name, path, origin, method string
		more                       []string
		allowed                    bool
	}{
		{"as the route says", "/api/x", sibling, "POST", []string{"Access-Control-Request-Headers", "content-type"}, true},
		{"of a route that does not take OPTIONS itself", "/get-only", sibling, "GET", nil, true},
		{"another method", "/get-only", sibling, "POST", nil, false},
		{"another origin", "/api/x", "https://evil.test", "POST", nil, false},
		{"null", "/api/x", "null", "POST", nil, false},
		{"a header that it does not name", "/api/x", sibling, "POST", []string{"Access-Control-Request-Headers", "x-csrf"}, false},
		{"for a private network", "/api/x", sibling, "POST", []string{"Access-Control-Request-Private-Network", "true"}, false},
		{"on a route without cors", "/pages/x", sibling, "GET", nil, false},
		{"on an endpoint of ours", "/bff/user", sibling, "GET", nil, false},
		{"where there is nothing", "/nothing", sibling, "GET", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := b.do("OPTIONS", c.path, nil, append([]string{"Origin", c.origin, "Access-Control-Request-Method", c.method}, c.more...)...)
			if res.StatusCode != http.StatusNoContent || (corsAllowed(res.Header) != nil) != c.allowed || !varyHas(res.Header, "Origin") || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", res.StatusCode, res.Header)
			}
			if c.allowed && (res.Header.Get("Access-Control-Allow-Origin") != sibling || res.Header.Get("Access-Control-Allow-Credentials") != "true") {
				t.Errorf("got %v", corsAllowed(res.Header))
			}
		})
	}
	if h.upstream.count() != before {
		t.Error("an upstream was asked")
	}
}

// What a sibling may do with the session is what its route says, and nothing beside it.
func TestOnlyANamedSiblingsScriptsUseTheSession(t *testing.T) { // CORS-01, CORS-02, CORS-04
	h := newHouse(t, sharing)
	b := h.browser()
	b.signIn("/bff/login")
	for _, c := range []struct {
		name, method, path string
		headers            []string
		status             int
		reads              bool // the script may read the answer
	}{
		{"a script of the sibling", "GET", "/api/x", fetchFrom(sibling, "same-site"), 200, true},
		{"one that writes", "POST", "/api/x", fetchFrom(sibling, "same-site"), 200, true},
		{"one in a browser without metadata", "GET", "/api/x", []string{"Origin", sibling}, 200, true},
		{"the app itself", "GET", "/api/x", fetchFrom(h.origin, "same-origin"), 200, false},
		{"another sibling", "GET", "/api/x", fetchFrom("http://localhost:2", "same-site"), 403, false},
		{"a name that only begins alike", "GET", "/api/x", fetchFrom(sibling+".evil.test", "cross-site"), 403, false},
		{"the sibling, says a browser that says it is another site", "GET", "/api/x", fetchFrom(sibling, "cross-site"), 403, true},
		{"two origins", "GET", "/api/x", append(fetchFrom(sibling, "same-site"), "Origin", "https://evil.test"), 403, false},
		{"no origin", "GET", "/api/x", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403, false},
		{"a form of the sibling", "POST", "/api/x", []string{"Origin", sibling, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403, true},
		{"a script that cannot read", "POST", "/api/x", []string{"Origin", sibling, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, 403, true},
		{"a method that the route does not share", "POST", "/api/x", fetchFrom("http://localhost:2", "same-site"), 403, false},
		{"the sibling on another route", "GET", "/pages/x", fetchFrom(sibling, "same-site"), 403, false},
		{"the sibling on an endpoint of ours", "GET", "/bff/user", fetchFrom(sibling, "same-site"), 403, false},
		{"the sibling signs out", "POST", "/bff/logout", fetchFrom(sibling, "same-site"), 403, false},
		{"a partner reads what is for everybody", "GET", "/public/x", fetchFrom("https://partner.example", "cross-site"), 200, true},
		{"a partner is anonymous", "GET", "/optional/x", fetchFrom("https://partner.example", "cross-site"), 200, true},
		{"evil may ask for what is for everybody, not read it", "GET", "/public/x", fetchFrom("https://evil.test", "cross-site"), 200, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := h.upstream.count()
			res := b.do(c.method, c.path, nil, c.headers...)
			if res.StatusCode != c.status || (corsAllowed(res.Header) != nil) != c.reads {
				t.Errorf("%d, want %d; allowed %v\n%s", res.StatusCode, c.status, corsAllowed(res.Header), res.body)
			}
			if reached := h.upstream.count() > before; reached != (c.status == 200) {
				t.Errorf("upstream reached: %v", reached)
			}
			if strings.HasPrefix(c.path, "/optional") && h.upstream.last().Header["Authorization"] != nil {
				t.Error("a partner's request has the user's token")
			}
			if !varyHas(res.Header, "Origin") {
				t.Errorf("Vary: %q", res.Header.Values("Vary"))
			}
		})
	}
}

// CORS does not hold for sockets: a sibling that is named opens none.
func TestASharedRouteOpensNoSocketToASibling(t *testing.T) {
	h := newHouse(t, sharing)
	b := h.browser()
	b.signIn("/bff/login")
	res := b.do("GET", "/api/x", nil, "Origin", sibling, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version", "13")
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("%d", res.StatusCode)
	}
}

// A script that may read its API's answers may read that nobody is signed in.
func TestAProblemCanBeReadWhereTheAnswerCould(t *testing.T) {
	h := newHouse(t, sharing)
	res := h.browser().do("GET", "/api/x", nil, fetchFrom(sibling, "same-site")...)
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("Access-Control-Allow-Origin") != sibling || answerField(t, res, "code") != "signed_out" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}
