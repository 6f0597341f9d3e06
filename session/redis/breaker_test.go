package redis

import (
	"errors"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

// BenchmarkBreaker is what the breaker adds to a command, with as many goroutines as there are processors.
func BenchmarkBreaker(b *testing.B) {
	own := newBreaker(&atomic.Int64{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := own.ask(b.Context(), func() error { return nil }); err != nil {
				b.Error(err)
			}
		}
	})
}

// A closed store, and what a server says, count for nothing; only silence does. What came of the command is passed on as it was.
func TestBreakerJudges(t *testing.T) {
	silence := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		err  error
		left bool // alone, afterwards
	}{
		"an answer":           {nil, false},
		"none is an answer":   {goredis.Nil, false},
		"the store is closed": {goredis.ErrClosed, false},
		"silence":             {silence, true},
	} {
		b := newBreaker(&atomic.Int64{})
		for range tripAfter {
			if err := b.ask(t.Context(), func() error { return c.err }); !errors.Is(err, c.err) {
				t.Errorf("%s: passed on as %v", name, err)
			}
		}
		err := b.ask(t.Context(), func() error { return nil })
		if errors.Is(err, errLeftAlone) != c.left {
			t.Errorf("%s: afterwards %v", name, err)
		}
		if failed := b.failing.Load() != 0; failed != c.left {
			t.Errorf("%s: noted as a failure: %t", name, failed)
		}
	}
}
