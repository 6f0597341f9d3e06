package memory

import "time"

// expiring is a bounded map whose entries end at a time of their own. An ended entry is as if it were not there.
// It has no lock: the Store has.
type expiring[K comparable, V any] struct {
	entries map[K]entry[V]
	bound   int
	swept   time.Time // when a sweep last made room
	dropped func(K)   // hears what is removed; may be nil
}

// sweepPause keeps a full store from sweeping for every write that it refuses.
const sweepPause = time.Second

// entry is a value and when it ends.
type entry[V any] struct {
	value   V
	expires time.Time
}

func newExpiring[K comparable, V any](bound int) *expiring[K, V] {
	return &expiring[K, V]{entries: map[K]entry[V]{}, bound: bound}
}

// get returns what is there at now.
func (m *expiring[K, V]) get(k K, now time.Time) (entry[V], bool) {
	e, ok := m.entries[k]
	if ok && !e.expires.After(now) {
		m.del(k)
		return entry[V]{}, false
	}
	return e, ok
}

// room reports whether k can be put: it is there, or one more fits, perhaps after a sweep.
func (m *expiring[K, V]) room(k K, now time.Time) bool {
	if _, there := m.entries[k]; there || len(m.entries) < m.bound {
		return true
	}
	if now.Sub(m.swept) < sweepPause {
		return false
	}
	m.swept = now
	m.sweep(now)
	return len(m.entries) < m.bound
}

// put stores a value, whatever was there and whatever the bound: ask room first.
func (m *expiring[K, V]) put(k K, v V, expires time.Time) {
	m.entries[k] = entry[V]{v, expires}
}

// del removes a value.
func (m *expiring[K, V]) del(k K) {
	delete(m.entries, k)
	if m.dropped != nil {
		m.dropped(k)
	}
}

// sweep frees what has ended.
func (m *expiring[K, V]) sweep(now time.Time) {
	for k, e := range m.entries {
		if !e.expires.After(now) {
			m.del(k)
		}
	}
}
