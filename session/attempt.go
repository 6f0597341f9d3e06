package session

import "time"

// What may be done with a refresh token, given the attempt on record.
type verdict int

const (
	// send: nothing is on record, or an attempt of unknown outcome that may be repeated now.
	send verdict = iota
	// spent: the attempt and its one repeat have both no known outcome. The token is never sent again.
	spent
)

// maxRepeats is how often a token is sent again after an answer that was lost.
const maxRepeats = 1

// judge decides what a holder of the lock may do. prev is the attempt on record: an attempt whose outcome was learned is not on record any more, so
// any that is there was killed, stopped or cut off. Its call is over, if the lock is still ours: whoever made it keeps the lock until then, by the store's clock, and
// no two clocks are compared. repeats is for the next attempt.
func judge(prev *Attempt) (v verdict, repeats int) {
	switch {
	case prev == nil:
		return send, 0
	case prev.Repeats >= maxRepeats:
		return spent, 0
	}
	// A token may pass here although it was sent before: without the repeat, every lost answer would cost the user a
	// sign-in, even with providers that do not rotate or that allow for it.
	return send, prev.Repeats + 1
}

// due reports whether the access token should be replaced: when a tenth of its life is left, at least a second and at most a
// minute before its end, and never in its first half. Sessions are spread over up to the later half of that margin by their ID, the same for each request: a
// roll per request would always find the earliest.
func due(s *Session, now time.Time) bool {
	return dueWithin(s.Tokens.Issued, s.Tokens.Expires, s.id, now)
}

func dueWithin(issued, expires time.Time, id ID, now time.Time) bool {
	left := expires.Sub(now)
	if left > time.Minute {
		return false // the usual case
	}
	return left <= margin(expires.Sub(issued), id)
}

func margin(life time.Duration, id ID) time.Duration {
	m := min(max(life/10, time.Second), time.Minute)
	m -= (m - time.Second) / 2 * spread(id) / 256
	return min(m, life/2)
}

// spread is a number from 0 to 255 that the session ID, a hash itself, gives for free.
func spread(id ID) time.Duration {
	var n uint16
	for i := range min(8, len(id)) {
		n = n*31 + uint16(id[i])
	}
	return time.Duration(n & 255)
}
