package redis_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// staleness is that of the process that trusts copies.
const staleness = time.Second

// observed is a process' store that tells which answers came without it, and how old the proof was that allowed them.
type observed struct {
	*watched
	subscribed        atomic.Int64 // so often
	copied, confirmed atomic.Int64 // requests that were served without the store, and with it
	latest            atomic.Int64 // the worst time for which an end that was acknowledged elsewhere was not obeyed

	mu    sync.Mutex
	proof time.Time // when the last ping that has an answer was sent
}

// asked is the context's key of a bool: the store has answered this request.
type asked struct{}

func (o *observed) answered(ctx context.Context, err error) {
	if answer, ok := ctx.Value(asked{}).(*bool); ok && err == nil {
		*answer = true
	}
}

// Read is the store's.
func (o *observed) Read(ctx context.Context, id session.ID) (session.Record, error) {
	rec, err := o.watched.Read(ctx, id)
	o.answered(ctx, err)
	return rec, err
}

// ReadTTL is the store's.
func (o *observed) ReadTTL(ctx context.Context, id session.ID) (session.Record, time.Duration, error) {
	rec, left, err := o.watched.ReadTTL(ctx, id)
	o.answered(ctx, err)
	return rec, left, err
}

// Listen is the store's.
func (o *observed) Listen(ctx context.Context) (session.Listener, error) {
	l, err := o.watched.Listen(ctx)
	if err != nil {
		return nil, err
	}
	o.subscribed.Add(1)
	return &earwitness{Listener: l, by: o, sent: map[string]time.Time{}}, nil
}

// earwitness notes when pings are sent and answered. The manager took its time before: what is judged by ours is judged mildly.
type earwitness struct {
	session.Listener
	by   *observed
	mu   sync.Mutex
	sent map[string]time.Time
}

// Ping implements session.Listener.
func (e *earwitness) Ping(ctx context.Context, payload string) error {
	e.mu.Lock()
	e.sent[payload] = time.Now()
	e.mu.Unlock()
	return e.Listener.Ping(ctx, payload)
}

// Receive implements session.Listener.
func (e *earwitness) Receive(ctx context.Context) (session.Event, error) {
	event, err := e.Listener.Receive(ctx)
	if event.Pong != "" {
		e.mu.Lock()
		sent := e.sent[event.Pong]
		delete(e.sent, event.Pong)
		e.mu.Unlock()
		e.by.mu.Lock()
		e.by.proof = sent
		e.by.mu.Unlock()
	}
	return event, err
}

// find is FromRequest or Peek, whose answer may be a copy only while the proof behind it is not older than staleness.
func (o *observed) find(t *testing.T, find func(*http.Request) (*session.Session, error), r *http.Request) (*session.Session, error) {
	t.Helper()
	var answered bool
	began := time.Now()
	s, err := find(r.WithContext(context.WithValue(r.Context(), asked{}, &answered)))
	switch {
	case err != nil:
	case answered:
		o.confirmed.Add(1)
	default:
		o.copied.Add(1)
		o.mu.Lock()
		proof := o.proof
		o.mu.Unlock()
		if old := began.Sub(proof); old > staleness {
			t.Errorf("a request was answered from a copy %s after the last proof", old)
		}
	}
	return s, err
}

// obeys asks a process for a session whose end was acknowledged elsewhere just now, until it is refused. After staleness nothing serves it.
func (o *observed) obeys(t *testing.T, m *session.Manager, r *http.Request) {
	t.Helper()
	end := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		at := time.Since(end)
		_, err := o.find(t, m.Peek, r)
		switch {
		case errors.Is(err, session.ErrNone):
			return
		case err != nil && at > staleness: // an outage, which refuses as well
			return
		case err == nil && at > staleness:
			t.Errorf("a session is served %s after its end was acknowledged elsewhere", at)
			return
		case err == nil && int64(at) > o.latest.Load():
			o.latest.Store(int64(at))
		}
		<-tick.C
	}
}

// listening waits until processes hear what a server announces.
func listening(t *testing.T, server *storetest.Redis, processes int64) {
	t.Helper()
	admin := administrator(t, server)
	storetest.Eventually(t, 20*time.Second, "the announcements of the new primary are heard", func() bool {
		heard, err := admin.PubSubNumSub(t.Context(), "test:announce").Result()
		return err == nil && heard["test:announce"] == processes
	})
}
