package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"cloakroom/session"
)

// limited makes both processes hold users to a limit.
func (w *twins) limited(most int, onLimit string) {
	w.t.Helper()
	cfg := config(firstSecret)
	cfg.MaxPerUser, cfg.OnLimit = most, onLimit
	for i := range w.both {
		w.both[i] = w.manager(w.stores[i], cfg)
	}
}

// start signs alice in at m, with a session at the provider of its own; the request is nil where it was refused.
func (w *twins) start(m *session.Manager, sid string, replaces ...session.ID) (*session.Session, *http.Request, error) {
	s := w.alice()
	s.ProviderSession = sid
	answer := httptest.NewRecorder()
	if err := m.Start(w.t.Context(), answer, s, replaces...); err != nil {
		if len(answer.Result().Cookies()) != 0 {
			w.t.Errorf("a cookie in spite of %v", err)
		}
		return s, nil, err
	}
	return s, browser(w.t, answer), nil
}

// must is start for a sign-in that has to work.
func (w *twins) must(m *session.Manager, sid string, replaces ...session.ID) (*session.Session, *http.Request) {
	w.t.Helper()
	s, r, err := w.start(m, sid, replaces...)
	if err != nil {
		w.t.Fatalf("sign-in %s: %v", sid, err)
	}
	return s, r
}

// alive counts the requests that still have a session.
func (w *twins) alive(requests []*http.Request) (n int) {
	w.t.Helper()
	for _, r := range requests {
		_, err := w.both[0].FromRequest(r)
		w.check("request", err, session.ErrNone)
		if err == nil {
			n++
		}
	}
	return n
}

// REV-04: twenty sign-ins at once on two replicas, with a limit of three, leave exactly three sessions, whichever way the limit is kept.
func TestLimitHoldsForParallelSignIns(t *testing.T) {
	for _, onLimit := range []string{"end_oldest", session.OnLimitRefuse} {
		t.Run(onLimit, func(t *testing.T) {
			onBothStores(t, func(t *testing.T, w *twins) {
				w.limited(3, onLimit)
				var all sync.WaitGroup
				requests := make([]*http.Request, 20)
				for i := range requests {
					all.Go(func() {
						_, r, err := w.start(w.both[i%2], "sid")
						w.check("start", err, session.ErrTooMany, session.ErrEnded)
						if errors.Is(err, session.ErrEnded) && onLimit == session.OnLimitRefuse {
							t.Errorf("start: %v, where nothing ends a session", err)
						}
						requests[i] = r
					})
				}
				all.Wait()
				var signedIn []*http.Request
				for _, r := range requests {
					if r != nil {
						signedIn = append(signedIn, r)
					}
				}
				if n := w.alive(signedIn); n != 3 {
					t.Errorf("%d sessions live, want 3", n)
				}
				s, err := w.both[0].FromRequest(firstAlive(t, w, signedIn))
				if err != nil {
					t.Fatal(err)
				}
				if devices, err := w.both[1].Devices(t.Context(), s); err != nil || len(devices) != 3 {
					t.Errorf("%d devices, %v; want 3", len(devices), err)
				}
			})
		})
	}
}

func firstAlive(t *testing.T, w *twins, requests []*http.Request) *http.Request {
	t.Helper()
	for _, r := range requests {
		if w.alive([]*http.Request{r}) == 1 {
			return r
		}
	}
	t.Fatal("nobody is signed in")
	return nil
}

func TestTheNewestSignInsWin(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		w.limited(2, "end_oldest")
		_, one := w.must(w.both[0], "1")
		_, two := w.must(w.both[1], "2")
		_, three := w.must(w.both[0], "3")
		w.gone(one)
		if w.alive([]*http.Request{two, three}) != 2 {
			t.Error("the newer ones do not both live")
		}
	})
}

func TestARefusedSignInChangesNothing(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		w.limited(2, session.OnLimitRefuse)
		first, one := w.must(w.both[0], "1")
		_, two := w.must(w.both[1], "2")
		if _, _, err := w.start(w.both[1], "3"); !errors.Is(err, session.ErrTooMany) {
			t.Fatalf("start = %v, want ErrTooMany", err)
		}
		if w.alive([]*http.Request{one, two}) != 2 || w.ended.Load() != 0 {
			t.Error("a session ended")
		}
		if err := w.both[0].EndOne(t.Context(), first, "logout"); err != nil {
			t.Fatal(err)
		}
		w.must(w.both[1], "3") // a sign-out makes room at once
	})
}

// A session that the sign-in replaces makes room by itself: nobody is refused, and no other device signed out, for signing in again in the same browser.
func TestWhatIsReplacedDoesNotCount(t *testing.T) {
	for _, onLimit := range []string{"end_oldest", session.OnLimitRefuse} {
		t.Run(onLimit, func(t *testing.T) {
			onBothStores(t, func(t *testing.T, w *twins) {
				w.limited(2, onLimit)
				_, one := w.must(w.both[0], "1")
				old, _ := w.must(w.both[1], "2")
				_, again := w.must(w.both[0], "3", old.ID())
				if err := w.both[0].End(t.Context(), old.ID(), "replaced"); err != nil {
					t.Fatal(err)
				}
				if w.alive([]*http.Request{one, again}) != 2 {
					t.Error("the other device was signed out")
				}
			})
		})
	}
}

// A session that expired is no reason to refuse anybody, however long its index entry stays. But one whose entry has just been added may be about to be
// created: it counts, although no record is there.
func TestWhatExpiredDoesNotCount(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		w.limited(1, session.OnLimitRefuse)
		s, _ := w.must(w.both[0], "1")
		var want error
		if w.vanish != nil { // no test can let an hour of Redis' clock pass
			w.vanish(s.ID())
			want = session.ErrTooMany
		} else {
			w.clock.pass(31 * time.Minute)
		}
		if _, _, err := w.start(w.both[1], "2"); !errors.Is(err, want) {
			t.Fatalf("start = %v, want %v", err, want)
		}
	})
}

// A limit that cannot be kept is no sign-in: where an old session cannot be ended, the new one goes again.
func TestLimitThatCannotBeKept(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		w.limited(1, "end_oldest")
		_, one := w.must(w.both[0], "1")
		w.stores[1].failEnds.Store(1)
		refused, _, err := w.start(w.both[1], "2")
		if !errors.Is(err, errNotEnded) {
			t.Fatalf("start = %v, want the outage", err)
		}
		if _, err := w.stores[0].TTL(t.Context(), refused.ID()); !errors.Is(err, session.ErrNone) {
			t.Errorf("the refused session's time to live: %v, want ErrNone", err)
		}
		if w.alive([]*http.Request{one}) != 1 {
			t.Error("the old session is gone")
		}
		_, two := w.must(w.both[1], "2")
		w.gone(one)
		if w.alive([]*http.Request{two}) != 1 {
			t.Error("the next sign-in does not live")
		}
	})
}

var errNotEnded = errors.New("the end was not written")

// End implements session.Store.
func (b *between) End(ctx context.Context, id session.ID, mark time.Duration, reason string) (bool, error) {
	if b.failEnds.Add(-1) >= 0 {
		return false, errNotEnded
	}
	return b.Store.End(ctx, id, mark, reason)
}
