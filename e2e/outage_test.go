package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"cloakroom/e2e/stack"
)

// The server starts without Redis, says so, serves what needs none, and is ready as soon as Redis is.
func TestAStoreThatIsDownAtStart(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{})
	s.Redis.Link.Cut()
	r, err := s.StartReplica(s.ctx)
	s.check(err)
	b := s.browser()
	s.get(b, "/public/x", 200)
	s.eventually("readiness names the store", func() bool {
		status, body, err := r.Get(s.ctx, "/readyz")
		return err == nil && status == 503 && strings.Contains(body, "store")
	})
	s.Redis.Restore()
	s.check(s.Ready(s.ctx))
	s.get(s.signedIn("alice"), "/api/x", 200)
}

// OIDC-17: the server starts without its provider, says so, answers a sign-in 503, and is ready as soon as the provider is.
func TestAProviderThatIsDownAtStart(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{})
	issuer, err := url.Parse(s.Provider.Issuer)
	s.check(err)
	s.check(s.Provider.Close())
	r, err := s.StartReplica(s.ctx)
	s.check(err)
	status, body, err := r.Get(s.ctx, "/readyz")
	if err != nil || status != 503 || !strings.Contains(body, "main") {
		t.Errorf("/readyz: %d %q %v, want 503 naming the provider", status, body, err)
	}
	b := s.browser()
	a, err := b.Go(s.ctx, nav("/bff/login", "", ""))
	s.check(err)
	if a.Status != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("/bff/login: %d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
	s.get(b, "/public/x", 200)

	var port int
	_, err = fmt.Sscan(issuer.Port(), &port)
	s.check(err)
	s.Stack.Provider, err = stack.StartProvider(s.ctx, port, s.Clients, nil)
	s.check(err)
	s.check(s.Ready(s.ctx))
	s.get(s.signedIn("alice"), "/api/x", 200)
}

// SES-06: after a day's work no key of ours lives for ever.
func TestNoKeyLivesForEver(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("otto")
	s.begin(s.browser(), "otto", "/public/x")
	s.get(b, "/api/x", 200)
	s.fetch(b, "POST", "/bff/keepalive", 204)
	s.fetch(s.signedIn("otto"), "POST", "/bff/logout", 200)
	immortal, err := s.Redis.Immortal(s.ctx)
	s.check(err)
	if len(immortal) > 0 {
		t.Errorf("without an expiry: %q", immortal)
	}
}
