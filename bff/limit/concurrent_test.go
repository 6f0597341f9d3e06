package limit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/limit"
)

// RL-08: only so many requests of one user are under way; each place is given back once, however a request ends.
func TestPlacesAreGivenBackOnce(t *testing.T) {
	l := limiter(t, settings(), limit.Deps{})
	s := compile(t, l, "/", limit.Limit{Concurrent: 2})
	take := func() (limit.Verdict, func()) { return s.Take(t.Context(), user("anna")) }
	for name, end := range map[string]func(done func()){
		"as usual":               func(done func()) { done() },
		"twice":                  func(done func()) { done(); done() },
		"from several sides":     func(done func()) { var all sync.WaitGroup; all.Go(done); all.Go(done); all.Go(done); all.Wait() },
		"by a panic":             func(done func()) { defer func() { _ = recover() }(); defer done(); panic("broken") },
		"twice, after the next":  func(done func()) { done(); _, next := take(); done(); next() },
		"after one that was not": func(done func()) { _, refused := take(); refused(); refused(); done() },
	} {
		_, other := take()
		v, done := take()
		if !v.Allow {
			t.Fatalf("%s: the second is refused", name)
		}
		if v, refused := take(); v.Allow || v.Reason != limit.ReasonConcurrent || v.Limit != "user-concurrent" || v.RetryAfter <= 0 {
			t.Errorf("%s: the third: %+v", name, v)
		} else {
			refused()
		}
		if v, done := s.Take(t.Context(), user("berta")); !v.Allow {
			t.Errorf("%s: somebody else is refused", name)
		} else {
			done()
		}
		end(done)
		v, again := take()
		if !v.Allow {
			t.Errorf("%s: the place is not given back", name)
		}
		if v, _ := take(); v.Allow {
			t.Errorf("%s: two places are given back", name)
		}
		again()
		other()
	}
}

// A request that is refused for its rate holds no place, although nobody calls done; and one without a place is not counted.
func TestRateAndPlacesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, limit.Limit{Rate: "3/1h"}, limit.Limit{Concurrent: 1})
		_, first := s.Take(t.Context(), user("anna"))
		if ask(t, s, user("anna"), 50) != 0 {
			t.Fatal("two at the same time")
		}
		first()
		if got := ask(t, s, user("anna"), 50); got != 2 {
			t.Errorf("%d allowed, want the 2 that are left of 3", got)
		}
		for range 3 {
			time.Sleep(2 * time.Second) // so that it is judged anew, not remembered
			if v, _ := s.Take(t.Context(), user("anna")); v.Reason != limit.ReasonRate {
				t.Errorf("a refusal is for %q", v.Reason)
			}
		}
	})
}

// However many come at once: never more under way than may be, and in the end everything is free.
func TestACrowdSharesPlaces(t *testing.T) {
	const places = 3
	s := inMemory(t, limit.Limit{Concurrent: places})
	var underway, allowed atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 500 {
				v, done := s.Take(t.Context(), user("anna"))
				if v.Allow {
					allowed.Add(1)
					if n := underway.Add(1); n > places {
						t.Errorf("%d under way, want at most %d", n, places)
					}
					underway.Add(-1)
				}
				done()
			}
		})
	}
	all.Wait()
	for range places {
		if v, _ := s.Take(t.Context(), user("anna")); !v.Allow {
			t.Error("a place was lost")
		}
	}
	if allowed.Load() < 500 {
		t.Errorf("%d allowed: the test shows little", allowed.Load())
	}
}
