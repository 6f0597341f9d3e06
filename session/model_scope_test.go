package session_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"cloakroom/session/memory"
)

// scope is a small story whose every course is tried: each order of its steps, and each failure that its allowance has, at each step.
type scope struct {
	may    allowance
	signIn bool // the session is there from the beginning, its token used up
	ops    func(w *world, v *visitor) []*op
	// staleness is that of copies.
	staleness time.Duration
}

// search tries all courses of a scope. A state that was reached before is not gone on from again: same state, same future.
type search struct {
	next    map[uint64][]uint64 // by state, the state after each choice so far; 0 is the end
	open    []course
	runs    int
	repeats int
	longest int
}

// course is a path of choices, and the state in which the last one is made.
type course struct {
	path []int
	from uint64
}

// explore returns what broke, with the story, or "".
func (s *search) explore(t *testing.T, sc scope) (failure string) {
	s.next, s.open = map[uint64][]uint64{}, []course{{}}
	for len(s.open) > 0 {
		c := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		s.runs++
		synctest.Test(t, func(t *testing.T) { failure = s.run(t, sc, c) })
		if failure != "" {
			return fmt.Sprintf("course %v: %s", c.path, failure)
		}
	}
	return ""
}

// run goes along a path of choices and then always takes the first, leaving the others for later.
func (s *search) run(t *testing.T, sc scope, c course) string {
	cryptotest.SetGlobalRandom(t, 1)
	st := memory.New(memory.Config{MaxSessions: 100}, memory.Now(time.Now))
	defer st.Close()
	w := newWorld(t, st, setting{processes: 2, staleness: sc.staleness, alone: 1})
	defer w.close()
	v := w.visitor("alice", "sid-1")
	if sc.signIn {
		w.through(&op{kind: "start", p: w.processes[0], starts: v})
		if sc.staleness == 0 {
			w.rest(5 * time.Minute)
		}
	}
	w.ops = append(w.ops, sc.ops(w, v)...)
	if s.follow(w, sc.may, c) && w.failure == "" && sc.staleness == 0 { // what is only about hearing has nothing to heal
		w.heal()
	}
	s.repeats += w.repeats
	if w.failure != "" {
		return w.failure + "\n" + w.story()
	}
	return ""
}

// follow makes the choices of a course and further ones. It answers false where it came to a state that was there before.
func (s *search) follow(w *world, may allowance, c course) bool {
	for step := 0; w.failure == ""; step++ {
		all := slices.Concat(w.beginnings(), w.choices(&may), w.hearings(), w.losses(&may))
		if len(all) == 0 {
			break
		}
		if step == len(c.path) {
			state := w.state(may)
			s.next[c.from] = append(s.next[c.from], state)
			if !s.further(state, c.path, len(all)) {
				return false
			}
			c = course{append(c.path[:step:step], 0), state}
		}
		if c.path[step] >= len(all) {
			w.broken("this course is not the same twice")
			return false
		}
		w.take(all[c.path[step]])
		s.longest = max(s.longest, step+1)
	}
	s.next[c.from] = append(s.next[c.from], 0)
	return true
}

// further leaves the other choices of a state that is new for later.
func (s *search) further(state uint64, path []int, choices int) bool {
	if _, seen := s.next[state]; seen {
		return false
	}
	s.next[state] = nil
	for i := 1; i < choices; i++ {
		s.open = append(s.open, course{append(append(make([]int, 0, len(path)+1), path...), i), state})
	}
	return true
}

// courses is how many ways lead from a state to an end: what the search stands for.
func (s *search) courses(from uint64, known map[uint64]float64) float64 {
	if n, ok := known[from]; ok {
		return n
	}
	n := 0.0
	for _, to := range s.next[from] {
		if to == 0 {
			n++
			continue
		}
		n += s.courses(to, known)
	}
	known[from] = n
	return n
}

// beginnings are the ops that may begin.
func (w *world) beginnings() (all []choice) {
	for _, o := range w.ops {
		if !o.begun && !o.p.dead {
			all = append(all, choice{"let " + o.p.name + " begin", 1000, func() { w.begin(o) }, false})
		}
	}
	return all
}

// visitor is a new sign-in, whose ID token is of now.
func (w *world) visitor(user, sid string) *visitor {
	v := &visitor{name: fmt.Sprint("s", len(w.visitors)+1), user: user, sid: sid, issued: time.Now()}
	w.visitors = append(w.visitors, v)
	w.families[v.name] = &family{}
	return v
}

// through brings an op to its end, without failures.
func (w *world) through(o *op) error {
	w.named(o)
	w.ops = append(w.ops, o)
	w.mu.Lock()
	w.begin(o)
	w.mu.Unlock()
	w.settle()
	w.rest(0)
	return o.err
}

func (w *world) named(o *op) { o.name = fmt.Sprint("#", len(w.ops)+1) }

// rest lets d pass, and then whatever is under way come to its end, without failures.
func (w *world) rest(d time.Duration) {
	for until := time.Now().Add(d); w.failure == ""; {
		if all := w.choices(&allowance{}); len(all) > 0 {
			w.take(all[0])
			continue
		}
		if !time.Now().Before(until) {
			return
		}
		w.take(choice{"rest", 0, func() { w.sleep(time.Until(until), true) }, true})
	}
}

// heal ends all failures and sees whether everything works: who is still signed in gets a token, an honest sign-in works, a logout finds all, and after it the next honest sign-in works.
func (w *world) heal() {
	w.mu.Lock()
	w.note("everything works again")
	for _, p := range w.processes {
		w.thaw(p)
		if p.ear != nil {
			p.ear.slow = false
			p.ear.catchUp()
		}
	}
	w.start()
	if f := w.set.fickle; f != nil {
		f.behind, f.copied = false, len(f.writes)
	}
	w.mu.Unlock()
	w.rest(time.Minute)
	users := map[string]bool{}
	for _, v := range w.visitors {
		users[v.user] = true
		for _, p := range w.processes {
			if p.dead || v.request == nil || v.gone || w.failure != "" {
				continue
			}
			if err := w.through(&op{kind: "request", p: p, about: v}); err != nil && !isNone(err) {
				w.broken("%s got %v for %s although everything works again", p.name, err, v.name)
			}
		}
	}
	for user := range users {
		w.relive(user, w.processes[len(w.processes)-1])
	}
}

// relive signs a user in, out by the provider, and in again.
func (w *world) relive(user string, p *process) {
	w.rest(time.Second)
	if w.set.limit > 0 { // what died on its way counts for a minute
		if err := w.through(&op{kind: "backchannel", p: p, end: &ending{user: user, issued: time.Now()}}); err != nil {
			w.broken("the logout of %s: %v", user, err)
		}
		w.rest(2*time.Minute + slack)
	}
	for range 2 {
		if w.failure != "" {
			return
		}
		if err := w.through(&op{kind: "start", p: p, starts: w.visitor(user, "sid-new")}); err != nil {
			w.broken("the next honest sign-in of %s: %v", user, err)
		}
		w.rest(time.Second)
		if err := w.through(&op{kind: "backchannel", p: p, end: &ending{user: user, issued: time.Now()}}); err != nil {
			w.broken("the logout of %s: %v", user, err)
		}
		w.rest(time.Second)
	}
	for _, v := range w.visitors {
		if v.user == user && v.id != "" && !v.unlisted {
			if _, err := w.store.Read(w.t.Context(), v.id); err == nil {
				w.broken("the logout of %s did not find %s", user, v.name)
			}
		}
	}
}
