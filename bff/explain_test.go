package bff

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"cloakroom/configs"
)

// What an explanation says is what the server does: both are asked for everything that decides.
func TestAnExplanationSaysWhatTheServerDoes(t *testing.T) {
	h := newHouse(t, func(c *configs.Config) {
		more := c.Routes[0]
		more.Path, more.StripPrefix, more.Upstream, more.Methods = "/api/v2/{id}", "/api", c.Routes[0].Upstream+"/base", []string{"GET", "POST"}
		c.Routes = append(c.Routes, more)
		bare := c.Routes[0]
		bare.Path, bare.Token.Method = "/bare/", "none"
		c.Routes = append(c.Routes, bare)
	})
	e, err := NewExplainer(h.server.current.Load().cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	b := h.browser()
	b.signIn("/bff/login")
	seen := map[string]int{}
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE"} {
		for _, target := range []string{"/api/x?a=1&b=;", "/api/v2/7", "/api/v2/%37", "/api/v2", "/optional/x", "/public/x", "/bare/x", "/pages/x", "/get-only", "/elsewhere", "/api/../x", "/api//x", "/api/%2fx", "/api/x?%zz", "/bff/user"} {
			for _, from := range []string{"app", "navigation", "other_site", "nowhere", "socket", "preflight", "link"} {
				for _, signedIn := range []bool{true, false} {
					req := Request{Method: method, Target: target, Header: fromAll(h, from)}
					cookie := ""
					if signedIn {
						req.Claims, cookie = map[string]any{"sub": "alice"}, sessionCookieOf(h, b)
					}
					got := e.Explain(req)
					seen[got.Verdict]++
					agree(t, h, got, req, cookie)
				}
			}
		}
	}
	for _, verdict := range []string{Forwarded, Refused, SignIn, Bounced, Preflight, Endpoint} {
		if seen[verdict] == 0 {
			t.Errorf("no request was %s", verdict)
		}
	}
}

// fromAll is From, and what is no browser's script.
func fromAll(h *house, where string) http.Header {
	switch where {
	case "socket":
		return http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Origin": {h.origin}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Version": {"13"}}
	case "preflight":
		return http.Header{"Origin": {"https://elsewhere.example"}, "Access-Control-Request-Method": {"POST"}}
	case "link":
		return http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}}
	}
	return From(where)
}

func sessionCookieOf(h *house, b *browser) string {
	name := h.server.sessions.CookieNames()[0]
	return name + "=" + b.cookie(name)
}

func TestAnExplanationSaysWhyARouteWon(t *testing.T) {
	cfg, err := configs.Parse("cloakroom.yaml", []byte(`
server: {public_url: "https://app.example.com"}
providers:
  main: {issuer: "https://id.example.com", client_id: spa, client_secret: m7Qv2kXw9RtB4nLzD1sYhJ6p, roles_claim: realm.roles}
session: {store: memory, secrets: ["iQm2xV0bSsg7y1KcRr3nDh9wUeTf6aZpLjXo4vBq"]}
routes:
  - {path: /, upstream: "http://app:1"}
  - {path: /api/, upstream: "http://api:1"}
  - {path: "/api/orders/{id}", upstream: "http://orders:1/v2", strip_prefix: /api, methods: [GET]}
  - {path: "/api/orders/{order}", upstream: "http://orders:1", methods: [DELETE]}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewExplainer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	got := e.Explain(Request{Target: "/api/orders/7", Header: From("app"), Claims: map[string]any{"sub": "alice", "realm": map[string]any{"roles": []any{"clerk"}}}})
	if got.Verdict != Forwarded || got.Upstream != "http://orders:1/v2/orders/7" || got.Headers.Get("Authorization") != "Bearer "+accessToken {
		t.Errorf("got %+v", got)
	}
	if got.Route == nil || got.Route.Path != "/api/orders/{id}" || got.Route.File != "cloakroom.yaml" || got.Route.Line != 9 {
		t.Errorf("route %+v", got.Route)
	}
	want := []ExplainedRoute{
		{"/api/orders/{order}", "cloakroom.yaml", 10, "takes DELETE only"},
		{"/api/", "cloakroom.yaml", 8, "its pattern is less specific: it takes more paths"},
		{"/", "cloakroom.yaml", 7, "its pattern is less specific: it takes more paths"},
	}
	if !slices.Equal(got.Others, want) {
		t.Errorf("others %+v", got.Others)
	}
	if s := got.Steps[3]; s.Name != "session" || !strings.Contains(s.Reason, "alice is signed in") && !strings.Contains(s.Reason, "clerk") {
		t.Errorf("session step %+v", s)
	}
	got = e.Explain(Request{Method: "PUT", Target: "/api/orders/7", Header: From("app")})
	if got.Status != 405 || got.Code != "method_not_allowed" || got.Route != nil {
		t.Errorf("got %+v", got)
	}
}

func TestAnExplanationNamesTheTokenAndShowsNoSecret(t *testing.T) {
	cfg, err := configs.Parse("cloakroom.yaml", []byte(`
server: {public_url: "https://app.example.com"}
providers:
  main: {issuer: "https://id.example.com", client_id: spa, client_secret: m7Qv2kXw9RtB4nLzD1sYhJ6p, claims: [sub, number]}
session: {store: memory, secrets: ["iQm2xV0bSsg7y1KcRr3nDh9wUeTf6aZpLjXo4vBq"]}
routes:
  - {path: /session, upstream: "http://api:1"}
  - {path: /none, upstream: "http://api:1", token: none}
  - {path: /client, upstream: "http://api:1", token: client, auth: none}
  - {path: /orders, upstream: "http://api:1", token: {audience: orders}}
  - {path: /keyed, upstream: "http://api:1", headers: {secrets: {X-Key: kJ8vN2mQ5xR7tY1z}}}
  - {path: /longer, upstream: "http://api:1", headers: {secrets: {X-A: kJ8vN2mQ5xR7tY1z, X-B: kJ8vN2mQ5xR7tY1z-tail}}}
  - {path: /number, upstream: "http://api:1", headers: {set: {X-Number: "${user.claims.number}"}}}
  - path: /composed
    compose: {a: {url: "http://api:1/a", headers: {X-Key: kJ8vN2mQ5xR7tY1z}}}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewExplainer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for path, want := range map[string]string{"/session": "Bearer [the session's access token]", "/none": "", "/client": "Bearer [this server's own access token]", "/orders": "Bearer [a token for orders]"} {
		got := e.Explain(Request{Target: path, Header: From("app"), Claims: map[string]any{"sub": "alice"}})
		if got.Verdict != Forwarded || got.Headers.Get("Authorization") != want {
			t.Errorf("%s: %s with %q, want %q", path, got.Verdict, got.Headers.Get("Authorization"), want)
		}
	}
	for range 10 { // maps have no order
		if key := e.Explain(Request{Target: "/longer", Header: From("app"), Claims: map[string]any{"sub": "alice"}}).Headers.Get("X-B"); key != secretValue {
			t.Fatalf("a key that begins with another is shown as %q", key)
		}
	}
	if n := e.Explain(Request{Target: "/number", Header: From("app"), Claims: map[string]any{"sub": "alice", "number": 1e21}}).Headers.Get("X-Number"); n != "1e+21" {
		t.Errorf("a number that a session would have as 1e+21 is shown as %q", n)
	}
	got := e.Explain(Request{Target: "/composed", Header: From("app"), Claims: map[string]any{"sub": "alice"}})
	if key := got.Legs["a"].Headers.Get("X-Key"); key != secretValue {
		t.Errorf("the leg's key is shown as %q", key)
	}
	if key := e.Explain(Request{Target: "/keyed", Header: From("app"), Claims: map[string]any{"sub": "alice"}}).Headers.Get("X-Key"); key != secretValue {
		t.Errorf("the key is shown as %q", key)
	}
}
