package limit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/limit"
)

var errAway = errors.New("gives no answer")

// away is a store that never answers. A call to it takes no time: what that costs is the script's to bound.
func away(context.Context, []string, ...any) ([]int64, error) { return nil, errAway }

// RL-05: what holds while the store is away is what each limit says.
func TestAnOutageIsWhatALimitSays(t *testing.T) {
	const hour, burst = "100/1h", 10
	for _, c := range []struct {
		name        string
		outage      string
		replicas    int
		report      bool
		allowed     int // of 100 at once
		unavailable bool
	}{
		{"local counts", "local", 1, false, 10, false},
		{"local is the default", "", 1, false, 10, false},
		{"local is a part, rounded down", "local", 3, false, 3, false},
		{"a part is one at least", "local", 30, false, 1, false},
		{"open lets through", "open", 1, false, 100, false},
		{"closed refuses", "closed", 1, false, 0, true},
		{"closed, but only to be reported", "closed", 1, true, 100, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := settings()
			cfg.Replicas = c.replicas
			l := limiter(t, cfg, limit.Deps{Run: away})
			s := compile(t, l, "/", limit.Limit{Rate: hour, Burst: burst, Outage: c.outage, ReportOnly: c.report})
			if got := ask(t, s, user("anna"), 100); got != c.allowed {
				t.Errorf("of 100 at once %d were allowed, want %d", got, c.allowed)
			}
			v, _ := s.Take(t.Context(), user("anna"))
			if v.Unavailable != c.unavailable || c.unavailable && (v.Reason != limit.ReasonOutage || v.RetryAfter <= 0 || v.Allow) {
				t.Errorf("verdict %+v", v)
			}
			if asked := c.outage == "open" || c.outage == "closed"; asked && !errors.Is(v.Err, errAway) {
				t.Errorf("the cause is %v", v.Err)
			}
		})
	}
}

// A part is one of the rate, too, not of the burst alone.
func TestAPartOfTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := settings()
		cfg.Replicas = 4
		s := compile(t, limiter(t, cfg, limit.Deps{Run: away}), "/", limit.Limit{Rate: "60/1m", Burst: 8})
		allowed := 0
		for range 100 {
			allowed += ask(t, s, user("anna"), 5)
			time.Sleep(time.Second)
		}
		if allowed < 24 || allowed > 27 {
			t.Errorf("in 100s %d were allowed, want a quarter of 100 and of 8", allowed)
		}
	})
}

// One limit that is closed refuses for all, and then nothing is counted; a refusal for its rate says more than the outage.
func TestOutagesOfSeveralLimits(t *testing.T) {
	down := atomic.Bool{}
	down.Store(true)
	run := func(ctx context.Context, keys []string, args ...any) ([]int64, error) {
		if down.Load() && strings.Contains(keys[0], "{shared-") {
			return nil, errAway
		}
		return make([]int64, 1+len(keys)), nil
	}
	cfg := settings()
	cfg.Shared = map[string]limit.Limit{"closed": {Rate: "1/1h", Outage: "closed"}, "shut": {Rate: "1/1h", Outage: "closed"}, "local": {Rate: "1/1h"}, "open": {Rate: "1/1h", Outage: "open"}}
	l := limiter(t, cfg, limit.Deps{Run: run, Cluster: true})
	own := limit.Limit{Rate: "9/1h"}
	for _, c := range []struct {
		shared      []string
		allowed     int
		unavailable bool
	}{
		{[]string{"open"}, 5, false},
		{[]string{"local"}, 1, false},
		{[]string{"open", "local"}, 0, false}, // the one before has used it up
		{[]string{"closed"}, 0, true},
		{[]string{"open", "closed"}, 0, true},
		{[]string{"closed", "shut"}, 0, true},
	} {
		limits := []limit.Limit{own}
		for _, name := range c.shared {
			limits = append(limits, limit.Limit{Shared: name})
		}
		s := compile(t, l, "/"+strings.Join(c.shared, "-"), limits...)
		if got := ask(t, s, user("anna"), 5); got != c.allowed {
			t.Errorf("%q: %d of 5 allowed, want %d", c.shared, got, c.allowed)
		}
		if v, _ := s.Take(t.Context(), user("anna")); v.Unavailable != c.unavailable || v.Allow != (c.allowed == 5) {
			t.Errorf("%q: %+v", c.shared, v)
		}
	}
}

// A store that speaks nonsense is away.
func TestNonsenseIsAnOutage(t *testing.T) {
	for _, answer := range [][]int64{nil, {}, {0}, {0, 1, 2}} {
		run := func(context.Context, []string, ...any) ([]int64, error) { return answer, nil }
		s := compile(t, limiter(t, settings(), limit.Deps{Run: run}), "/", limit.Limit{Rate: "2/1h", Outage: "closed"})
		if v, _ := s.Take(t.Context(), user("anna")); v.Allow || !v.Unavailable || v.Err == nil {
			t.Errorf("%v: %+v", answer, v)
		}
	}
}

// A flood of somebody who has used a limit up costs the store one call a second. Others are not held up by it, and he is not held up for longer.
func TestAFloodCostsOneCallASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, start := 0, time.Now()
		run := func(_ context.Context, keys []string, args ...any) ([]int64, error) { // one in 10 seconds
			calls++
			if until := time.Until(start.Add(10 * time.Second)); until > 0 && calls > 1 {
				return []int64{1, until.Microseconds()}, nil
			}
			return []int64{0, args[0].(int64)}, nil
		}
		s := compile(t, limiter(t, settings(), limit.Deps{Run: run}), "/", limit.Limit{Rate: "6/1m", Burst: 1})
		for time.Since(start) < 10*time.Second {
			v, _ := s.Take(t.Context(), user("anna"))
			if want := time.Until(start.Add(10 * time.Second)); time.Since(start) > 0 && (v.Allow || v.RetryAfter < want || v.RetryAfter > want+time.Second) {
				t.Fatalf("%s after the first: %+v", time.Since(start), v)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if calls > 11 {
			t.Errorf("1000 requests in 10s were %d calls", calls)
		}
		if v, _ := s.Take(t.Context(), user("anna")); !v.Allow {
			t.Errorf("after its time: %+v", v)
		}
	})
}

// What the store has forgotten, after a flush, say, is forgotten here within a second.
func TestARefusalIsNotBelievedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := int64(1)
		run := func(context.Context, []string, ...any) ([]int64, error) {
			return []int64{refused, refused * time.Hour.Microseconds()}, nil
		}
		s := compile(t, limiter(t, settings(), limit.Deps{Run: run}), "/", limit.Limit{Rate: "1/1h"})
		if ask(t, s, user("anna"), 1) != 0 {
			t.Fatal("allowed")
		}
		refused = 0
		if ask(t, s, user("anna"), 1) != 0 {
			t.Error("asked again at once")
		}
		time.Sleep(time.Second)
		if ask(t, s, user("anna"), 1) != 1 {
			t.Error("refused a second later")
		}
	})
}

// Limits of one request are one call, on a cluster one for each slot, at the same time. The keys of a call lie in one slot there.
func TestAllLimitsAreOneCall(t *testing.T) {
	cfg := settings()
	cfg.Shared = map[string]limit.Limit{"search": {Rate: "9/1m", Per: "ip"}, "write": {Rate: "9/1m"}}
	limits := []limit.Limit{{Rate: "9/1m"}, {Rate: "99/1h"}, {Rate: "9/1m", Per: "route"}, {Concurrent: 3}, {Shared: "search"}, {Shared: "write"}}
	for _, cluster := range []bool{false, true} {
		want := map[bool]int{false: 1, true: 3}[cluster]
		calls := make(chan []string, 9)
		underway, all := make(chan struct{}, 9), make(chan struct{})
		run := func(_ context.Context, keys []string, args ...any) ([]int64, error) {
			calls <- keys
			underway <- struct{}{}
			if len(underway) == want {
				close(all)
			}
			<-all // all are under way at the same time, or this hangs
			return make([]int64, 1+len(keys)), nil
		}
		l := limiter(t, cfg, limit.Deps{Run: run, Cluster: cluster, Prefix: "mine"})
		v, done := compile(t, l, "/{braces}", limits...).Take(t.Context(), user("anna"))
		done()
		if !v.Allow || len(calls) != want {
			t.Errorf("on a cluster: %t: %d calls, want %d", cluster, len(calls), want)
		}
		close(calls)
		var keys []string
		for call := range calls {
			for _, key := range call {
				if cluster && slot(key) != slot(call[0]) {
					t.Errorf("one call has %q and %q", key, call[0])
				}
				if !strings.HasPrefix(key, "mine:r:{") || slices.Contains(keys, key) || strings.Count(key, "{") != 1 || strings.Contains(key, "anna") || strings.Contains(key, "192") {
					t.Errorf("key %q", key)
				}
				keys = append(keys, key)
			}
		}
		if len(keys) != 5 {
			t.Errorf("%d keys, want 5", len(keys))
		}
	}
}

// slot is what decides on which server of a cluster a key is.
func slot(key string) string {
	_, after, _ := strings.Cut(key, "{")
	tag, _, _ := strings.Cut(after, "}")
	return tag
}
