package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// inSkewedTown is inTown with a second process whose clock is off by a little, and by much.
func inSkewedTown(t *testing.T, test func(t *testing.T, w *town, off time.Duration)) {
	for _, off := range []time.Duration{-time.Minute, -5 * time.Second, 5 * time.Second, time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				w.two = newHouse(t, w.st.view(), w.p, func(_ *Config, d *Deps) {
					d.Now = func() time.Time { return time.Now().Add(off) }
				})
				test(t, w, off)
			})
		})
	}
}

// SES-20: replicas whose clocks differ, as far as clocks do, still refresh once an expiry.
func TestClocksDiffer(t *testing.T) {
	inSkewedTown(t, func(t *testing.T, w *town, _ time.Duration) {
		for range 600 {
			for _, h := range []*house{w.two, w.one} {
				if _, err := w.token(t, h); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		if w.p.calls != 2 || w.p.reused != 0 {
			t.Errorf("%d calls, %d with a used token, in ten minutes; want 2 and 0", w.p.calls, w.p.reused)
		}
	})
}

// SES-21: a process dies in its call. Its lease is judged by the store's clock alone, so whatever the other's clock says, the repeat does not come before the lease
// is over, nor much later.
func TestClockOfTheOtherIsOff(t *testing.T) {
	inSkewedTown(t, func(t *testing.T, w *town, _ time.Duration) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			if call == 1 {
				w.st.breakWith(errDown) // the first process reaches nothing any more
				return Refreshed{}, errors.New("connection reset")
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired + time.Minute) // by every clock
		begin := time.Now()
		go func() { _, _ = w.token(t, w.one) }()
		synctest.Wait()
		for {
			if got, err := w.token(t, w.two); err == nil && got == "access after refresh-0" {
				break
			}
			time.Sleep(time.Second)
		}
		earliest, latest := 20*time.Second, 27*time.Second
		if took := time.Since(begin); took < earliest || took > latest {
			t.Errorf("repeated after %v, want between %v and %v", took, earliest, latest)
		}
	})
}
