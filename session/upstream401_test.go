package session

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An upstream's 401 causes one refresh for all who met it, and one a minute at most, whatever the upstream says.
func TestUpstreamRefusesTheToken(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := w.one.read(t, w.r)
		other := func(h *house, want string) {
			t.Helper()
			if got, err := h.OtherToken(t.Context(), s); err != nil || got.Tokens.Access != want {
				t.Errorf("OtherToken = %v, %v", got, err)
			}
		}
		other(w.one, "access after refresh-0")
		other(w.two, "access after refresh-0") // read the session before; does not refresh
		if w.p.calls != 1 {
			t.Errorf("%d refreshes", w.p.calls)
		}
		s = w.one.read(t, w.r)
		other(w.one, "access after refresh-0") // itself: no use in another try
		time.Sleep(forcePause)
		other(w.one, "access after refresh-0+")
		if w.p.calls != 2 {
			t.Errorf("%d refreshes", w.p.calls)
		}
	})
}

// All requests that met the same 401 get the token of the one refresh, and one that only wants a token that lives gets one, too.
func TestManyMeetAnUpstreams401(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) {
			time.Sleep(300 * time.Millisecond)
			return w.p.rotate(s.Tokens.Refresh)
		}
		ones, twos := w.one.read(t, w.r), w.two.read(t, w.r)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				s, err := w.one.OtherToken(t.Context(), ones)
				if i%2 == 1 {
					s, err = w.two.OtherToken(t.Context(), twos)
				}
				if err != nil || s.Tokens.Access != "access after refresh-0" {
					t.Errorf("OtherToken = %v, %v", s, err)
				}
			})
		}
		all.Wait()
		if w.p.calls != 1 {
			t.Errorf("%d refreshes", w.p.calls)
		}
	})
}

// A provider that answers a refresh with the access token that was there is not asked a second time: that would spend another refresh token for nothing.
func TestTheSameTokenAgainCostsOneRefresh(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := w.one.read(t, w.r)
		w.p.answer = func(context.Context, *Session, int) (Refreshed, error) {
			return Refreshed{Tokens: Tokens{Access: "access-0", Refresh: "refresh-1", Expires: time.Now().Add(time.Hour)}}, nil
		}
		if other, err := w.one.OtherToken(t.Context(), s); err != nil || other.Tokens.Access != "access-0" || w.p.calls != 1 {
			t.Errorf("%v, %v after %d refreshes", other, err, w.p.calls)
		}
	})
}

// Who wants a token that lives, and meets a flight that was content with less, gets one all the same.
func TestFlightThatWasContentWithLess(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := w.one.read(t, w.r)
		w.one.pauses.mayForce(errandKey{id: s.ID()}, time.Now().Add(justExpired)) // the minute's chance is gone
		time.Sleep(justExpired)
		w.st.before = func(op string) error {
			if op == "lock" {
				time.Sleep(time.Second)
			}
			return nil
		}
		var all sync.WaitGroup
		all.Go(func() {
			if s, err := w.one.OtherToken(t.Context(), s); err != nil || s.Tokens.Access != "access-0" {
				t.Errorf("OtherToken = %v, %v", s, err)
			}
		})
		synctest.Wait()
		w.wantToken(t, w.one, "access after refresh-0")
		all.Wait()
	})
}
