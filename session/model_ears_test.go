package session_test

import (
	"context"
	"errors"
	"fmt"

	"cloakroom/session"
)

// What processes hear of each other's writes, in the model: each has one subscription, at two servers as in a cluster. What one server says comes in order, a ping's answer behind
// what was written before it; what two servers say comes in any order; it comes at once or when the scheduler lets it, or not at all, and then the connection breaks sooner or later.

// ear is one subscription. The world's lock guards it.
type ear struct {
	p        *process
	servers  [][]session.Event     // said, and not heard yet
	asked    map[string]int        // pings, and how many answers are missing
	proves   map[string][]*visitor // whose end was acknowledged before the ping
	inbox    []session.Event       // heard
	next     chan struct{}         // closed when there is more
	slow     bool                  // what is said waits for the scheduler
	stranded bool                  // its servers are not those any more that take the writes, and nobody has told it
	broken   bool
}

var errBroken = errors.New("subscription is broken")

// Listen implements session.Store.
func (l link) Listen(context.Context) (session.Listener, error) {
	w := l.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &ear{p: l.p, servers: make([][]session.Event, 2-w.set.alone), asked: map[string]int{}, proves: map[string][]*visitor{}, next: make(chan struct{})}
	l.p.ear = e
	l.p.saw("listen", "", 0) // when is left to chance: others try at other times
	return e, nil
}

// announce tells everybody of a write that has just taken effect.
func (w *world) announce(id session.ID, version uint64) {
	for _, p := range w.processes {
		if e := p.ear; e != nil && !e.stranded {
			e.say(int(id[0])%len(e.servers), session.Event{ID: id, Version: version})
		}
	}
}

func (e *ear) say(server int, event session.Event) {
	e.servers[server] = append(e.servers[server], event)
	if !e.slow && !e.p.frozen {
		e.catchUp()
	}
}

// catchUp hears everything.
func (e *ear) catchUp() {
	for i := range e.servers {
		for len(e.servers[i]) > 0 {
			e.hear(i)
		}
	}
}

// hear passes on the next thing that a server said.
func (e *ear) hear(server int) {
	event := e.servers[server][0]
	e.servers[server] = e.servers[server][1:]
	if event.Pong != "" {
		if e.asked[event.Pong]--; e.asked[event.Pong] > 0 {
			return
		}
		for _, v := range e.proves[event.Pong] {
			e.p.knows[v.id] = true // everything that was said before the ping has been heard
		}
		delete(e.asked, event.Pong)
		delete(e.proves, event.Pong)
	} else if event.Version == 0 {
		e.p.knows[event.ID] = true
	}
	if e.slow {
		e.p.saw("hear", fmt.Sprint(event), e.p.w.elapsed())
	}
	e.inbox = append(e.inbox, event)
	e.wake()
}

func (e *ear) wake() {
	close(e.next)
	e.next = make(chan struct{})
}

// snap breaks the connection: what was not heard is lost.
func (e *ear) snap() {
	e.broken, e.inbox = true, nil
	e.servers = make([][]session.Event, len(e.servers))
	e.p.saw("deaf", "", 0)
	if e.p.ear == e {
		e.p.ear = nil
	}
	e.wake()
}

// Ping implements session.Listener.
func (e *ear) Ping(_ context.Context, payload string) error {
	w := e.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.broken:
		return errBroken
	case e.stranded || e.p.dead: // the servers that it reaches answer, those that take the writes do not
		return nil
	}
	e.asked[payload] = len(e.servers)
	for _, v := range w.visitors {
		if v.ended {
			e.proves[payload] = append(e.proves[payload], v)
		}
	}
	for i := range e.servers {
		e.say(i, session.Event{Pong: payload})
	}
	return nil
}

// Receive implements session.Listener.
func (e *ear) Receive(ctx context.Context) (session.Event, error) {
	for {
		e.p.w.mu.Lock()
		next, broken := e.next, e.broken
		if !broken && len(e.inbox) > 0 {
			event := e.inbox[0]
			e.inbox = e.inbox[1:]
			e.p.w.mu.Unlock()
			return event, nil
		}
		e.p.w.mu.Unlock()
		if broken {
			return session.Event{}, errBroken
		}
		select {
		case <-next:
		case <-ctx.Done():
			return session.Event{}, ctx.Err()
		}
	}
}

// Close implements session.Listener.
func (e *ear) Close() error {
	e.p.w.mu.Lock()
	defer e.p.w.mu.Unlock()
	if !e.broken {
		e.snap()
	}
	return nil
}

// hearings is what may be heard next by those who are slow.
func (w *world) hearings() (all []choice) {
	for _, p := range w.processes {
		e := p.ear
		if e == nil || !e.slow || p.frozen || p.dead {
			continue
		}
		for i, said := range e.servers {
			if len(said) > 0 {
				all = append(all, choice{fmt.Sprintf("%s hears: %s", p.name, w.tell(said[0])), 150, func() { e.hear(i) }, false})
			}
		}
	}
	return all
}

func (w *world) tell(e session.Event) string {
	switch v := w.visitorOf(nil, e.ID); {
	case e.Pong != "":
		return "pong " + e.Pong
	case v == nil:
		return fmt.Sprint("somebody is at ", e.Version)
	default:
		return fmt.Sprint(v.name, " is at ", e.Version)
	}
}

// slowed tells whether what somebody hears depends on the scheduler.
func (w *world) slowed() bool {
	for _, p := range w.processes {
		if p.ear != nil && p.ear.slow && !p.dead {
			return true
		}
	}
	return false
}

// deafness is what may go wrong with subscriptions, and become right again.
func (w *world) deafness(a *allowance) (all []choice) {
	for _, p := range w.processes {
		e := p.ear
		if e == nil || p.dead || p.frozen {
			continue
		}
		if e.slow {
			all = append(all, choice{p.name + " hears everything", 60, func() { e.slow = false; e.catchUp() }, false})
		}
		if a.deaf > 0 && !e.slow {
			all = append(all, choice{p.name + " hears late", 60, func() { a.deaf--; e.slow = true }, false})
		}
	}
	return append(all, w.losses(a)...)
}

// losses are the subscriptions that may be lost.
func (w *world) losses(a *allowance) (all []choice) {
	for _, p := range w.processes {
		if e := p.ear; e != nil && !p.dead && !p.frozen && a.deaf > 0 {
			all = append(all, choice{p.name + " loses its subscription", 15, func() { a.deaf--; e.snap() }, false})
		}
	}
	return all
}

// stale tells whether a process may still serve a session whose end was acknowledged: it has not heard of it, and that was not long ago.
func (w *world) stale(o *op) bool {
	return w.set.staleness > 0 && !o.knew && o.at.Sub(o.about.endedAt) < w.set.staleness
}
