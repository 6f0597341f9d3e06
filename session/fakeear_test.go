package session

import (
	"context"
	"errors"
	"sync"
)

// fakeEar is a subscription that a test holds in its hands. Left alone it hears every write at once and answers pings behind them.
type fakeEar struct {
	store  *fakeStore
	broken chan struct{}

	mu      sync.Mutex
	next    chan struct{} // closed when queue grows
	queue   []Event
	held    bool // what comes queues up and is not heard
	pass    int  // but for so many
	deaf    bool // nothing more arrives, as on a connection that hangs
	dropped func(Event) bool
}

var errBroken = errors.New("connection is broken")

// Listen implements Store.
func (f *fakeStore) Listen(ctx context.Context) (Listener, error) {
	leave, err := f.enter(ctx, "listen")
	if err != nil {
		return nil, err
	}
	defer leave()
	e := &fakeEar{store: f, broken: make(chan struct{}), next: make(chan struct{})}
	f.ears[e] = struct{}{}
	return e, nil
}

// announce tells everybody who listens. The caller has the store's lock.
func (f *fakeStore) announce(event Event) {
	for e := range f.ears {
		e.push(event)
	}
}

// ear waits for the only subscription.
func (f *fakeStore) ear() *fakeEar {
	f.mu.Lock()
	defer f.mu.Unlock()
	for e := range f.ears {
		return e
	}
	return nil
}

func (e *fakeEar) push(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf || e.dropped != nil && e.dropped(event) {
		return
	}
	e.queue = append(e.queue, event)
	e.wake()
}

func (e *fakeEar) wake() {
	close(e.next)
	e.next = make(chan struct{})
}

// set changes how the ear behaves.
func (e *fakeEar) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
	e.wake()
}

// snap breaks the connection: what was not heard is lost.
func (e *fakeEar) snap() { close(e.broken) }

// Ping implements Listener.
func (e *fakeEar) Ping(_ context.Context, payload string) error {
	select {
	case <-e.broken:
		return errBroken
	default:
	}
	e.store.mu.Lock() // behind the writes before it
	defer e.store.mu.Unlock()
	e.push(Event{Pong: payload})
	return nil
}

// Receive implements Listener.
func (e *fakeEar) Receive(ctx context.Context) (Event, error) {
	for {
		e.mu.Lock()
		next := e.next
		if len(e.queue) > 0 && (!e.held || e.pass > 0) {
			e.pass--
			event := e.queue[0]
			e.queue = e.queue[1:]
			e.mu.Unlock()
			return event, nil
		}
		e.mu.Unlock()
		select {
		case <-next:
		case <-e.broken:
			return Event{}, errBroken
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// Close implements Listener.
func (e *fakeEar) Close() error {
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	delete(e.store.ears, e)
	return nil
}
