package idp

// bounded is a map that drops its oldest entry when it is full. It does no locking.
type bounded[V any] struct {
	max     int
	entries map[string]V
	order   []string // keys, oldest first; may name entries that are gone
	gone    func(V)  // told of each entry that was dropped; may be nil
}

func newBounded[V any](max int, gone func(V)) *bounded[V] {
	return &bounded[V]{max: max, entries: map[string]V{}, gone: gone}
}

func (b *bounded[V]) get(key string) (V, bool) {
	v, ok := b.entries[key]
	return v, ok
}

func (b *bounded[V]) put(key string, v V) {
	if _, known := b.entries[key]; !known {
		b.makeRoom()
		b.order = append(b.order, key)
	}
	b.entries[key] = v
}

// makeRoom drops the oldest entries until one more fits.
func (b *bounded[V]) makeRoom() {
	for len(b.entries) >= b.max || len(b.order) >= 2*b.max {
		oldest := b.order[0]
		b.order = b.order[1:]
		if v, live := b.entries[oldest]; live {
			delete(b.entries, oldest)
			if b.gone != nil {
				b.gone(v)
			}
		}
	}
}

func (b *bounded[V]) remove(key string) { delete(b.entries, key) }
