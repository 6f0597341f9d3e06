package limit_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/limit"
)

// withinLimit checks that no span of time holds more than burst and rate together. Each admission was at some moment between begin and end; what surely lies in
// a span is counted.
type admission struct{ begin, end time.Time }

func withinLimit(t *testing.T, all []admission, r limit.Rate, burst int) {
	t.Helper()
	slices.SortFunc(all, func(a, b admission) int { return a.end.Compare(b.end) })
	for _, first := range all {
		n := 0
		for _, a := range all {
			if a.begin.Before(first.begin) {
				continue
			}
			n++
			span := a.end.Sub(first.begin) + time.Microsecond // as exact as clocks are
			if most := float64(burst) + float64(r.Count)*span.Seconds()/r.Period.Seconds(); float64(n) > most {
				t.Fatalf("%d admitted within %s, want at most %.1f at %v and a burst of %d", n, span, most, r, burst)
			}
		}
	}
}

// chance is a limit and arrivals that follow from a seed.
type chance struct {
	*rand.Rand
	limit limit.Limit
	rate  limit.Rate
	burst int
}

func newChance(seed uint64, text string) chance {
	random := rand.New(rand.NewPCG(seed, 5))
	burst := 1 + random.IntN(30)
	r, err := limit.ParseRate(text)
	if err != nil {
		panic(err)
	}
	return chance{random, limit.Limit{Rate: text, Burst: burst}, r, burst}
}

// RL-01, for one process: whatever the arrivals, it decides like a bucket of tokens, and no span of time holds more than burst and rate.
func TestNoSpanHoldsMoreThanBurstAndRate(t *testing.T) {
	rates := []string{"7/1s", "100/1m", "3/1h", "10000/1s", "1/24h", "59/1m", "6999/2s"}
	for seed := range uint64(42) {
		synctest.Test(t, func(t *testing.T) {
			c := newChance(seed, rates[seed%uint64(len(rates))])
			s := inMemory(t, c.limit)
			each := c.rate.Period / time.Duration(c.rate.Count)
			var all []admission
			tokens, refused := float64(c.burst), 0
			for range 400 {
				pause := time.Duration(c.Int64N(int64(each)))
				if c.IntN(8) == 0 {
					pause = time.Duration(c.Int64N(int64(5 * each)))
				}
				time.Sleep(pause)
				tokens = min(float64(c.burst), tokens+pause.Seconds()*float64(c.rate.Count)/c.rate.Period.Seconds())
				allowed := ask(t, s, user("anna"), 1) == 1
				blur := 1e-6 * float64(c.rate.Count) / c.rate.Period.Seconds()   // it knows the time to a microsecond
				if allowed && tokens < 0.9999-blur || !allowed && tokens > 1.5 { // the interval is rounded up
					t.Fatalf("seed %d: with %f tokens, allowed: %t", seed, tokens, allowed)
				}
				if !allowed {
					refused++
					continue
				}
				tokens--
				all = append(all, admission{time.Now(), time.Now()})
			}
			withinLimit(t, all, c.rate, c.burst)
			if c.burst < 10 && refused < 20 {
				t.Errorf("seed %d: only %d of 400 refused", seed, refused)
			}
		})
	}
}
