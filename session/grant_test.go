package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bureau exchanges access tokens for others, as a provider does by RFC 8693. Its own fields are guarded by mu.
type bureau struct {
	mu     sync.Mutex
	life   time.Duration
	asked  map[string]int // by access token and audience
	answer func() (Granted, error)
}

func newBureau() *bureau { return &bureau{life: 5 * time.Minute, asked: map[string]int{}} }

// target is a grant for an audience, by exchange.
func (b *bureau) target(audience string) Target {
	return Target{Key: audience, Fetch: func(_ context.Context, s *Session) (Granted, error) {
		time.Sleep(100 * time.Millisecond)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked[s.Tokens.Access+" for "+audience]++
		if b.answer != nil {
			return b.answer()
		}
		n := b.asked[s.Tokens.Access+" for "+audience]
		return granted(fmt.Sprintf("%s's %d. for %s by %s", s.Subject, n, audience, s.Tokens.Access), "", b.life), nil
	}}
}

func granted(access, refresh string, life time.Duration) Granted {
	now := time.Now()
	return Granted{Refreshed: Refreshed{Tokens: Tokens{Access: access, Refresh: refresh, Issued: now, Expires: now.Add(life)}}}
}

func (b *bureau) count() (calls int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.asked {
		calls += n
	}
	return calls
}

// resource is a grant that costs the refresh token, by RFC 8707.
func (w *town) resource(name string) Target {
	return Target{Key: name, Spends: true, Resource: name, Fetch: func(ctx context.Context, s *Session) (Granted, error) {
		time.Sleep(100 * time.Millisecond)
		r, err := w.p.refresh(ctx, s)
		r.Tokens.Access = name + " " + r.Tokens.Access
		return Granted{Refreshed: r}, err
	}}
}

// asking signs in somebody whose sign-in asked for resources.
func (w *town) asking(t *testing.T, life time.Duration, resources ...string) {
	t.Helper()
	s := alice(life)
	s.Resources = resources
	w.r = w.one.signIn(t, s)
}

// grant is the token that a request through h gets for a route with the target.
func (w *town) grant(t *testing.T, h *house, target Target) (string, error) {
	t.Helper()
	s, err := h.FromRequest(w.r)
	if err != nil {
		return "", err
	}
	g, err := h.Grant(t.Context(), s, target)
	return g.Access, err
}

func (w *town) wantGrant(t *testing.T, h *house, target Target, want string) {
	t.Helper()
	if got, err := w.grant(t, h, target); err != nil || got != want {
		t.Errorf("grant = %q, %v; want %q", got, err, want)
	}
}

func (w *town) wantNoGrant(t *testing.T, h *house, target Target, want error) {
	t.Helper()
	if got, err := w.grant(t, h, target); !errors.Is(err, want) || got != "" {
		t.Errorf("grant = %q, %v; want %v", got, err, want)
	}
}

// OAX-04: any number of requests over two processes fetch a grant once per expiry and audience, from a token that is good, and it is gone with the session.
func TestOneExchangeForAll(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		b := newBureau()
		for expiry := range 3 {
			own := "access-0"
			if expiry > 0 {
				time.Sleep(justExpired)
				own = "access after refresh-0" + strings.Repeat("+", expiry-1)
			}
			var all sync.WaitGroup
			for i := range 60 {
				audience := []string{"orders", "users", "stock"}[i%3]
				all.Go(func() {
					w.wantGrant(t, []*house{w.one, w.two}[i%2], b.target(audience), "alice's 1. for "+audience+" by "+own)
				})
			}
			all.Wait()
		}
		synctest.Wait()
		if b.count() != 9 || w.p.calls != 2 || w.p.reused != 0 || len(w.st.locks) != 0 {
			t.Errorf("%d exchanges for 3 expiries of 3 audiences, %d refreshes, %d reuses, %d locks", b.count(), w.p.calls, w.p.reused, len(w.st.locks))
		}
		old := w.two.read(t, w.r)
		if err := w.one.EndOne(t.Context(), old, "logout"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(justExpired)
		if g, err := w.two.Grant(t.Context(), old, b.target("orders")); !errors.Is(err, ErrNone) {
			t.Errorf("grant of an ended session = %v, %v", g, err)
		}
	})
}

// OAX-05: alice's grants are never bob's, whoever asks when, on whatever process.
func TestGrantsOfTwoUsersDoNotMix(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		b := newBureau()
		b.life = 20 * time.Second
		bob := alice(time.Hour)
		bob.Subject, bob.Tokens.Access = "bob", "bob's access"
		ofBob := w.two.signIn(t, bob)
		w.r = w.one.signIn(t, alice(time.Hour))
		var all sync.WaitGroup
		for i := range 1000 {
			r, whose := w.r, "alice's"
			if i%2 == 1 {
				r, whose = ofBob, "bob's"
			}
			h, audience := []*house{w.one, w.two}[rand.IntN(2)], []string{"orders", "users"}[rand.IntN(2)]
			all.Go(func() {
				s, err := h.FromRequest(r)
				if err != nil {
					t.Error(err)
					return
				}
				g, err := h.Grant(t.Context(), s, b.target(audience))
				if err != nil || !strings.HasPrefix(g.Access, whose) || !strings.Contains(g.Access, "for "+audience) {
					t.Errorf("%s grant for %s is %q, %v", whose, audience, g.Access, err)
				}
			})
			if i%10 == 0 {
				time.Sleep(time.Second)
			}
		}
		all.Wait()
		if b.count() < 8 {
			t.Errorf("%d exchanges: nothing expired in between", b.count())
		}
	})
}

// Law 3, OAX-20: a refresh for a resource spends the refresh token like any other. Whatever is due at once, on whatever process, each token is sent once, and there is
// one refresh per expiry and audience.
func TestResourcesShareTheRefreshToken(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.asking(t, 5*time.Minute, "orders", "users", "stock")
		for expiry := range 4 {
			var all sync.WaitGroup
			for i := range 80 {
				h := []*house{w.one, w.two}[i/4%2]
				all.Go(func() {
					if i%4 == 3 {
						if got, err := w.token(t, h); err != nil || strings.Contains(got, "orders") || strings.Contains(got, "users") {
							t.Errorf("the session's own token is %q, %v", got, err)
						}
						return
					}
					audience := []string{"orders", "users", "stock"}[i%4]
					if got, err := w.grant(t, h, w.resource(audience)); err != nil || !strings.HasPrefix(got, audience) {
						t.Errorf("grant for %s is %q, %v", audience, got, err)
					}
				})
			}
			all.Wait()
			if want := 3 + 4*expiry; w.p.calls != want || w.p.reused != 0 {
				t.Fatalf("%d refreshes, want %d; %d reuses", w.p.calls, want, w.p.reused)
			}
			time.Sleep(justExpired)
		}
		s := w.one.read(t, w.r)
		if s.Attempt != nil || s.Tokens.Refresh != w.p.valid || s.Tokens.Scope != "openid" {
			t.Errorf("attempt %+v, refresh token %q of %q, scope %q", s.Attempt, s.Tokens.Refresh, w.p.valid, s.Tokens.Scope)
		}
	})
}

// A grant made of rights that the provider then changed is not used any more; a scope that is written in another order is the same.
func TestChangedScopeDropsGrants(t *testing.T) {
	for scope, kept := range map[string]bool{"": true, "openid orders": true, "orders openid": true, "openid": false, "openid orders all": false} {
		t.Run(scope, func(t *testing.T) {
			s := alice(time.Hour)
			s.Tokens.Scope = "openid orders"
			s = s.withGrant("orders", Tokens{Access: "a"}, time.Now())
			next := s.with(Refreshed{Tokens: Tokens{Access: "b", Scope: scope}}, time.Now())
			if got := len(next.Grants) == 1; got != kept {
				t.Errorf("kept = %v", got)
			}
			if spent := s.withSpent(Target{Key: "users"}, granted("c", "", time.Hour), time.Now()); len(spent.Grants) != 2 {
				t.Errorf("%d grants after a refresh for another", len(spent.Grants))
			}
		})
	}
}

// An upstream's 401 to a grant brings another one, at most once a minute, and no other session's or audience's.
func TestOtherGrant(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		b := newBureau()
		first := Grant{Key: "orders", Access: "alice's 1. for orders by access-0"}
		w.wantGrant(t, w.one, b.target("orders"), first.Access)
		w.wantGrant(t, w.one, b.target("users"), "alice's 1. for users by access-0")
		for range 3 {
			g, err := w.one.OtherGrant(t.Context(), w.one.read(t, w.r), b.target("orders"), first)
			if want := "alice's 2. for orders by access-0"; err != nil || g.Access != want {
				t.Errorf("OtherGrant = %q, %v", g.Access, err)
			}
		}
		second := Grant{Key: "orders", Access: "alice's 2. for orders by access-0"}
		if g, err := w.one.OtherGrant(t.Context(), w.one.read(t, w.r), b.target("orders"), second); err != nil || g.Access != second.Access {
			t.Errorf("again = %q, %v; want the same", g.Access, err)
		}
		time.Sleep(forcePause)
		if g, err := w.one.OtherGrant(t.Context(), w.one.read(t, w.r), b.target("orders"), second); err != nil || !strings.HasPrefix(g.Access, "alice's 3.") {
			t.Errorf("a minute later = %q, %v", g.Access, err)
		}
		w.wantGrant(t, w.two, b.target("users"), "alice's 1. for users by access-0")
	})
}

// A provider that gives the same token again, or one that is due when it comes, is asked once by those who wait, not once more by each.
func TestAGrantThatIsNoBetterIsNotFetchedTwice(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		b := newBureau()
		b.answer = func() (Granted, error) { return granted("the same", "", time.Hour), nil }
		w.wantGrant(t, w.one, b.target("orders"), "the same")
		if g, err := w.one.OtherGrant(t.Context(), w.one.read(t, w.r), b.target("orders"), Grant{Key: "orders", Access: "the same"}); err != nil || g.Access != "the same" || b.count() != 2 {
			t.Errorf("%q, %v after %d exchanges, want 2", g.Access, err, b.count())
		}
		b.answer = func() (Granted, error) {
			return Granted{Refreshed: Refreshed{Tokens: Tokens{Access: "short", Issued: time.Now().Add(-time.Minute), Expires: time.Now().Add(time.Second)}}}, nil
		}
		w.wantGrant(t, w.one, b.target("users"), "short")
		if b.count() != 3 {
			t.Errorf("%d exchanges, want 3", b.count())
		}
	})
}

// A session holds so many grants, and as many as fit: the newest. Neither makes it end.
func TestGrantsAreBounded(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		b := newBureau()
		for i := range MaxGrants + 4 {
			w.wantGrant(t, w.one, b.target(fmt.Sprint(i)), fmt.Sprintf("alice's 1. for %d by access-0", i))
		}
		if s := w.one.read(t, w.r); len(s.Grants) != MaxGrants || s.Grants[0].Key != "4" {
			t.Errorf("%d grants, the oldest is %s", len(s.Grants), s.Grants[0].Key)
		}
		big := func(size int) {
			b.answer = func() (Granted, error) { return granted(strings.Repeat("x", size), "", time.Hour), nil }
		}
		big(63 << 10)
		if got, err := w.grant(t, w.one, b.target("big")); err != nil || len(got) != 63<<10 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if s := w.one.read(t, w.r); len(s.Grants) == MaxGrants || s.Grants[len(s.Grants)-1].Key != "big" {
			t.Errorf("%d grants beside the big one", len(s.Grants))
		}
		big(70 << 10)
		w.wantNoGrant(t, w.one, b.target("bigger"), ErrGrantRefused)
		w.wantToken(t, w.one, "access-0")
		time.Sleep(justExpired)
		w.wantToken(t, w.two, "access after refresh-0")
	})
}
