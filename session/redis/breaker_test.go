package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// BenchmarkBreaker is what the breaker adds to a command, with as many goroutines as there are processors.
func BenchmarkBreaker(b *testing.B) {
	own := newBreaker(&health{})
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
		b := newBreaker(&health{})
		for range tripAfter {
			if err := b.ask(t.Context(), func() error { return c.err }); !errors.Is(err, c.err) {
				t.Errorf("%s: passed on as %v", name, err)
			}
		}
		err := b.ask(t.Context(), func() error { return nil })
		if errors.Is(err, errLeftAlone) != c.left {
			t.Errorf("%s: afterwards %v", name, err)
		}
		if failed := b.health.failing.Load() != 0; failed != c.left {
			t.Errorf("%s: noted as a failure: %t", name, failed)
		}
	}
}

// stall has n commands under way at the same time, none of which is answered for as long as it takes.
func stall(b *breaker, n int, takes time.Duration) (asked int) {
	var all sync.WaitGroup
	var count atomic.Int64
	for range n {
		all.Go(func() {
			_ = b.ask(context.Background(), func() error {
				count.Add(1)
				time.Sleep(takes)
				return errSlow
			})
		})
	}
	all.Wait()
	return int(count.Load())
}

// An answer is one whenever its command was begun: a stall that had an answer does not count with a later one.
func TestBreakerForgetsAStallWithAnyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(&health{})
		var slow sync.WaitGroup
		slow.Go(func() { // begun before the first failure, and answered after it
			_ = b.ask(t.Context(), func() error { time.Sleep(2 * time.Second); return nil })
		})
		synctest.Wait()
		stall(b, 1, time.Second)
		slow.Wait()
		stall(b, 500, time.Second) // the next one, perhaps hours later
		if err := b.ask(t.Context(), func() error { return nil }); err != nil {
			t.Errorf("after one stall: %v", err)
		}
	})
}

// However many commands one stall fails, the server is asked again; a server that fails those, too, is left alone, but for one command at a time.
func TestBreakerCountsStallsNotCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &health{}
		b, s := newBreaker(h), &Store{health: h}
		answer := func() error { return b.ask(t.Context(), func() error { return nil }) }
		for range 10 {
			stall(b, 500, time.Second)
			if err := answer(); err != nil {
				t.Fatalf("after one stall: %v", err)
			}
		}
		for range 2 { // begun one after the other
			if asked := stall(b, 500, time.Second); asked != 500 {
				t.Errorf("of 500 commands %d were tried", asked)
			}
		}
		if err := answer(); !errors.Is(err, errLeftAlone) {
			t.Errorf("after two stalls without an answer: %v", err)
		}
		if got := s.Health(); !got.LeftAlone || got.Opened != 1 {
			t.Errorf("left alone: %+v", got)
		}
		for range 3 {
			time.Sleep(askAgain + time.Millisecond)
			if asked := stall(b, 500, time.Second); asked != 1 {
				t.Errorf("%d commands ask at a time whether it is back", asked)
			}
		}
		time.Sleep(askAgain + time.Millisecond)
		for range 10 {
			if err := answer(); err != nil {
				t.Errorf("after an answer: %v", err)
			}
		}
		if got := s.Health(); got.LeftAlone || got.Opened != 1 {
			t.Errorf("back again: %+v", got)
		}
	})
}

// A few commands that fail one after the other are an accident, and the server is asked. A server that nobody wants any more is not left alone for ever.
func TestBreakerIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &health{}
		b, s := newBreaker(h), &Store{health: h}
		for range 3 {
			for range tripAfter - 1 {
				stall(b, 1, time.Second)
			}
			if err := b.ask(t.Context(), func() error { return goredis.Nil }); !errors.Is(err, goredis.Nil) {
				t.Fatalf("after %d failures: %v", tripAfter-1, err)
			}
		}
		for range tripAfter {
			stall(b, 1, time.Millisecond)
		}
		if !s.Health().LeftAlone {
			t.Error("a server that refuses is asked on and on")
		}
		time.Sleep(aloneFor)
		if s.Health().LeftAlone {
			t.Error("counts as left alone although nobody asks")
		}
	})
}
