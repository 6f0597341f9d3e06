package session

import (
	"sync/atomic"
	"time"
)

// instant is a time on two clocks, in nanoseconds. The monotonic one does not jump, but stands still while a machine sleeps; the wall clock does not sleep,
// but is set. What may be too old must not be so on either.
type instant struct{ mono, wall int64 }

// instant takes a time on both clocks.
func (c *copies) instant(t time.Time) instant {
	return instant{mono: int64(t.Sub(c.begun)), wall: t.UnixNano()}
}

// add is d later.
func (i instant) add(d time.Duration) instant { return instant{i.mono + int64(d), i.wall + int64(d)} }

// within reports whether less than d has passed since then. A wall clock that was set back tells nothing, so the answer is no.
func (i instant) within(d time.Duration, then instant) bool {
	mono, wall := i.mono-then.mono, i.wall-then.wall
	return mono < int64(d) && wall < int64(d) && wall >= 0
}

// use is what a process knows of a session beside its content. It outlives versions, since a write keeps the expiry.
type use struct {
	touched    atomic.Int64 // when this process last moved the idle timeout, milliseconds since 1970
	mono, wall atomic.Int64 // from when on the store has to be asked; two clocks, each right for itself
}

// until notes from when on the store has to be asked.
func (u *use) until(i instant) {
	u.mono.Store(i.mono)
	u.wall.Store(i.wall)
}

// lasts reports whether the store need not be asked yet.
func (u *use) lasts(i instant) bool { return i.mono < u.mono.Load() && i.wall < u.wall.Load() }

// claimTouch reports whether a touch is due, and takes it: of many concurrent requests one gets true. The previous time is for giving it back.
func (u *use) claimTouch(now time.Time, every time.Duration) (previous int64, due bool) {
	previous = u.touched.Load()
	if now.UnixMilli()-previous < every.Milliseconds() {
		return previous, false
	}
	return previous, u.touched.CompareAndSwap(previous, now.UnixMilli())
}
