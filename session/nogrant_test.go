package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// BCP-20: an answer that is lost is repeated once, whatever for; here the grant's was lost, and the session's own refresh repeats it.
func TestGrantsAnswerIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		lose  func(w *town, s *Session) error
		token string
		err   error
	}{
		"at a provider that forgives": {func(*town, *Session) error { return errors.New("connection reset") }, "access after refresh-0", nil},
		"at one that does not":        {func(w *town, s *Session) error { _, err := w.p.loseAnswer(s); return err }, "", ErrNone},
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				w.asking(t, 5*time.Minute, "orders")
				w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
					if call == 1 {
						return Refreshed{}, c.lose(w, s)
					}
					return w.p.rotate(s.Tokens.Refresh)
				}
				w.wantNoGrant(t, w.one, w.resource("orders"), ErrNoToken)
				w.wantNoGrant(t, w.one, w.resource("orders"), ErrNoToken)
				if a := w.two.read(t, w.r).Attempt; a == nil || !a.Lost || w.p.calls != 1 {
					t.Fatalf("attempt %+v, %d calls", a, w.p.calls)
				}
				time.Sleep(justExpired)
				if got, err := w.token(t, w.two); got != c.token || !errors.Is(err, c.err) {
					t.Errorf("token = %q, %v", got, err)
				}
				if _, results := w.two.reported(); !slices.Contains(results, RefreshRepeated) || w.p.calls != 2 {
					t.Errorf("results %q, %d calls", results, w.p.calls)
				}
			})
		})
	}
}

// OAX-04: a refusal is remembered for seconds and never answered with another token; the session stands, and a later try may succeed.
func TestGrantIsRefused(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		b := newBureau()
		for name, answer := range map[string]func() (Granted, error){
			"by the provider": func() (Granted, error) { return Granted{}, fmt.Errorf("%w: access_denied", ErrGrantRefused) },
			"for what came it": func() (Granted, error) {
				g := granted("too broad", "", time.Hour)
				g.Refused = ErrGrantRefused
				return g, nil
			},
		} {
			before := b.count()
			b.answer = answer
			for range 10 {
				w.wantNoGrant(t, w.one, b.target("orders"), ErrGrantRefused)
			}
			if n := b.count() - before; n != 1 {
				t.Errorf("refused %s: %d calls", name, n)
			}
			time.Sleep(retryPause)
		}
		b.answer = nil
		w.wantGrant(t, w.two, b.target("orders"), "alice's 3. for orders by access-0")
		b.answer = func() (Granted, error) { return Granted{}, ErrGrantRefused }
		time.Sleep(almostExpired) // the grant is due, and alive
		w.wantNoGrant(t, w.one, b.target("orders"), ErrGrantRefused)
		if ended, _ := w.one.reported(); len(ended) != 0 {
			t.Errorf("ended %q", ended)
		}
	})
}

// A provider that consumed the refresh token and then refuses the resource has perhaps kept the next one: the token is sent once more, for
// the session itself, and for that resource never again, on no replica.
func TestResourceIsRefusedAfterTheTokenWasSpent(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.asking(t, 5*time.Minute, "orders", "users")
		refused := w.resource("orders")
		refused.Fetch = func(context.Context, *Session) (Granted, error) {
			w.p.calls++
			return Granted{}, fmt.Errorf("%w: invalid_target", ErrGrantRefused)
		}
		for range 5 {
			w.wantNoGrant(t, w.one, refused, ErrGrantRefused)
			w.wantNoGrant(t, w.two, refused, ErrGrantRefused)
			time.Sleep(2 * retryPause)
		}
		if w.p.calls != 1 {
			t.Errorf("the token was sent %d times", w.p.calls)
		}
		time.Sleep(justExpired)
		w.wantToken(t, w.two, "access after refresh-0")
		w.wantGrant(t, w.two, w.resource("users"), "users access after refresh-0+")
		if _, results := w.two.reported(); !slices.Equal(results, []string{RefreshRepeated, RefreshOK, RefreshOK}) {
			t.Errorf("results %q", results)
		}
	})
}

// An answer that brings a token for something else is not used, but the refresh token in it is the newest there is.
func TestRefreshTokenOfARefusedGrantIsKept(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.asking(t, 5*time.Minute, "orders")
		target := w.resource("orders")
		fetch := target.Fetch
		target.Fetch = func(ctx context.Context, s *Session) (Granted, error) {
			g, err := fetch(ctx, s)
			g.Refused = fmt.Errorf("%w: audience", ErrGrantRefused)
			return g, err
		}
		w.wantNoGrant(t, w.one, target, ErrGrantRefused)
		if s := w.two.read(t, w.r); s.Tokens.Refresh != "refresh-0+" || s.Attempt != nil || len(s.Grants) != 0 || s.Tokens.Access != "access-0" {
			t.Errorf("refresh token %q, attempt %+v, %d grants, access %q", s.Tokens.Refresh, s.Attempt, len(s.Grants), s.Tokens.Access)
		}
	})
}

// A resource that the sign-in did not ask for is not tried: some providers consume the refresh token and then refuse.
func TestResourceThatWasNotAskedFor(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.asking(t, 5*time.Minute, "users")
		w.wantNoGrant(t, w.one, w.resource("orders"), ErrNotAsked)
		if w.p.calls != 0 || w.st.count("lock") != 0 {
			t.Errorf("%d calls, %d locks", w.p.calls, w.st.count("lock"))
		}
	})
}

// Law 5: while the provider is down an old grant serves as long as it lives; then there is none, and the session stands. The provider is asked once in five seconds.
func TestProviderIsDownForGrants(t *testing.T) {
	for name, spends := range map[string]bool{"exchange": false, "refresh for a resource": true} {
		t.Run(name, func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				calls, down := 0, false
				w.asking(t, time.Hour, "orders")
				target := Target{Key: "orders", Spends: spends, Fetch: func(context.Context, *Session) (Granted, error) {
					calls++
					if down {
						return Granted{}, fmt.Errorf("%w: 503", ErrUnsent)
					}
					return granted("first", "", 5*time.Minute), nil
				}}
				w.wantGrant(t, w.one, target, "first")
				down = true
				time.Sleep(almostExpired)
				for range 10 {
					w.wantGrant(t, w.one, target, "first")
				}
				time.Sleep(7 * time.Second)
				for range 10 {
					w.wantNoGrant(t, w.one, target, ErrNoToken)
				}
				if s := w.one.read(t, w.r); calls != 3 || s.Attempt != nil {
					t.Errorf("%d calls, want 3; attempt %+v", calls, s.Attempt)
				}
				w.wantToken(t, w.one, "access-0")
			})
		})
	}
}

// Law 2: a session that ends while its grant is fetched stays ended; whoever waited gets nothing, and what came for it is given up.
func TestSessionEndsDuringAnExchange(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := w.two.read(t, w.r)
		target := Target{Key: "orders", Fetch: func(context.Context, *Session) (Granted, error) {
			if err := w.two.EndOne(t.Context(), s, "logout"); err != nil {
				t.Error(err)
			}
			return granted("too late", "", time.Hour), nil
		}}
		w.wantNoGrant(t, w.one, target, ErrNone)
		w.one.gone(t, w.r)
		synctest.Wait()
		if o := w.one.orphaned; len(o) != 1 || o[0].Tokens.Access != "too late" || o[0].Tokens.Refresh != "" {
			t.Errorf("%d orphaned", len(o))
		}
	})
}
