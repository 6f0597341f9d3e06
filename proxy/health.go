package proxy

import (
	"sync"
	"sync/atomic"
	"time"
)

// Health, the rule. One thing decides whether a server of an upstream is asked: whether it is left alone. It is, for a while, after so many failures in
// a row as `health.failures` says, whether they were the users' requests that got no answer or our own checks. Then one probe decides: our check, where
// `health.path` says how, else one user's request. A probe that fails doubles the while; one that succeeds lets the server back.
//
// An answer of whatever status is an answer. What a route's handlers do with a request is theirs; only a check looks at the status.
//
// Where checks are made, only they let a server back: one that says it is about to stop may still answer well.
const (
	firstWhile = time.Second
	longest    = 30 * time.Second
	probeTime  = 5 * time.Second // until another request may be the probe, where the first is still on its way
)

// evidence is what tells about a server's health.
type evidence int

const (
	byRequest evidence = iota
	byCheck
)

// health is what is known of one server.
type health struct {
	limit   int  // failures in a row
	checked bool // checks are made, so that they are the probes

	alone    atomic.Int64 // until when the server is left alone, in Unix nanoseconds; 0: it is not
	troubled atomic.Bool  // there is something below that a success would change

	mu      sync.Mutex // guards what follows
	inRow   [2]int     // failures, by evidence
	whiles  int        // that went by without a success
	probing bool       // a user's request is the probe
	last    time.Time  // failure
}

// leftAlone reports whether the server is.
func (h *health) leftAlone() bool { return h.alone.Load() != 0 }

// takes reports whether a request may go to the server: it is not left alone, or this request is the probe.
func (h *health) takes(now time.Time) bool {
	until := h.alone.Load()
	switch {
	case until == 0:
		return true
	case h.checked || now.UnixNano() < until:
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.alone.Load() != until { // another was faster
		return false
	}
	h.probing = true
	h.alone.Store(now.Add(probeTime).UnixNano())
	return true
}

// failed takes note of a failure. It returns how long the server is left alone from now on, or 0 if that has not changed.
func (h *health) failed(by evidence, now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.troubled.Store(true)
	h.last = now
	h.inRow[by]++
	if h.leftAlone() {
		if by == byRequest && !h.probing { // it was on its way before, or there was no other server to ask
			return 0
		}
	} else if h.inRow[by] < h.limit {
		return 0
	}
	while := min(firstWhile<<min(h.whiles, 10), longest)
	h.whiles++
	h.probing = false
	h.alone.Store(now.Add(while).UnixNano())
	return while
}

// succeeded takes note of a success, and reports whether it lets the server back. While all is well it costs one load.
func (h *health) succeeded(by evidence) (back bool) {
	if !h.troubled.Load() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leftAlone() && h.checked && by == byRequest {
		return false
	}
	h.inRow[by] = 0
	if back = h.leftAlone(); back {
		h.inRow, h.whiles, h.probing = [2]int{}, 0, false
		h.alone.Store(0)
	}
	h.troubled.Store(h.inRow != [2]int{})
	return back
}

// lastFailure is when the server failed last.
func (h *health) lastFailure() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// nextCheck is when to check again: after interval, or when the server is not left alone any more.
func (h *health) nextCheck(now time.Time, interval time.Duration) time.Duration {
	if until := h.alone.Load(); until != 0 {
		return max(time.Unix(0, until).Sub(now), 0)
	}
	return interval
}
