package memory

import (
	"context"
	"errors"

	"cloakroom/session"
)

// unheard bounds what a listener may leave waiting.
const unheard = 4096

var errSlow = errors.New("memory store: a listener did not keep up")

// listener hears this process' own writes.
type listener struct {
	store  *Store
	events chan session.Event
	over   chan struct{} // closed when something was not heard, or by Close; guarded by the store's lock
	why    error         // set before over is closed
}

// Listen begins to hear writes.
func (s *Store) Listen(ctx context.Context) (session.Listener, error) {
	_, release, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	l := &listener{store: s, events: make(chan session.Event, unheard), over: make(chan struct{})}
	s.listeners[l] = struct{}{}
	return l, nil
}

// announce tells every listener, in the order of the writes. The caller has the store's lock.
func (s *Store) announce(e session.Event) {
	for l := range s.listeners {
		l.tell(e)
	}
}

// tell queues an event. One that does not fit ends the listener: it must not go on as if it had heard everything. The caller has the store's lock.
func (l *listener) tell(e session.Event) {
	select {
	case l.events <- e:
	default:
		l.end(errSlow)
	}
}

// end ends the listener. The caller has the store's lock.
func (l *listener) end(why error) {
	if _, open := l.store.listeners[l]; open {
		delete(l.store.listeners, l)
		l.why = why
		close(l.over)
	}
}

// Ping answers behind what was written before.
func (l *listener) Ping(ctx context.Context, payload string) error {
	_, release, err := l.store.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	if _, open := l.store.listeners[l]; !open {
		return l.why
	}
	l.tell(session.Event{Pong: payload})
	return nil
}

// Receive waits for what is next.
func (l *listener) Receive(ctx context.Context) (session.Event, error) {
	select {
	case e := <-l.events:
		return e, nil
	case <-l.over:
		return session.Event{}, l.why
	case <-ctx.Done():
		return session.Event{}, ctx.Err()
	}
}

// Close ends it. Again is harmless.
func (l *listener) Close() error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	l.end(errClosed)
	return nil
}
