package bff

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/assertion"
	"cloakroom/bff/inbound"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/configs/secret"
	"cloakroom/proxy"
	"cloakroom/proxy/compose"
	"cloakroom/proxy/tokens"
)

// describedAPI is what some of the generated routes hold their requests against.
const describedAPI = `
openapi: 3.0.3
info: {title: Orders, version: "2"}
paths:
  /a/b:
    get: {parameters: [{name: page, in: query, schema: {type: integer}}, {name: X-Page, in: header, required: true, schema: {type: string, maxLength: 3}}], responses: {"200": {description: all}}}
    post: {requestBody: {required: true, content: {application/json: {schema: {type: object, required: [product], properties: {product: {type: string}}}}}}, responses: {"200": {description: stored}}}
  /a/{id}:
    get: {parameters: [{name: id, in: path, required: true, schema: {type: integer}}], responses: {"200": {description: one}}}
    patch: {parameters: [{name: id, in: path, required: true, schema: {type: integer}}], requestBody: {content: {application/json: {schema: {type: object}}}}, responses: {"200": {description: one}}}
    delete: {parameters: [{name: id, in: path, required: true, schema: {type: integer}}], responses: {"200": {description: none}}}
`

// generator makes configurations and requests that are likely to meet.
type generator struct {
	*rand.Rand
	h         *house
	described string
	elsewhere *elsewhere
}

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// route is any route.
func (g *generator) route(like proxy.Config) proxy.Config {
	c := like
	c.Path = g.one("/a/", "/a/b", "/a/{id}", "/a/{id}/b", "/{rest...}", "/b/{rest...}", "/b/", "/b/a", "/a/b/c", "/b/{id}/{$}")
	c.Auth = g.one("required", "required", "optional", "none")
	c.WithoutFetchMetadata = g.one("refuse", "safe")
	c.CrossSiteNavigation = g.chance(35)
	switch g.IntN(4) {
	case 0:
		c.Methods = []string{"GET"}
	case 1:
		c.Methods = []string{"POST", "DELETE", "PATCH"}
	case 2:
		c.Methods = []string{"GET", "POST", "OPTIONS"}
	}
	if g.chance(30) {
		c.CORS = proxy.CORSConfig{Origins: []string{"https://partner.example"}, Credentials: c.Auth != "none" && g.chance(50), Headers: []string{"X-Page"}}
	}
	if c.Token.Method = g.one("session", "session", "none", ""); c.Auth == "none" {
		c.Token = tokens.Config{}
	}
	if g.chance(20) {
		return g.composed(c)
	}
	if g.chance(30) {
		c.StripPrefix = c.Path[:2]
	}
	c.Upstream += g.one("", "", "/base", "/v2/x")
	g.say(&c)
	if g.chance(50) {
		c.Path, c.Methods = g.one("/a/", "/a/b", "/a/{id}", c.Path), nil
		c.StripPrefix, c.Upstream, c.Request.OpenAPI, c.Request.MaxChecked = "", like.Upstream, g.described, 512
	}
	return c
}

// say adds headers of the route's own.
func (g *generator) say(c *proxy.Config) {
	if g.chance(60) || c.Auth == "none" {
		return
	}
	c.Headers = proxy.HeadersConfig{Set: map[string]string{"X-User-Id": "${user.sub}", "X-Email": g.one("${user.email}", "${user.email}", "${user.claims.none}"), "X-Fixed": "yes"}, Remove: []string{"X-Debug"}}
	if g.chance(40) {
		c.Headers.Required = []string{"X-Email"}
	}
	if g.chance(40) {
		c.Headers.Secrets = map[string]secret.String{"X-Key": "kJ8vN2mQ5xR7tY1z"}
	}
	if g.chance(40) {
		c.Headers.Assertion = proxy.AssertionConfig{Audience: "orders", TTL: 60e9, Claims: []string{"email"}}
	}
}

// composed makes a composed route of c.
func (g *generator) composed(c proxy.Config) proxy.Config {
	leg := func(path string) compose.Leg {
		return compose.Leg{URL: c.Upstream + path, Timeout: 5e9, MaxBody: 1 << 20}
	}
	c.CrossSiteNavigation, c.Methods = false, nil
	one, two := leg("/one"), leg("/two?x=1")
	if strings.Contains(c.Path, "{id}") {
		one.URL += "/{id}"
	}
	two.Query, two.Token.Method = []string{"page"}, g.one("none", "", "session")
	if c.Auth == "none" {
		two.Token.Method = "none"
	}
	c.Config = compose.Config{Legs: map[string]compose.Leg{"one": one, "two": two}}
	c.Upstream = ""
	return c
}

// configuration is any that compiles.
func (g *generator) configuration(like *configs.Config) *configs.Config {
	for {
		c := *like
		c.Routes = nil
		for range 2 + g.IntN(4) {
			r := configs.Route{Config: g.route(like.Routes[0].Config), Allow: configs.Default[policy.Allow]()}
			g.restrict(&r)
			c.Routes = append(c.Routes, r)
		}
		if e, err := NewExplainer(&c); err == nil {
			e.Close()
			return &c
		}
	}
}

// request is any.
func (g *generator) request() Request {
	r := Request{Method: g.one("GET", "GET", "GET", "HEAD", "POST", "POST", "PATCH", "DELETE", "OPTIONS", g.one("PURGE", "get", "PUT")), Header: fromAll(g.h, g.one("app", "app", "app", "app", "app", "app", "app", "navigation", "navigation", "other_site", "nowhere", "socket", "preflight", "link", "link"))}
	r.Target = g.one("/a/b", "/a/b", "/a/7", "/a/x", "/a/7/b", "/a", "/a/", "/b", "/b/", "/b/a", "/b/%61", "/b/7/", "/a/b/c", "/c", "/", "/b/a%20b", "/a/%C3%A9")
	if g.chance(10) {
		r.Target = g.one("/a/..%2fb", "/a//b", "/a/b;x", "/.well-known/jwks.json", "/bff/user")
	}
	if g.chance(30) {
		r.Target += g.one("?page=2", "?page=2", "?page=x", "?page=1&page=2", "?q=%zz", "?a=b;c", "?page=%2e")
	}
	for _, h := range [][2]string{{"X-Page", "1"}, {"X-Page", "far too long"}, {"X-Debug", "1"}, {"X-User-Id", "root"}, {"Cookie", "a=b"}, {"Authorization", "Bearer x"}, {"Origin", "https://partner.example"}, {"Range", "bytes=0-1"},
		{"X-Csrf", "1"}, {"Via", "1.1 " + strings.TrimPrefix(g.h.origin, "http://")}, {"Connection", "X-Page, close"}, {"Host", "evil.test"}, {"Access-Control-Request-Headers", "x-page"},
		{"Access-Control-Request-Headers", "x-other"}, {"Accept", "text/event-stream"}, {"If-None-Match", `"1"`}, {"Forwarded", "for=1.2.3.4"}, {"X-Forwarded-For", "1.2.3.4"}, {"X-Identity", "forged"}, {"Te", "trailers"}} {
		if g.chance(4) {
			r.Header[h[0]] = []string{h[1]}
		}
	}
	if g.chance(5) {
		r.Header["X-Api-Key"] = []string{"no key"}
	}
	if r.Method == "OPTIONS" && g.chance(40) {
		r.Header["Origin"], r.Header["Access-Control-Request-Method"] = []string{"https://partner.example"}, []string{g.one("GET", "POST", "PUT")}
	}
	if r.Method == "OPTIONS" && g.chance(70) {
		r.Header["Max-Forwards"] = []string{g.one("0", "3")}
	}
	if r.Body = []byte{}; r.Method != "GET" && r.Method != "HEAD" || g.chance(5) {
		r.Body = []byte(g.one("", `{"product":"lamp"}`, `{"product":"lamp"}`, `{"product":7}`, `{"a":1,"a":2}`, "x", strings.Repeat(" ", 600)+"{}", strings.Repeat("x", 2000)))
		if ct := g.one("application/json", "application/json", "text/plain", "application/json; charset=latin1", ""); ct != "" && len(r.Body) > 0 {
			r.Header["Content-Type"] = []string{ct}
		}
	}
	return r
}

// Any configuration, any request: what is explained is what the server does with it. The verdict, the status, the problem, and all that the upstream gets.
func TestExplanationAndServerAgreeOnAnything(t *testing.T) {
	file, app := filepath.Join(t.TempDir(), "api.yaml"), t.TempDir()
	for path, text := range map[string]string{file: describedAPI, filepath.Join(app, "index.html"): "<!doctype html><title>app</title>"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := newElsewhere(t)
	h := newHouse(t, func(c *configs.Config) {
		c.Assertions = assertion.Config{Keys: []secret.String{assertionKey(t)}}
		c.Callers.APIKey = inbound.APIKey{Header: "X-API-Key"}
		c.Rules = namedRules()
	})
	b := h.browser()
	b.signIn("/bff/login")
	cookie, base, ada := sessionCookieOf(h, b), h.server.current.Load().cfg, claimsOf(b)
	key, id := h.newKey(APIKey{Name: "importer", Roles: []string{"support"}, Scopes: []string{"orders.read"}})
	importer := &inbound.Description{Kind: "api_key", Subject: id, Roles: []string{"support"}, Scopes: []string{"orders.read"}}
	seen := map[string]int{}
	for seed := range uint64(80) {
		g := &generator{rand.New(rand.NewPCG(seed, 4)), h, file, elsewhere}
		cfg := g.configuration(base)
		if cfg.SPA.Dir = ""; g.chance(50) {
			cfg.SPA.Dir = app
		}
		e, err := NewExplainer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.server.Reload(cfg); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			req, with := g.request(), ""
			if g.chance(60) {
				req.Claims, with = ada, cookie
			}
			if g.chance(15) {
				req.Caller = importer
			}
			g.tell(&req)
			got := e.Explain(req)
			seen[got.Verdict]++
			seen[got.Code]++
			seen[got.Reason]++
			if req.Caller != nil { // the stand-in was for the explanation
				req.Header = maps.Clone(req.Header)
				req.Header["X-Api-Key"] = append(slices.Clone(req.Header["X-Api-Key"]), key)
			}
			agree(t, h, got, req, with)
			if t.Failed() {
				t.Fatalf("seed %d, routes:\n%s", seed, routesText(cfg))
			}
		}
		e.Close()
	}
	for _, must := range []string{Forwarded, Refused, SignIn, Bounced, Preflight, App, Endpoint, Answered, "not_found", "method_not_allowed", "cross_site", "signed_out", "bad_request_path", "bad_query", "misdirected", "loop", "invalid_request", "unsupported_media_type", "body_too_large", "bad_upgrade", "bad_request",
		"bad_credential", "bad_credentials", "forbidden", "step_up", "two_credentials", "role_missing", "scope_missing", "when_false", "when_error", "nobody", "acr_insufficient", "resource_missing", "opa_denied", "request_unclear"} {
		if seen[must] == 0 {
			t.Errorf("no request was %s: %v", must, seen)
		}
	}
}

func routesText(cfg *configs.Config) string {
	var b strings.Builder
	for _, r := range cfg.Routes {
		fmt.Fprintf(&b, "%+v\n", r)
	}
	return b.String()
}
