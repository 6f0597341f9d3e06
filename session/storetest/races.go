package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"cloakroom/session"
)

// runRaces runs writers against each other. Each race is run several times: the order is the machine's.
func runRaces(t *testing.T, open func(t *testing.T) Subject) {
	for name, race := range map[string]func(*teller){
		"of many creators one wins":                                    oneCreator,
		"of many updates of a version one wins, for every version":     oneUpdatePerVersion,
		"a write that is repeated while others write counts once":      repeatsCountOnce,
		"whatever runs beside an end, the session is gone":             endWins,
		"of many who lock one has it, and nobody frees another's lock": oneLock,
		"of many who claim one has it, however often each asks":        oneClaim,
		"of many who join within a limit as many stay as may":          limitHolds,
		"beside a mark a member is refused or listed":                  listedOrRefused,
	} {
		for i := range 5 {
			each(t, fmt.Sprintf("%s/%d", name, i), open, func(t *testing.T, s Subject) { race(&teller{t: t, Subject: s}) })
		}
	}
}

// writers is how many take part in a race.
const writers = 8

// together runs f for each writer at once and counts the answers. It calls no t.Fatal outside the test's goroutine.
func together(f func(writer int) string) map[string]int {
	var (
		mu      sync.Mutex
		answers = map[string]int{}
		start   = make(chan struct{})
		all     sync.WaitGroup
	)
	for i := range writers {
		all.Go(func() {
			<-start
			a := f(i)
			mu.Lock()
			defer mu.Unlock()
			answers[a]++
		})
	}
	close(start)
	all.Wait()
	return answers
}

// letter is a writer's write ID or owner.
func letter(writer int) string { return string(rune('A' + writer)) }

// won checks that one writer had want and all others the other answer.
func (r *teller) won(answers map[string]int, want, other string) {
	r.t.Helper()
	if answers[want] != 1 || answers[other] != writers-1 {
		r.t.Fatalf("answers %v, want one %s and %d %s", answers, want, writers-1, other)
	}
}

func oneCreator(r *teller) {
	expires := r.Now().Add(time.Hour)
	r.won(together(func(w int) string {
		return answer("ok", r.Store.Create(r.t.Context(), r.id("s"), record("1"+letter(w)), expires))
	}), "ok", "conflict")
}

func oneUpdatePerVersion(r *teller) {
	tell(r.t, r.Subject, "create s A 1h = ok")
	for version := 2; version < 8; version++ {
		r.won(together(func(w int) string {
			return answer("ok", r.Store.Update(r.t.Context(), r.id("s"), record(fmt.Sprint(version)+letter(w))))
		}), "ok", "conflict")
	}
}

func repeatsCountOnce(r *teller) {
	tell(r.t, r.Subject, "create s A 1h = ok")
	answers := together(func(int) string {
		return answer("ok", r.Store.Update(r.t.Context(), r.id("s"), record("2B")))
	})
	if answers["ok"] != writers {
		r.t.Fatalf("answers %v to the same write, want %d ok", answers, writers)
	}
	tell(r.t, r.Subject, `
		read s = 2B
		update s 3C = ok`)
}

func endWins(r *teller) {
	tell(r.t, r.Subject, "create s A 1h = ok")
	expires := r.Now().Add(2 * time.Hour)
	answers := together(func(w int) string {
		ctx, id := r.t.Context(), r.id("s")
		switch w % 4 {
		case 0:
			existed, err := r.Store.End(ctx, id, time.Minute, "logout")
			return "end " + answer(fmt.Sprint(existed), err)
		case 1:
			return "create " + answer("ok", r.Store.Create(ctx, id, record("1X"), expires))
		case 2:
			return "update " + answer("ok", r.Store.Update(ctx, id, record("2"+letter(w))))
		default:
			_, err := r.Store.Touch(ctx, id, expires)
			return "touch " + answer("moved or not", err)
		}
	})
	if answers["end true"] != 1 || answers["create ok"] != 0 || answers["touch moved or not"] != writers/4 {
		r.t.Fatalf("answers %v, want one end that found the session, no create, no error", answers)
	}
	tell(r.t, r.Subject, `
		read s = none
		create s A 1h = ended`)
}

func oneLock(r *teller) {
	r.won(together(func(w int) string {
		taken, err := r.Store.Lock(r.t.Context(), r.id("s"), write(letter(w)), time.Minute)
		if !taken && err == nil {
			err = r.Store.Unlock(r.t.Context(), r.id("s"), write(letter(w)))
		}
		return answer(fmt.Sprint(taken), err)
	}), "true", "false")
	tell(r.t, r.Subject, "lock s Z 1m = false")
}

func oneClaim(r *teller) {
	r.won(together(func(w int) string {
		var last string
		for range 3 {
			first, err := r.Store.Claim(r.t.Context(), r.name("n"), write(letter(w)), time.Minute)
			got := answer(fmt.Sprint(first), err)
			if last != "" && got != last {
				return got + " after " + last
			}
			last = got
		}
		return last
	}), "true", "false")
}

// listedOrRefused is the race of a logout with a callback: a member that the mark did not see must have been refused.
func listedOrRefused(r *teller) {
	expires := r.Now().Add(time.Hour)
	var listed int
	answers := together(func(w int) string {
		if w == 0 {
			members, err := r.Store.MarkIndex(r.t.Context(), r.index("k"), second(r.t, "5"), time.Minute)
			listed = len(members)
			return "mark " + answer("ok", err)
		}
		m := session.Member{ID: r.id(letter(w))}
		return answer("ok", r.Store.AddIndex(r.t.Context(), r.index("k"), m, second(r.t, "5"), expires))
	})
	if answers["ok"] != listed || answers["ok"]+answers["ended"] != writers-1 || answers["mark ok"] != 1 {
		r.t.Fatalf("answers %v with %d listed, want as many listed as added and the others refused", answers, listed)
	}
}
