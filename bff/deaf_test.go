package bff

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/session"
)

// deafened is a store whose announcements a test can silence, as a broken connection does.
type deafened struct {
	session.Store
	mu   sync.Mutex
	deaf bool
	ears []*ear
}

type ear struct {
	session.Listener
	cut  context.Context
	stop context.CancelFunc
}

var errDeaf = errors.New("nothing is heard")

// Listen fails while nothing is to be heard.
func (d *deafened) Listen(ctx context.Context) (session.Listener, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deaf {
		return nil, errDeaf
	}
	l, err := d.Store.Listen(ctx)
	if err != nil {
		return nil, err
	}
	e := &ear{Listener: l}
	e.cut, e.stop = context.WithCancel(context.Background())
	d.ears = append(d.ears, e)
	return e, nil
}

// Receive ends with the ear.
func (e *ear) Receive(ctx context.Context) (session.Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.cut, cancel)()
	ev, err := e.Listener.Receive(ctx)
	if e.cut.Err() != nil {
		return session.Event{}, errDeaf // whatever came in that moment is lost
	}
	return ev, err
}

func (d *deafened) silence(yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deaf = yes
	for _, e := range d.ears {
		e.stop()
	}
	d.ears = nil
}

// What another process ended while nothing was heard ends here as soon as announcements are heard again.
func TestAStreamWhoseEndWasNotHeardEndsWhenAnnouncementsAreHeardAgain(t *testing.T) {
	var store *deafened
	h := newStreamHouse(t, nil, func(inner session.Store) session.Store {
		store = &deafened{Store: inner}
		return store
	})
	b := h.browser()
	b.signIn("/bff/login")
	c, err := b.socket("/api/socket")
	if err != nil {
		t.Fatal(err)
	}
	h.server.streams.mu.Lock()
	var id session.ID
	for id = range h.server.streams.groups {
	}
	h.server.streams.mu.Unlock()
	h.eventually("announcements are heard", h.server.sessions.CopiesTrusted)
	store.silence(true)
	if _, err := store.Store.End(t.Context(), id, time.Minute, "device"); err != nil { // as another process does
		t.Fatal(err)
	}
	store.silence(false)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != 4401 {
		t.Errorf("the socket: %v", err)
	}
}
