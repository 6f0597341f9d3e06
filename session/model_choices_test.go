package session_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"cloakroom/session"
)

// What the scheduler may do next. Each choice has a name, for the trace, and a weight, for chance; the exhaustive search takes them all.

type choice struct {
	name   string
	weight int
	do     func()
	free   bool // time passes while it is done
}

// allowance is how much may still go wrong in a run.
type allowance struct {
	crashes   int // processes that die
	losses    int // answers or requests that are lost
	late      int // answers that come later than what they answer takes effect; requests that come when nobody waits any more
	unsent    int // calls that the provider did not take
	short     int // times that pass until something happens, although messages wait
	long      int // times that pass beyond every lease
	deaf      int // subscriptions that are late or lost
	failovers int
}

// longTime is beyond a lease of the refresh lock, and within a request's patience.
const longTime = 25 * time.Second

// choices lists what may happen to messages, and whether time may pass, in an order that depends on nothing but the run so far.
func (w *world) choices(a *allowance) []choice {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.parked, func(x, y *message) int {
		return cmp.Or(cmp.Compare(x.from.name, y.from.name), cmp.Compare(x.key, y.key))
	})
	var all []choice
	waiting := false
	for _, m := range w.parked {
		if m.left || m.from.frozen {
			continue
		}
		waiting = true
		all = append(all, w.outcomes(m, a)...)
	}
	if !waiting && !w.idle() {
		all = append(all, choice{"time passes", 1000, func() { w.sleep(time.Minute, true) }, true})
	}
	if (waiting || w.slowed()) && a.short > 0 {
		all = append(all, choice{"a moment passes", 60, func() { a.short--; w.sleep(time.Second, true) }, true})
	}
	if waiting && a.long > 0 {
		all = append(all, choice{"a long time passes", 12, func() { a.long--; w.delay(); w.sleep(longTime, false) }, true})
	}
	for _, m := range w.parked {
		if m.left && !m.taken && a.late > 0 {
			all = append(all, choice{"arrives late: " + m.from.name + ": " + m.key, 40, func() { a.late--; w.arrive(m); w.drop(m) }, false})
		}
	}
	return all
}

// delay notes that nobody is to be blamed for what now waits for long.
func (w *world) delay() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.processes {
		p.faults++
	}
	for _, m := range w.parked {
		if !m.left {
			w.fault(m)
		}
	}
}

// outcomes is what may become of one message.
func (w *world) outcomes(m *message, a *allowance) []choice {
	name := m.from.name + ": " + m.key
	odds := 1
	if m.toProvider() {
		odds = 6 // it is what matters most
	}
	all := []choice{{name, 1000, func() { w.arrive(m); w.reply(m, m.err) }, false}}
	if a.losses > 0 {
		if !m.taken {
			all = append(all, choice{"is lost: " + name, 15 * odds, func() { a.losses--; w.fault(m); w.reply(m, errLost) }, false})
		}
		all = append(all, choice{"answer is lost: " + name, 25 * odds, func() { a.losses--; w.arrive(m); w.fault(m); w.reply(m, errLost) }, false})
	}
	if a.late > 0 && !m.taken {
		all = append(all, choice{"takes effect: " + name, 60 * odds, func() { a.late--; w.arrive(m) }, false})
	}
	if a.unsent > 0 && m.toProvider() && !m.taken {
		all = append(all, choice{"is not taken: " + name, 60, func() {
			a.unsent--
			w.fault(m)
			w.reply(m, fmt.Errorf("503: %w", session.ErrUnsent))
		}, false})
	}
	if a.crashes > 0 {
		all = append(all, choice{"before it: " + name, 5 * odds, func() { a.crashes--; w.kill(m.from) }, false})
		if !m.taken {
			all = append(all, choice{"after it: " + name, 5 * odds, func() { a.crashes--; w.arrive(m); w.kill(m.from) }, false})
		}
	}
	return all
}

// take does a choice and looks at what came of it.
func (w *world) take(c choice) {
	w.mu.Lock()
	w.note("%s", c.name)
	if c.free {
		w.mu.Unlock()
		c.do()
		w.mu.Lock()
	} else {
		c.do()
	}
	w.mu.Unlock()
	w.settle()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.check()
}

// arrive lets a message take effect.
func (w *world) arrive(m *message) {
	if !m.taken {
		m.taken = true
		m.result, m.err = m.take()
	}
}

// reply answers a message: its sender goes on.
func (w *world) reply(m *message, err error) {
	w.drop(m)
	m.from.saw(m.key, m.result+fmt.Sprint(err), w.elapsed())
	m.answer <- err
}

func (w *world) drop(m *message) {
	w.parked = slices.DeleteFunc(w.parked, func(x *message) bool { return x == m })
}

// idle tells whether no op is under way and no flight's message waits.
func (w *world) idle() bool {
	for _, o := range w.ops {
		if o.begun && !o.done && !o.p.dead {
			return false
		}
	}
	return !slices.ContainsFunc(w.parked, func(m *message) bool { return !m.left })
}

// state names everything that what follows can depend on: two runs with the same state have the same futures.
func (w *world) state(a allowance) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprintln(h, w.elapsed(), a, w.repeats)
	for _, p := range w.processes {
		fmt.Fprintln(h, p.name, p.dead, p.frozen, p.history, p.faults, p.repeated)
	}
	for _, m := range w.parked {
		fmt.Fprintln(h, m.from.name, m.key, m.taken, m.result, m.left)
	}
	for _, p := range w.processes {
		if e := p.ear; e != nil {
			fmt.Fprintln(h, e.servers, e.slow, len(p.knows))
		}
	}
	for _, o := range w.ops {
		fmt.Fprintln(h, o.name, o.begun, o.done, o.before, o.knew, o.at, o.faults)
	}
	for _, v := range w.visitors {
		rec, err := w.store.Read(w.t.Context(), v.id)
		left, _ := w.store.TTL(w.t.Context(), v.id)
		fmt.Fprintln(h, v.name, rec.Version, err, left, v.ended, v.gone, v.seen, v.excused, w.locks[v.id])
		if s := w.truth(v); s != nil {
			fmt.Fprintln(h, s.Tokens.Refresh, s.Attempt)
		}
		for _, key := range v.indexes {
			members, _ := w.store.Members(w.t.Context(), key)
			fmt.Fprintln(h, w.names(members))
		}
		if f := w.families[v.name]; f != nil {
			fmt.Fprintln(h, *f)
		}
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for token := range w.sent {
			if !yield(token) {
				return
			}
		}
	}) {
		for _, s := range w.sent[name] {
			fmt.Fprintln(h, name, s.by.name, s.deadline, s.faults, s.back, s.unsent)
		}
	}
	for _, e := range w.ends {
		fmt.Fprintln(h, *e)
	}
	return h.Sum64()
}
