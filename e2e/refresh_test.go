package e2e

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// accessTTL is how long the access tokens of these stories live: long enough that a burst ends before the next
// refresh is due (a second before the end), short enough to see three of them expire.
const accessTTL = 5

// refreshes returns what the provider was asked with a refresh token.
func (s *story) refreshes() []stack.Asked {
	s.Helper()
	asked, err := s.Provider.Asked(s.ctx, "/token", "refresh_token")
	s.check(err)
	return asked
}

// untilExpired waits for the moment at which every access token that the provider gave out so far has expired.
func (s *story) untilExpired() {
	s.Helper()
	var last int64
	for _, grant := range []string{"authorization_code", "refresh_token"} {
		asked, err := s.Provider.Asked(s.ctx, "/token", grant)
		s.check(err)
		for _, a := range asked {
			last = max(last, a.ExpiresAt)
		}
	}
	select {
	case <-time.After(time.Until(time.UnixMilli(last))):
	case <-s.ctx.Done():
		s.Fatal("the token does not expire within the test's time")
	}
}

// noReuse demands that no refresh token was shown twice, by the provider's own log.
func (s *story) noReuse() {
	s.Helper()
	n, err := s.Provider.Reuses(s.ctx)
	s.check(err)
	if n != 0 {
		s.Errorf("%d refresh tokens were used twice", n)
	}
}

// SES-20, BCP-19: 200 concurrent requests over two replicas, three expiries: three refreshes, 600 answers 200, at a
// provider that revokes the whole family when a refresh token is seen twice.
func TestThreeExpiriesCauseThreeRefreshes(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, TTL: map[string]int{"AccessToken": accessTTL}})
	b := s.signedIn("alice")
	replicas := []*browse.Browser{s.at(b, 0), s.at(b, 1)}
	for expiry := 1; expiry <= 3; expiry++ {
		s.untilExpired()
		start := make(chan struct{})
		statuses := make(chan int, 200)
		var wg sync.WaitGroup
		for n := range 200 {
			wg.Go(func() {
				<-start
				a, err := replicas[n%2].Fetch(s.ctx, "GET", "/api/json", "")
				if err != nil {
					t.Error(err)
					return
				}
				statuses <- a.Status
			})
		}
		close(start)
		wg.Wait()
		close(statuses)
		fine := 0
		for status := range statuses {
			if status == 200 {
				fine++
			} else {
				t.Errorf("expiry %d: %d", expiry, status)
			}
		}
		if got := len(s.refreshes()); got != expiry || fine != 200 {
			t.Fatalf("after expiry %d: %d refreshes and %d answers 200", expiry, got, fine)
		}
	}
	bearers := make(map[string]int)
	for _, r := range s.Upstream.Seen() {
		if r.Target == "/v1/json" {
			bearers[r.Bearer()]++
		}
	}
	for bearer, n := range bearers {
		if n != 200 || bearer == "" {
			t.Errorf("a bearer came %d times, want each of three 200 times", n)
		}
	}
	s.noReuse()
}

// What happens around a refresh, each with a session of its own whose access token has expired.
func TestAroundARefresh(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, TTL: map[string]int{"AccessToken": accessTTL}})
	stories := []struct {
		name string
		tell func(*testing.T, *story, *browse.Browser)
	}{
		{"SES-23: a client that hangs up does not lose the rotated refresh token", clientHangsUp},
		{"SES-24: an early hint of the upstream does not lose it either", earlyHints},
		{"BBA-6.1-24: a provider that is out for a while is no sign-out", providerIsOut},
		{"SES-29: changed roles hold from the refresh on", rolesChange},
		{"BBA-6.1-22, SES-28: a refresh that is refused for good ends the session", refusedForGood},
	}
	browsers := make([]*browse.Browser, len(stories))
	for i := range stories {
		browsers[i] = s.signedIn("user")
	}
	s.untilExpired()
	for i, st := range stories {
		t.Run(st.name, func(t *testing.T) {
			st.tell(t, &story{t, s.Stack, s.ctx}, browsers[i])
			s.noReuse()
		})
	}
}

func clientHangsUp(t *testing.T, s *story, b *browse.Browser) {
	before := len(s.refreshes())
	held, err := s.Provider.Break(s.ctx, stack.Fault{Path: "/token", Hold: "after"})
	s.check(err)
	ctx, hangUp := context.WithCancel(s.ctx)
	gone := make(chan error, 1)
	go func() {
		_, err := s.at(b, 0).Fetch(ctx, "GET", "/api/x", "")
		gone <- err
	}()
	s.check(held.Arrived(s.ctx))
	hangUp()
	if err := <-gone; err == nil {
		t.Error("the client did not hang up")
	}
	s.check(held.Release(s.ctx))
	s.eventually("the next request passes", func() bool {
		a, err := s.at(b, 0).Fetch(s.ctx, "GET", "/api/x", "")
		s.check(err)
		return a.Status == 200
	})
	s.get(s.at(b, 1), "/api/x", 200)
	if got := len(s.refreshes()) - before; got != 1 {
		t.Errorf("%d refreshes, want 1", got)
	}
}

func earlyHints(t *testing.T, s *story, b *browse.Browser) {
	before := len(s.refreshes())
	s.get(s.at(b, 0), "/api/hints", 200)
	s.get(s.at(b, 1), "/api/x", 200)
	if got := len(s.refreshes()) - before; got != 1 {
		t.Errorf("%d refreshes, want 1", got)
	}
}

func providerIsOut(t *testing.T, s *story, b *browse.Browser) {
	_, err := s.Provider.Break(s.ctx, stack.Fault{Path: "/token", Status: 503, Times: 1000})
	s.check(err)
	ticket := b.Ticket()
	a := s.get(b, "/api/x", 503)
	if a.Header.Get("Retry-After") == "" || len(a.Header.Values("Set-Cookie")) > 0 {
		t.Errorf("503 with Retry-After %q and %d cookies", a.Header.Get("Retry-After"), len(a.Header.Values("Set-Cookie")))
	}
	s.check(s.Provider.Mend(s.ctx))
	s.eventually("the provider is asked again and the request passes", func() bool {
		a, err := b.Fetch(s.ctx, "GET", "/api/x", "")
		s.check(err)
		return a.Status == 200
	})
	if b.Ticket() != ticket {
		t.Error("the ticket changed")
	}
}

func rolesChange(t *testing.T, s *story, b *browse.Browser) {
	s.check(s.Provider.SetClaims(s.ctx, "user", map[string]any{"groups": []string{"support"}}))
	s.get(b, "/api/x", 200)
	roles, _ := s.fields(s.get(b, "/bff/user", 200))["roles"].([]any)
	if !slices.Equal(roles, []any{"support"}) {
		t.Errorf("roles after the refresh: %v", roles)
	}
}

func refusedForGood(t *testing.T, s *story, b *browse.Browser) {
	_, err := s.Provider.Break(s.ctx, stack.Fault{Path: "/token", Status: 400, Body: `{"error":"invalid_grant"}`})
	s.check(err)
	s.problem(s.get(s.at(b, 0), "/api/x", 401), "signed_out")
	for n := range s.Replicas {
		s.get(s.at(b, n), "/api/x", 401)
		if m := s.fields(s.get(s.at(b, n), "/bff/user", 200)); m["authenticated"] != false {
			t.Errorf("replica %d: %v", n+1, m)
		}
	}
}

// BCP-20: a replica is killed while the provider holds the answer to its refresh. The token is spent, its successor
// lost: the other replica answers 503 until the attempt is certainly over, tries once more, and then signs out cleanly.
func TestAReplicaKilledDuringARefreshEndsInACleanSignOut(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, TTL: map[string]int{"AccessToken": 2}, Configure: func(c *stack.Config) {
		c.Provider = "    timeout: 2s"
	}})
	b := s.signedIn("alice")
	s.untilExpired()
	held, err := s.Provider.Break(s.ctx, stack.Fault{Path: "/token", Hold: "after"})
	s.check(err)
	broken := make(chan error, 1)
	go func() {
		_, err := s.at(b, 0).Fetch(s.ctx, "GET", "/api/x", "")
		broken <- err
	}()
	s.check(held.Arrived(s.ctx))
	s.check(s.Replicas[0].Kill())
	s.Spread()
	if err := <-broken; err == nil {
		t.Error("the killed replica answered")
	}
	s.check(held.Release(s.ctx))

	other := s.at(b, 1)
	for status := 0; status != 401; {
		a, err := other.Fetch(s.ctx, "GET", "/api/x", "")
		s.check(err)
		if status = a.Status; status != 503 && status != 401 {
			t.Fatalf("the other replica answered %d", status)
		}
	}
	if got := len(s.refreshes()); got != 2 {
		t.Errorf("%d refreshes were asked, want the lost one and one repeat", got)
	}
	if m := s.fields(s.get(other, "/bff/user", 200)); m["authenticated"] != false {
		t.Errorf("still signed in: %v", m)
	}
	again, err := other.SignIn(s.ctx, "alice", "/public/x")
	s.check(err)
	if again.Status != 200 || other.Ticket() == "" {
		t.Fatalf("the next sign-in ended with %d: %s", again.Status, s.brief(again))
	}
	s.get(other, "/api/x", 200)
}
