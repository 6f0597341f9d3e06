package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Close refuses further refreshes, waits for those under way, and does not wait longer than it is told.
func TestClose(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) {
			time.Sleep(8 * time.Second)
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		s := w.one.read(t, w.r)
		var asked sync.WaitGroup
		asked.Go(func() { w.wantToken(t, w.one, "access after refresh-0") })
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.one.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v, want to be told that it is not done", err)
		}
		begin := time.Now()
		if err := w.one.Close(t.Context()); err != nil || time.Since(begin) != 7*time.Second {
			t.Errorf("Close = %v after %v, want 7s", err, time.Since(begin))
		}
		asked.Wait()
		if _, err := w.one.AccessToken(t.Context(), s); !errors.Is(err, ErrNoToken) {
			t.Errorf("AccessToken after Close = %v, want ErrNoToken", err)
		}
	})
}
