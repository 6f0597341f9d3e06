package session_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/configs/secret"
	"cloakroom/session"
)

// The most important stories again, on the real stores: what the tests inside the package show on a small stand-in.

// SES-20, V-12: over two processes and three expiries a single-use provider is asked three times, and everybody gets the new token.
func TestOneRefreshOnRealStores(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		r := w.signIn(w.both[0], w.alice())
		for expiry := range 3 {
			w.clock.pass(5*time.Minute + time.Second)
			want := "accessrefresh" + strings.Repeat("+", expiry+1)
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					if got, err := token(w.both[i%2], r); err != nil || got != want {
						t.Errorf("expiry %d: token %q, %v; want %q", expiry, got, err, want)
					}
				})
			}
			all.Wait()
		}
		if w.provider.calls != 3 || w.provider.reused != 0 {
			t.Errorf("%d calls, %d of them with a used token; want 3 and 0", w.provider.calls, w.provider.reused)
		}
	})
}

// BCL-22: a logout that overtakes the create wins, wherever in the sign-in it comes; the next sign-in works.
func TestLogoutOvertakesTheCreate(t *testing.T) {
	for name, sid := range map[string]string{"by sid": "sid-1", "by subject": ""} {
		t.Run(name, func(t *testing.T) {
			onBothStores(t, func(t *testing.T, w *twins) {
				s := w.alice()
				logout := func() {
					if _, err := w.both[1].EndByProvider(t.Context(), s.Issuer, s.Subject, sid, s.IssuedAt); err != nil {
						t.Errorf("logout: %v", err)
					}
				}
				w.stores[0].before = func(string) { logout() } // the index has the session, the store not yet
				refused := func(when string) {
					answer := httptest.NewRecorder()
					if err := w.both[0].Start(t.Context(), answer, w.alice()); !errors.Is(err, session.ErrEnded) {
						t.Errorf("%s: start = %v, want ErrEnded", when, err)
					}
					if len(answer.Result().Cookies()) != 0 {
						t.Errorf("%s: a cookie was set", when)
					}
				}
				refused("before the create")
				w.stores[0].before = nil
				refused("before the index")
				next := w.alice()
				next.IssuedAt = next.IssuedAt.Add(time.Second)
				w.signIn(w.both[0], next)
			})
		})
	}
}

// RPL-03: a session that ends while its refresh is on the way stays ended, on both processes, and the new tokens are given back.
func TestNothingRevives(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		r := w.signIn(w.both[0], w.alice())
		w.clock.pass(5*time.Minute + time.Second)
		s, err := w.both[1].FromRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		w.provider.before = func() {
			if err := w.both[1].EndOne(t.Context(), s, "logout"); err != nil {
				t.Errorf("end: %v", err)
			}
		}
		if got, err := token(w.both[0], r); !errors.Is(err, session.ErrNone) {
			t.Errorf("token %q, %v; want ErrNone", got, err)
		}
		w.gone(r)
		if err := w.both[0].KeepAlive(t.Context(), s); !errors.Is(err, session.ErrNone) {
			t.Errorf("keep alive = %v, want ErrNone", err)
		}
		if _, err := w.both[1].AccessToken(t.Context(), s); !errors.Is(err, session.ErrNone) {
			t.Errorf("refresh of what was read before = %v, want ErrNone", err)
		}
		w.gone(r)
		if w.ended.Load() != 1 || w.orphaned.Load() != 1 {
			t.Errorf("%d ended, %d given back; want 1 and 1", w.ended.Load(), w.orphaned.Load())
		}
	})
}

// SES-22, V-01: requests, keep-alives, refreshes and sign-outs of one session at once: afterwards it is gone and stays so.
func TestTouchesRaceWithTheEnd(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		for range 10 {
			w.provider.valid = "refresh"
			r := w.signIn(w.both[0], w.alice())
			w.clock.pass(5 * time.Minute)
			s, err := w.both[0].Peek(r)
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for i := range 8 {
				m := w.both[i%2]
				all.Go(func() { _, _ = token(m, r) })
				all.Go(func() { _ = m.KeepAlive(t.Context(), s) })
			}
			all.Go(func() {
				if err := w.both[1].End(t.Context(), s.ID(), "admin"); err != nil {
					t.Errorf("end: %v", err)
				}
			})
			all.Wait()
			w.gone(r)
		}
	})
}

// SES-08: secrets rotate by the documented order while old and new processes run beside each other, and nobody is signed out.
func TestSecretsRotateUnderWay(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		steps := [][]secret.String{{firstSecret}, {firstSecret, secondSecret}, {secondSecret, firstSecret}, {secondSecret}}
		stage := func(i int) *session.Manager { return w.manager(w.stores[i%2], config(steps[i]...)) }
		w.provider.valid = "refresh"
		r := w.signIn(stage(0), w.alice())
		for i := range 2 {
			old, next := stage(i), stage(i+1)
			w.clock.pass(5*time.Minute + time.Second)
			fresh, err := token(next, r) // seals it again
			if err != nil {
				t.Fatalf("step %d: %v", i+1, err)
			}
			if got, err := token(old, r); err != nil || got != fresh {
				t.Errorf("step %d: the old process: token %q, %v; want %q", i+1, got, err, fresh)
			}
		}
		if _, err := token(stage(3), r); err != nil {
			t.Errorf("a session that was sealed again outlives its first secret: %v", err)
		}
		// Somebody who rotates in the wrong order: no session for the old process, and nothing is lost.
		if _, err := token(stage(0), r); !errors.Is(err, session.ErrNone) {
			t.Errorf("unknown secret: %v, want ErrNone", err)
		}
		if _, err := token(stage(2), r); err != nil {
			t.Errorf("after a process that does not know the secret: %v", err)
		}
	})
}
