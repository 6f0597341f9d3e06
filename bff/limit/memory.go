package limit

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// remembered is how many users, addresses and so on are counted in memory at most, of each kind. Who has not come for longest is forgotten,
// and starts anew: to be forgotten on purpose takes that many others.
const remembered = 1 << 16

// patience is how long a refusal is believed without asking the store again; for Peek, which asks nobody, for as long as it holds.
const (
	patience = int64(time.Second / time.Microsecond)
	forever  = int64(longest + slowest)
)

// memory is what one process counts. Its clock starts with it.
type memory struct {
	now  func() time.Time
	born time.Time

	mu sync.Mutex
	// points are the points in time that quota speaks of: of users and others that proved who they are, and of addresses. Addresses are
	// plenty: they must not push the others out.
	points [2]*simplelru.LRU[id, int64]
	// full are those that were refused, until when.
	full *simplelru.LRU[id, denial]

	places   sync.Mutex
	underway map[id]int // never 0
}

// denial says from when on one more may come through, and when that was learned.
type denial struct{ free, learned int64 }

func newMemory(now func() time.Time) *memory {
	m := &memory{now: now, born: now(), underway: map[id]int{}}
	for i := range m.points {
		m.points[i], _ = simplelru.NewLRU[id, int64](remembered, nil) // fails for sizes below 1
	}
	m.full, _ = simplelru.NewLRU[id, denial](remembered, nil)
	return m
}

// micros is the time since it was born, in microseconds.
func (m *memory) micros() int64 { return m.now().Sub(m.born).Microseconds() }

// take counts into all of the rules, or into none if one that is enforced refuses. It answers which refuse, and how far each is ahead.
func (m *memory) take(rules []rule, which mask, sub *subjects) (refused mask, ahead [most]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.micros()
	enforced := false
	for i := range rules {
		if !which.has(i) {
			continue
		}
		r := &rules[i]
		point, _ := m.of(sub, i).Get(sub.ids[i])
		var mended bool
		if ahead[i], mended = r.part.ahead(point, now); mended {
			m.of(sub, i).Add(sub.ids[i], now+ahead[i])
		}
		if !r.part.admits(ahead[i]) {
			refused |= 1 << i
			enforced = enforced || !r.report
		}
	}
	for i := range rules {
		if enforced || !which.has(i) || refused.has(i) {
			continue
		}
		ahead[i] += rules[i].part.interval
		m.of(sub, i).Add(sub.ids[i], now+ahead[i])
	}
	return refused, ahead
}

func (m *memory) of(sub *subjects, i int) *simplelru.LRU[id, int64] {
	if sub.address.has(i) {
		return m.points[1]
	}
	return m.points[0]
}

// deny remembers that nobody more comes through for so long.
func (m *memory) deny(who id, wait int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.micros()
	m.full.Add(who, denial{now + wait, now})
}

// denied is for how much longer nobody comes through, as far as it was learned since so long.
func (m *memory) denied(who id, since int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full.Len() == 0 {
		return 0
	}
	d, ok := m.full.Get(who)
	now := m.micros()
	switch {
	case !ok:
		return 0
	case d.free <= now:
		m.full.Remove(who)
		return 0
	case now-d.learned >= since:
		return 0
	}
	return d.free - now
}

// enter takes a place in all of the rules, or in none if one that is enforced is full. It answers which are full, and how many places each has left.
func (m *memory) enter(rules []rule, sub *subjects) (full, entered mask, left [most]int64) {
	m.places.Lock()
	defer m.places.Unlock()
	enforced := false
	for i := range rules {
		r := &rules[i]
		if r.concurrent == 0 || !sub.counted.has(i) {
			continue
		}
		entered |= 1 << i
		left[i] = int64(r.concurrent - m.underway[sub.ids[i]])
		if left[i] <= 0 {
			full |= 1 << i
			enforced = enforced || !r.report
		}
	}
	if enforced {
		return full, 0, left
	}
	for i := range rules {
		if entered.has(i) {
			m.underway[sub.ids[i]]++
			left[i]--
		}
	}
	return full, entered, left
}

// leave gives the places back.
func (m *memory) leave(ids *[most]id, entered mask) {
	m.places.Lock()
	defer m.places.Unlock()
	for i := range ids {
		if !entered.has(i) {
			continue
		}
		if m.underway[ids[i]]--; m.underway[ids[i]] == 0 {
			delete(m.underway, ids[i])
		}
	}
}
