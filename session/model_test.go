package session_test

import (
	"flag"
	"maps"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// The model: a few processes on one store, a provider that takes each refresh token once and revokes all for a used one, and a scheduler that lets one step
// happen at a time and decides about each whether it happens, whether its answer arrives, who dies, who stops, and when time passes. After every step:
//
//   - once an end was acknowledged, no request that begins later gets the session, and the store never has it again; not when marks have expired either
//   - a sign-in that a logout is about leaves no session, as long as the logout's mark lives
//   - a refresh token is sent with its attempt on record, never while an earlier call may be under way, never after an answer that was known, and at most twice
//   - nothing is refreshed that is fresh
//   - a request gets its own user's session and token
//   - what is written expires
//   - a session in the store is in its indexes
//   - a session is gone for a reason only: an end that has begun, its expiry, or a failure in the midst of its refresh
//   - where nothing went wrong, nothing fails; and when everything works again, everything does
//
// In the long stories a setting is thrown, too:
//
//   - processes keep copies and hear of writes late, in another order as far as Redis allows it, or not at all: an ended session is then served for staleness at most, and not by
//     who has heard of the end or made it
//   - clocks differ by seconds: all of the above holds, but that expiries are off by as much
//   - a user may have so many sessions: once a sign-in was answered well there are no more
//   - the store's replica takes over without the last writes, acknowledged as they are. Where ends and refreshes wait for the replica, no end that was acknowledged is undone, and no
//     attempt that is on the replica is made twice. What did not wait is counted.
//
// Short stories are searched through, long ones are thrown by dice.

// stressed tells whether there is time for all there is.
func stressed() bool { return os.Getenv("CLOAKROOM_STRESS") != "" }

// stress is for how long a test runs: a share of CLOAKROOM_STRESS, a duration, or else short.
func stress(t *testing.T, short time.Duration, share int) time.Duration {
	t.Helper()
	if !stressed() {
		return short
	}
	text := os.Getenv("CLOAKROOM_STRESS")
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("CLOAKROOM_STRESS=%q: want a duration, such as 5m", text)
	}
	return d / time.Duration(share)
}

func request(p int) func(w *world, v *visitor) *op {
	return func(w *world, v *visitor) *op { return &op{kind: "request", p: w.processes[p], about: v} }
}

// use is the part of a request after its session was read.
func use(p int) func(w *world, v *visitor) *op {
	return func(w *world, v *visitor) *op { return &op{kind: "use", p: w.processes[p], about: v} }
}

// uses are three, of one process alone.
func uses(w *world, v *visitor) []*op {
	return []*op{{name: "#one", kind: "uses", p: w.processes[0], about: v}}
}

// refused is uses with a provider that revoked the sign-in.
func refused(w *world, v *visitor) []*op {
	w.revoke(v)
	return uses(w, v)
}

// looks are two requests that process A reads, and in between or beside them process B ends the session.
func looks(w *world, v *visitor) []*op {
	w.processes[0].ear.slow = true
	return []*op{
		{name: "#one", kind: "look", p: w.processes[0], about: v},
		{name: "#end", kind: "end", p: w.processes[1], about: v},
		{name: "#two", kind: "look", p: w.processes[0], about: v},
	}
}

// looksLater is a request after the end, of which process A has not heard yet, but has a copy. A ping was answered just before.
func looksLater(w *world, v *visitor) []*op {
	w.through(&op{kind: "look", p: w.processes[0], about: v})
	w.processes[0].ear.slow = true
	w.rest(600 * time.Millisecond)
	w.through(&op{kind: "end", p: w.processes[1], about: v})
	return []*op{{name: "#two", kind: "look", p: w.processes[0], about: v}}
}

func logout(w *world, v *visitor) *op { return &op{kind: "logout", p: w.processes[1], about: v} }

func backchannel(user, sid string) func(w *world, v *visitor) *op {
	return func(w *world, _ *visitor) *op {
		return &op{kind: "backchannel", p: w.processes[1], end: &ending{user: user, sid: sid, issued: time.Now()}}
	}
}

func signIn(w *world, v *visitor) *op { return &op{kind: "start", p: w.processes[0], starts: v} }

func both(one, two func(w *world, v *visitor) *op) func(w *world, v *visitor) []*op {
	return func(w *world, v *visitor) []*op {
		ops := []*op{one(w, v), two(w, v)}
		ops[0].name, ops[1].name = "#one", "#two"
		return ops
	}
}

// stories are what the two processes of a scope are asked.
var stories = []struct {
	name   string
	signIn bool
	long   bool // for make stress
	alone  bool // one process: there is time for two failures
	ops    func(w *world, v *visitor) []*op
}{
	{"refresh and refresh", true, false, false, both(use(0), use(1))},
	{"request and request", true, true, false, both(request(0), request(1))},
	{"refresh and logout", true, false, false, both(request(0), logout)},
	{"refresh and back-channel, all", true, false, false, both(request(0), backchannel("alice", ""))},
	{"refresh and back-channel, by sid", true, true, false, both(request(0), backchannel("alice", "sid-1"))},
	{"refresh and refresh and refresh", true, false, true, uses},
	{"a refresh that is refused, and another", true, false, true, refused},
	{"a sign-in and back-channel, all", false, false, false, both(signIn, backchannel("alice", ""))},
	{"a sign-in and back-channel, by sid", false, false, false, both(signIn, backchannel("alice", "sid-1"))},
}

// Laws 2 and 3, SES-20, SES-21, SES-22, BCP-20, RPL-03, BCL-22: two processes and a short story, in every order of its steps, with each failure at each step.
func TestModelOfEveryCourse(t *testing.T) {
	failures := map[string]allowance{"one dies": {crashes: 1}, "an answer is lost": {losses: 1}, "one stops": {long: 1}}
	if stressed() {
		failures["a pause"] = allowance{short: 1}
		failures["late"] = allowance{late: 1, long: 1}
		failures["a death and a loss"] = allowance{crashes: 1, losses: 1}
		failures["two losses"] = allowance{losses: 2}
	}
	for _, story := range stories {
		failures := maps.Clone(failures)
		if story.alone {
			failures["two answers are lost"] = allowance{losses: 2}
		}
		if story.long && !stressed() {
			continue
		}
		for what, may := range failures {
			t.Run(story.name+"/"+what, func(t *testing.T) {
				s := search{}
				begun := time.Now()
				failure := s.explore(t, scope{may: may, signIn: story.signIn, ops: story.ops})
				if failure != "" {
					t.Fatal(failure)
				}
				t.Logf("%.4g courses of up to %d steps: %d states in %d runs, %d refresh tokens repeated, %v",
					s.courses(0, map[uint64]float64{}), s.longest, len(s.next)-1, s.runs, s.repeats, time.Since(begun).Round(time.Millisecond))
			})
		}
	}
}

// Law 2, SES-22, RPL-03: a process that keeps copies hears of an end late, in every order in which it may hear, read and serve, with each loss and each time in between.
func TestModelOfEveryHearing(t *testing.T) {
	type hearing struct {
		may allowance
		ops func(w *world, v *visitor) []*op
	}
	hearings := map[string]hearing{
		"answers are late":  {allowance{late: 1}, looks},
		"time passes":       {allowance{short: 3}, looksLater},
		"an answer is lost": {allowance{losses: 1}, looks},
	}
	if stressed() {
		hearings["a subscription is lost"] = hearing{allowance{late: 1, deaf: 1, short: 1}, looks}
	}
	for what, c := range hearings {
		t.Run(what, func(t *testing.T) {
			s := search{}
			begun := time.Now()
			if failure := s.explore(t, scope{may: c.may, signIn: true, ops: c.ops, staleness: 2 * time.Second}); failure != "" {
				t.Fatal(failure)
			}
			t.Logf("%.4g courses of up to %d steps: %d states in %d runs, %v",
				s.courses(0, map[uint64]float64{}), s.longest, len(s.next)-1, s.runs, time.Since(begun).Round(time.Millisecond))
		})
	}
}

var modelSeed = flag.Uint64("seed", 0, "the one story of TestModelOfLongStories to play")

// Laws 2 and 3 again, SES-20, SES-21, SES-22, BCP-20, RPL-03, BCL-22: long stories, as many as there is time for.
func TestModelOfLongStories(t *testing.T) {
	playSeeds(t, stress(t, 6*time.Second, 1), func(t *testing.T, seed uint64) (string, *world) {
		return wander(t, nil, setting{}, seed, 150)
	})
}

// playSeeds plays the story of one seed after the other, as many as there is time for, or the one of -seed.
func playSeeds(t *testing.T, most time.Duration, play func(t *testing.T, seed uint64) (failure string, w *world)) {
	t.Helper()
	until := time.Now().Add(most)
	seed := uint64(1)
	if stressed() {
		seed = uint64(time.Now().Unix()) * 1000 // other stories each time
	}
	if *modelSeed != 0 {
		seed, until = *modelSeed, time.Now()
	}
	first, repeats, undone, sessions := seed, 0, 0, 0
	for ; seed == first || time.Now().Before(until); seed++ {
		var failure string
		synctest.Test(t, func(t *testing.T) {
			var w *world
			failure, w = play(t, seed)
			repeats, undone, sessions = repeats+w.repeats, undone+w.undone, sessions+len(w.visitors)
		})
		if failure != "" {
			t.Fatalf("seed %d: %s\nagain: go test ./session -run %s -seed=%d", seed, failure, t.Name(), seed)
		}
	}
	t.Logf("the stories of seeds %d to %d: %d sessions, %d refresh tokens repeated after an unknown outcome, %d writes undone by failovers",
		first, seed-1, sessions, repeats, undone)
}
