package e2e

import (
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// OAX-17, SES-03: a sign-in over a session of the same user, while that one's refresh is under way, at a provider that revokes all of a grant's tokens with one of them: the old
// ticket is dead, and the new session outlives its own refreshes, what comes of the old one's, and a step-up that comes to nothing.
func TestAStepUpOutlivesTheSessionThatItReplaces(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, TTL: map[string]int{"AccessToken": 3}})
	b := s.signedIn("bob")
	for n := range s.Replicas {
		s.get(s.at(b, n), "/api/json", 200)
	}
	old := s.browser()
	old.SetTicket(b.Ticket())

	held, err := s.Provider.Break(s.ctx, stack.Fault{Path: "/token", Hold: "after", Times: 1})
	s.check(err)
	answered := make(chan *browse.Answer)
	go func() {
		defer close(answered)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ; ; <-tick.C {
			a, err := old.Fetch(s.ctx, "GET", "/api/json", "")
			if err != nil || a.Status != 200 {
				answered <- a
				return
			}
		}
	}()
	s.check(held.Arrived(s.ctx))
	_, err = b.SignIn(s.ctx, "bob", "/public/welcome")
	s.check(err)
	for n := range s.Replicas {
		s.get(s.at(old, n), "/api/json", 401)
	}
	s.check(held.Release(s.ctx))
	if a := <-answered; a == nil || a.Status != 401 {
		t.Errorf("the request that waited for the old session's token: %+v", a)
	}

	// Neither does a sign-in that is refused after its code was spent take the session's tokens along.
	s.check(s.Provider.IgnoreACR(s.ctx))
	if a, err := b.Go(s.ctx, nav("/bff/login?acr_values=urn:mfa&return_to=/public/welcome", s.PublicURL, "")); err != nil || a.Status != 403 || a.URL.Path != "/bff/callback" {
		t.Fatalf("a step-up that the provider ignores: %+v, %v", a, err)
	}

	refreshes := func() int {
		asked, err := s.Provider.Asked(s.ctx, "/token", "refresh_token")
		s.check(err)
		return len(asked)
	}
	for n, want := range []int{refreshes() + 1, refreshes() + 2} {
		s.eventually("another refresh", func() bool {
			s.get(s.at(b, n), "/api/json", 200)
			return refreshes() >= want
		})
	}
	s.get(b, "/api/json", 200)
	if revoked, err := s.Provider.Asked(s.ctx, "/token/revocation", ""); err != nil || len(revoked) > 0 {
		t.Errorf("revoked %v, %v", revoked, err)
	}
}
