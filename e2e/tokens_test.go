package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
	"cloakroom/e2e/up"
)

const (
	ordersAPI = "https://orders.example"
	usersAPI  = "https://users.example"
	goneAPI   = "https://gone.example"
)

// resourceRoutes have one token for each API, of a provider with RFC 8707.
func resourceRoutes(c *stack.Config) {
	c.Scopes = ", orders.read, users.read"
	c.Routes = fmt.Sprintf(`  - {path: /public/, upstream: %[1]s, auth: none}
  - {path: /own/, upstream: %[1]s}
  - {path: /none/, upstream: %[1]s, token: none}
  - {path: /orders/, upstream: %[1]s, token: {method: refresh, resource: "%[2]s", scopes: [orders.read]}}
  - {path: /users/, upstream: %[1]s, token: {method: refresh, resource: "%[3]s", scopes: [users.read]}}
  - {path: /gone/, upstream: %[1]s, token: {method: refresh, resource: "%[4]s"}}
  - {path: /machine/, upstream: %[1]s, auth: none, token: {method: client, resource: "%[2]s", scopes: [orders.read]}}
`, c.Upstream, ordersAPI, usersAPI, goneAPI)
}

// claims are those of an access token that is a JWT, else nil.
func claims(token string) map[string]any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var c map[string]any
	_ = json.Unmarshal(payload, &c) // nil, if it is none
	return c
}

// arrived are the requests that the upstream has seen below a path.
func (s *story) arrived(prefix string) (seen []up.Request) {
	for _, r := range s.Upstream.Seen() {
		if strings.HasPrefix(r.Target, prefix) {
			seen = append(seen, r)
		}
	}
	return seen
}

// askedFor counts the requests to the token endpoint for a resource.
func (s *story) askedFor(grantType, resource string) (n int) {
	s.Helper()
	asked, err := s.Provider.Asked(s.ctx, "/token", grantType)
	s.check(err)
	for _, a := range asked {
		if slices.Equal(a.Resource, []string{resource}) {
			n++
		}
	}
	return n
}

// all asks for every path many times at once, by turns at both replicas.
func (s *story) all(b *browse.Browser, times int, paths ...string) {
	s.Helper()
	at := []*browse.Browser{s.at(b, 0), s.at(b, 1)}
	var wg sync.WaitGroup
	for n := range times {
		for _, path := range paths {
			wg.Go(func() {
				if a, err := at[n%2].Fetch(s.ctx, "GET", path, ""); err != nil || a.Status != 200 {
					s.Errorf("%s: %v, %v", path, a, err)
				}
			})
		}
	}
	wg.Wait()
}

// OAX-20, BCP-22: each upstream gets a token for itself and never another's; each is fetched once per expiry however many ask on two replicas, and no refresh token is
// used twice for it.
func TestEachUpstreamHasItsOwnToken(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, TTL: map[string]int{"AccessToken": accessTTL}, Configure: resourceRoutes})
	s.check(s.Provider.SetResources(s.ctx, map[string]string{ordersAPI: "orders.read orders.write", usersAPI: "users.read", goneAPI: "gone.read"}))
	b := s.signedIn("alice")
	auth, err := s.Provider.Asked(s.ctx, "/auth", "")
	s.check(err)
	if want := []string{goneAPI, ordersAPI, usersAPI}; len(auth) == 0 || !slices.Equal(auth[0].Resource, want) {
		t.Errorf("sign-in asked for %v, want %v", auth[0].Resource, want)
	}
	for expiry := range 2 {
		if expiry > 0 {
			s.untilExpired()
		}
		s.all(b, 10, "/orders/json", "/users/json", "/own/json", "/none/json")
		for _, resource := range []string{ordersAPI, usersAPI} {
			if n := s.askedFor("refresh_token", resource); n != expiry+1 {
				t.Errorf("after expiry %d: %d refreshes for %s", expiry, n, resource)
			}
		}
	}
	s.noReuse()
	for path, want := range map[string]any{"/orders/": ordersAPI, "/users/": usersAPI} {
		for _, r := range s.arrived(path) {
			if c := claims(r.Bearer()); c["aud"] != want || c["sub"] != "alice" || c["scope"] != strings.TrimSuffix(path[1:], "/")+".read" {
				t.Errorf("%s got a token for %v of %v, good for %v", path, c["aud"], c["sub"], c["scope"])
			}
		}
	}
	for _, r := range s.arrived("/own/") {
		if r.Bearer() == "" || claims(r.Bearer()) != nil {
			t.Error("the session's own token has become another")
		}
	}
	for _, r := range s.arrived("/none/") {
		if len(r.Values("Authorization")) != 0 {
			t.Error("token: none sends one")
		}
	}
	s.fetch(b, "POST", "/bff/logout", 200)
	s.get(b, "/orders/json", 401)
}

// OAX-04: what the provider does not give is answered without the upstream, signs nobody out at once, and is not tried again with another refresh token.
func TestAResourceThatTheProviderHasNoMore(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, Configure: resourceRoutes})
	refused, err := s.browser().SignIn(s.ctx, "early", "/public/welcome")
	s.check(err)
	if refused.Status != 400 {
		t.Errorf("a sign-in at a provider that knows none of the resources: %d", refused.Status)
	}
	s.check(s.Provider.SetResources(s.ctx, map[string]string{ordersAPI: "orders.read", usersAPI: "users.read", goneAPI: "gone.read"}))
	alice, bob := s.signedIn("alice"), s.signedIn("bob")
	s.check(s.Provider.SetResources(s.ctx, map[string]string{goneAPI: ""}))
	for n := range 4 {
		s.problem(s.get(s.at(alice, n%2), "/gone/json", 502), "token_refused")
	}
	s.problem(s.get(s.at(bob, 0), "/gone/json", 502), "token_refused") // who asked where it is known already
	if n := s.askedFor("refresh_token", goneAPI); n > 2 {
		t.Errorf("%d refresh tokens were risked", n)
	}
	s.all(alice, 2, "/own/json")
	s.all(bob, 2, "/own/json")
	if s.get(bob, "/orders/json", 200); len(s.arrived("/gone/")) != 0 {
		t.Error("the upstream was asked without its token")
	}
	s.noReuse()
}

// AUZ-08: Cloakroom's own token goes to the route that says so, with nobody in it, and is fetched once for each replica.
func TestMachineRoute(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, Configure: resourceRoutes})
	s.check(s.Provider.SetResources(s.ctx, map[string]string{ordersAPI: "orders.read", usersAPI: "users.read", goneAPI: "gone.read"}))
	b := s.signedIn("alice")
	s.all(b, 20, "/machine/json", "/own/json")
	s.all(s.browser(), 20, "/machine/json")
	if n := s.askedFor("client_credentials", ordersAPI); n != 2 {
		t.Errorf("%d requests for our own token by 2 replicas", n)
	}
	for _, r := range s.arrived("/machine/") {
		if c := claims(r.Bearer()); c["aud"] != ordersAPI || c["client_id"] != "app" || c["sub"] == "alice" {
			t.Errorf("a machine's token for %v of %v", c["aud"], c["sub"])
		}
	}
	for _, r := range s.arrived("/own/") {
		if claims(r.Bearer()) != nil {
			t.Error("a user's route got a machine's token")
		}
	}
}

// exchangeRoutes have one token for each API, of a provider with RFC 8693.
func exchangeRoutes(c *stack.Config) {
	c.Routes = fmt.Sprintf(`  - {path: /public/, upstream: %[1]s, auth: none}
  - {path: /own/, upstream: %[1]s}
  - {path: /orders/, upstream: %[1]s, token: {audience: orders, scopes: [profile]}}
  - {path: /users/, upstream: %[1]s, token: {audience: users}}
  - {path: /secret/, upstream: %[1]s, token: {audience: secret}}
  - {path: /mapped/, upstream: %[1]s, token: {resource: "https://mapped.example"}}
  - {path: /late/, upstream: %[1]s, token: {audience: users, scopes: [email]}}
  - path: /home
    compose:
      mine: {url: "%[1]s/leg-own/json"}
      orders: {url: "%[1]s/leg-orders/json", token: {audience: orders, scopes: [profile]}}
      nobody: {url: "%[1]s/leg-none/json", token: none}
      secret: {url: "%[1]s/leg-secret/json", token: {audience: secret}, optional: true}
`, c.Upstream)
}

// exchanging tells a story on a stack whose provider is zitadel's.
func exchanging(t *testing.T) (*story, *stack.Exchanger) {
	t.Helper()
	var z *stack.Exchanger
	ctx := deadline(t)
	program, err := stack.BuildExchanger(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := onOwn(t, stack.Options{Replicas: 2, Configure: func(c *stack.Config) {
		if z, err = stack.StartExchanger(ctx, program, *c, "orders", "users"); err == nil {
			c.Issuer = z.Issuer
		}
		exchangeRoutes(c)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	return s, z
}

// signInAt signs one of zitadel's users in by its form.
func (s *story) signInAt(z *stack.Exchanger, user string) *browse.Browser {
	s.Helper()
	b := s.browser()
	page, err := b.Go(s.ctx, browse.Nav{URL: "/bff/login?return_to=/public/welcome", From: b.Origin})
	s.check(err)
	form := url.Values{"id": {page.URL.Query().Get("authRequestID")}, "username": {user}, "password": {"verysecure"}}
	a, err := b.Go(s.ctx, browse.Nav{URL: z.Issuer + "/login/username", From: z.Issuer, Form: form})
	s.check(err)
	if a.Status != 200 || b.Ticket() == "" {
		s.Fatalf("sign-in of %s ended at %s with %d\n%s", user, a.URL, a.Status, s.brief(a))
	}
	return b
}

// OAX-04, OAX-05: tokens exchanged by another's provider are for the upstream and the user of the request, fetched once over two replicas, refused where they are not what
// was asked for, and never replaced by a broader one.
func TestExchangedTokens(t *testing.T) {
	t.Parallel()
	s, z := exchanging(t)
	alice, bob := s.signInAt(z, "test-user@localhost"), s.signInAt(z, "test-user2")
	var both sync.WaitGroup
	both.Go(func() { s.all(alice, 10, "/orders/json?alice", "/users/json?alice", "/own/json?alice") })
	both.Go(func() { s.all(bob, 10, "/orders/json?bob", "/users/json?bob", "/own/json?bob") })
	both.Wait()
	for _, audience := range []string{"orders", "users"} {
		if n := z.Exchanged(audience); n != 2 {
			t.Errorf("%d exchanges for %s by two users", n, audience)
		}
		for user, sub := range map[string]string{"alice": "id1", "bob": "id2"} {
			seen := s.arrived("/" + audience + "/json?" + user)
			for _, r := range seen {
				c := claims(r.Bearer())
				if aud, _ := c["aud"].([]any); len(aud) != 1 || aud[0] != audience || c["sub"] != sub {
					t.Errorf("%s's request to %s has a token for %v of %v", user, audience, c["aud"], c["sub"])
				}
			}
			if len(seen) != 10 {
				t.Errorf("%d requests of %s at %s", len(seen), user, audience)
			}
		}
	}
	s.problem(s.get(alice, "/secret/json", 502), "token_refused")
	s.problem(s.get(alice, "/mapped/json", 502), "token_refused") // answered 200, with a token for ourselves
	home := s.get(alice, "/home", 200)
	if home.Header.Get("X-Cloakroom-Partial") != "secret" || len(s.arrived("/leg-secret/")) != 0 || z.Exchanged("orders") != 2 {
		t.Errorf("parts missing: %q; %d exchanges for orders", home.Header.Get("X-Cloakroom-Partial"), z.Exchanged("orders"))
	}
	for path, want := range map[string]string{"/leg-own/": s.arrived("/own/json?alice")[0].Bearer(), "/leg-orders/": s.arrived("/orders/json?alice")[0].Bearer(), "/leg-none/": ""} {
		if got := s.arrived(path); len(got) != 1 || got[0].Bearer() != want {
			t.Errorf("%s has another token than a route's", path)
		}
	}
	if len(s.arrived("/secret/"))+len(s.arrived("/mapped/")) != 0 {
		t.Error("an upstream was asked without its token")
	}
	s.check(z.Link.Refuse())
	s.get(alice, "/orders/json", 200) // from the session
	away := s.get(alice, "/late/json", 503)
	s.problem(away, "token_unavailable")
	if away.Header.Get("Retry-After") == "" || alice.Ticket() == "" {
		t.Error("an outage says when to try again, and is no sign-out")
	}
	s.check(z.Restore())
	s.eventually("the exchange works again", func() bool {
		a, err := alice.Fetch(s.ctx, "GET", "/late/json", "")
		return err == nil && a.Status == 200
	})
	s.fetch(alice, "POST", "/bff/logout", 200)
	s.get(alice, "/orders/json", 401)
}
