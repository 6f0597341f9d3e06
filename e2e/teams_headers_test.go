package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/up"
)

const (
	sibling = "http://localhost:4444" // of the same site as the app, on loopback
	partner = "https://partner.example"
)

// toldFiles are of a team whose upstreams want to know who asks, and that shares a little with others.
func (p *places) toldFiles() map[string]string {
	return map[string]string{
		"teams/told.yaml": fmt.Sprintf(`defaults: {upstream: "${env:ECHO_URL}"}
routes:
  - path: /told/
    headers:
      set: {X-User-ID: "${user.sub}", X-Name: "${user.name}", X-Roles: "${user.roles}", X-Picture: "${user.claims.picture}", X-Tenant: "tenant-${env:TENANT}"}
      secrets: {X-Api-Key: "${file:secrets/api-key}"}
      remove: [X-Debug, X-Trace-*]
      assertion: {audience: told, ttl: 60s, claims: [email]}
  - {path: /complete/, headers: {set: {X-Picture: "${user.claims.picture}"}, required: [X-Picture]}}
  - {path: /maybe-told/, auth: optional, headers: {set: {X-User-ID: "${user.sub}"}, assertion: {audience: told}}}
  - {path: /shared/, cors: {origins: [%[1]q], credentials: true, methods: [GET], expose: [X-Total]}}
  - {path: /catalogue/, methods: [GET, POST], auth: none, cors: {origins: [%[2]q], methods: [GET]}, cache: {policy: public, max_age: 5m}}
  - {path: /mine/, cache: {policy: private, max_age: 30s}}
  - {path: /never/, auth: none, cache: {policy: none}}
`, sibling, partner),
		"teams/secrets/api-key": p.apiKey + "\n",
	}
}

// header is the only value of a header, or "".
func header(r up.Request, name string) string { return strings.Join(r.Values(name), " | ") }

// last is what an upstream saw last below a path.
func (s *teams) last(part string) up.Request {
	s.Helper()
	seen := reached(s.echo, part)
	if len(seen) == 0 {
		s.Fatalf("nothing arrived at %s", part)
	}
	return seen[len(seen)-1]
}

// verifier believes the keys that the server publishes, as any upstream would.
func (s *story) verifier() *oidc.IDTokenVerifier {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Switch.Address) // where localhost is another address, too
	}}}
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(s.ctx, client), s.PublicURL+"/.well-known/jwks.json")
	return oidc.NewVerifier(s.PublicURL, keys, &oidc.Config{ClientID: "told", SupportedSigningAlgs: []string{oidc.EdDSA}})
}

// PRX-40: an upstream is told who the user is, percent-encoded where a header cannot hold it, what the operator wrote, and an assertion that verifies by the published keys. What the client says of these is gone.
func TestAnUpstreamIsToldWhoAsks(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("jurgen")
	s.fetch(b, "GET", "/told/json?jurgen", 200, "X-User-Id: root", "X_user_id: root", "X-Identity: forged", "X-Api-Key: guessed", "X-Debug: 1", "X-Trace-Id: 7", "X-Page: 2", "X-Tenant: other")
	r := s.last("/told/json?jurgen")
	for name, want := range map[string]string{
		"X-User-ID": "jurgen", "X-Name": "J%C3%BCrgen", "X-Roles": "clerk, a%2Cb", "X-Picture": "H%C3%B6he, Breite", "X-Tenant": "tenant-acme",
		"X-Api-Key": s.apiKey, "X-Debug": "", "X-Trace-Id": "", "X-Page": "2", "X_user_id": "",
	} {
		if got := header(r, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	s.asserted(r, "jurgen")
	s.get(s.signedIn("hans"), "/complete/json", 403) // has no picture
	s.get(b, "/complete/json", 200)
	s.fetch(s.browser(), "GET", "/maybe-told/json", 200, "X-User-Id: root", "X-Identity: forged")
	if r := s.last("/maybe-told/json"); header(r, "X-User-Id") != "" || header(r, "X-Identity") != "" {
		t.Errorf("of nobody it is told %v", r.Headers)
	}
}

// asserted demands that a request has an assertion about a user that verifies.
func (s *story) asserted(r up.Request, sub string) {
	s.Helper()
	raw := header(r, "X-Identity")
	shared.corpus.Learn("assertion", raw)
	token, err := s.verifier().Verify(s.ctx, raw)
	s.check(err)
	var more struct{ IDP, Email string }
	s.check(token.Claims(&more))
	if token.Subject != sub || more.IDP != s.Provider.Issuer || more.Email != sub+"@example.test" || token.Expiry.Sub(token.IssuedAt).Seconds() > 60 {
		s.Errorf("the assertion is about %s of %s, %s, from %v to %v", token.Subject, more.IDP, more.Email, token.IssuedAt, token.Expiry)
	}
}

// Keys of assertions rotate by their files and SIGHUP, and no assertion is ever refused; a key that is none changes nothing.
func TestAssertionKeysRotate(t *testing.T) {
	t.Parallel()
	s := onOwnTeams(t)
	b := s.signedIn("ida")
	s.get(b, "/told/json?first", 200)
	s.asserted(s.last("/told/json?first"), "ida")
	main := s.read("cloakroom.yaml")
	keys := func(keys string) {
		s.write("cloakroom.yaml", strings.Replace(main, `["${file:keys/assertion.pem}"]`, "["+keys+"]", 1))
	}
	s.write("keys/next.pem", newAssertionKey())
	keys(`"${file:keys/assertion.pem}", "${file:keys/next.pem}"`)
	s.reload("both keys are published", func() bool { return s.published() == 2 })
	s.asserted(s.last("/told/json?first"), "ida")
	keys(`"${file:keys/next.pem}", "${file:keys/assertion.pem}"`)
	s.reload("the new key signs", func() bool {
		s.get(b, "/told/json?second", 200)
		return header(s.last("/told/json?second"), "X-Identity") != header(s.last("/told/json?first"), "X-Identity")
	})
	s.asserted(s.last("/told/json?first"), "ida")
	s.asserted(s.last("/told/json?second"), "ida")
	s.write("keys/next.pem", "no key")
	s.reload("a key that is none is refused", func() bool { return s.rejected("cloakroom.yaml:", "assertions.keys[0]") })
	s.asserted(s.last("/told/json?second"), "ida")
	s.write("keys/next.pem", newAssertionKey())
	keys(`"${file:keys/next.pem}"`)
	s.reload("the old keys are gone", func() bool { return s.published() == 1 })
	for _, query := range []string{"first", "second"} {
		if _, err := s.verifier().Verify(s.ctx, header(s.last("/told/json?"+query), "X-Identity")); err == nil {
			t.Error("a key that was taken out still verifies")
		}
	}
}

// published is how many keys of assertions the server publishes.
func (s *story) published() int {
	s.Helper()
	var keys struct{ Keys []any }
	s.check(json.Unmarshal([]byte(s.get(s.browser(), "/.well-known/jwks.json", 200).Body), &keys))
	return len(keys.Keys)
}

// shares is an answer to a page of another origin, with the user's cookie, and what it lets scripts do.
func (s *story) shares(b *browse.Browser, method, path, origin string, more ...string) (a *browse.Answer, allowed string) {
	s.Helper()
	site := "cross-site"
	if origin == sibling {
		site = "same-site"
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nSec-Fetch-Site: %s\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n", method, path, s.host(), origin, site)
	if b != nil {
		head += "Cookie: " + browse.SessionCookie + "=" + b.Ticket() + "\r\n"
	}
	for _, line := range more {
		head += line + "\r\n"
	}
	a = s.ask(head + "Content-Length: 0\r\n\r\n")
	if !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") {
		s.Errorf("%s %s from %s: Vary is %q", method, path, origin, a.Header.Values("Vary"))
	}
	return a, a.Header.Get("Access-Control-Allow-Origin")
}

// CORS-01, CORS-02, CORS-04, CORS-05: only the origin that is written out reads an answer, and each request is judged again.
func TestOtherOriginsReadWhatTheyAreGiven(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("karl")
	a, allowed := s.shares(b, "GET", "/shared/json", sibling)
	if a.Status != 200 || allowed != sibling || a.Header.Get("Access-Control-Allow-Credentials") != "true" || a.Header.Get("Access-Control-Expose-Headers") != "X-Total" {
		t.Errorf("a named origin with credentials: %d %v", a.Status, a.Header)
	}
	if a, allowed = s.shares(b, "POST", "/shared/json", sibling); a.Status != 403 || allowed != "" {
		t.Errorf("another method of a named origin: %d, allowed %q", a.Status, allowed)
	}
	for _, origin := range []string{"http://localhost:4445", "https://localhost:4444", "http://LOCALHOST:4444", "http://localhost.:4444", "http://localhost:4444.evil.test", sibling + "\r\nOrigin: " + sibling, "null", "*"} {
		if a, allowed = s.shares(b, "GET", "/shared/json", origin); a.Status != 403 || allowed != "" {
			t.Errorf("%q: %d, allowed %q", origin, a.Status, allowed)
		}
	}
	if n := len(reached(s.echo, "/shared/json")); n != 1 {
		t.Errorf("%d requests of other origins reached the upstream, want 1", n)
	}
	if a, allowed = s.shares(b, "GET", "/catalogue/json", partner); a.Status != 200 || allowed != partner || a.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a partner reads the catalogue: %d %v", a.Status, a.Header)
	}
	for _, r := range reached(s.echo, "/catalogue/json") {
		if r.Bearer() != "" {
			t.Error("the partner's request has the user's token")
		}
	}
	if a, allowed = s.shares(b, "GET", "/catalogue/hostile", "https://evil.test"); allowed != "" {
		t.Errorf("the upstream lets %s in: %v", allowed, a.Header)
	}
}

// CORS-03, CORS-06: a preflight is answered without session and upstream, by the configuration.
func TestPreflights(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	for name, c := range map[string]struct {
		path, origin string
		header       []string
		allowed      bool
	}{
		"a named origin":         {"/shared/pre", sibling, []string{"Access-Control-Request-Method: GET"}, true},
		"with a usual header":    {"/shared/pre", sibling, []string{"Access-Control-Request-Method: GET", "Access-Control-Request-Headers: content-type"}, true},
		"with the proof of ours": {"/shared/pre", sibling, []string{"Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-csrf"}, false},
		"another method":         {"/shared/pre", sibling, []string{"Access-Control-Request-Method: POST"}, false},
		"another origin":         {"/shared/pre", "https://evil.test", []string{"Access-Control-Request-Method: GET"}, false},
		"a network of its own":   {"/shared/pre", sibling, []string{"Access-Control-Request-Method: GET", "Access-Control-Request-Private-Network: true"}, false},
		"a partner":              {"/catalogue/pre", partner, []string{"Access-Control-Request-Method: GET"}, true},
		"a partner's POST":       {"/catalogue/pre", partner, []string{"Access-Control-Request-Method: POST"}, false},
		"the partner, elsewhere": {"/shared/pre", partner, []string{"Access-Control-Request-Method: GET"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, allowed := s.shares(nil, "OPTIONS", c.path, c.origin, c.header...)
			if a.Status != 204 || (allowed == c.origin) != c.allowed || !c.allowed && allowed != "" {
				t.Errorf("%d, allowed %q: %v", a.Status, allowed, a.Header)
			}
		})
	}
	if n := len(reached(s.echo, "/pre")); n != 0 {
		t.Errorf("%d preflights reached the upstream", n)
	}
}

// Answers are kept where the route says so, and nowhere else.
func TestWhatMayBeKept(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("lena")
	for path, want := range map[string]string{
		"/mine/json": "private, max-age=30", "/catalogue/json": "public, max-age=300", "/never/json": "no-store", "/api/json": "no-store", "/public/json": "",
	} {
		a := s.get(b, path, 200)
		if got := a.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
		}
		if path == "/mine/json" && !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Cookie") {
			t.Errorf("%s: Vary %q", path, a.Header.Values("Vary"))
		}
	}
	if got := s.get(s.browser(), "/mine/json", 401).Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("a refusal may be kept: %q", got)
	}
}
