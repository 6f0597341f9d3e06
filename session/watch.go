package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

const (
	// pingAtMost is how far pings are apart at most, and pingUntrusting where no copy is trusted anyway: streams want to know soon that
	// nothing is heard.
	pingAtMost     = time.Second
	pingUntrusting = 500 * time.Millisecond
	// listenTime bounds the beginning of a subscription, and the sending of a ping.
	listenTime = 5 * time.Second
	// silentAfter is how long a ping may stay unanswered at least until the subscription counts as lost.
	silentAfter = 2 * time.Second
	// After a loss the next try comes after listenFirst, then later and later.
	listenFirst, listenMax = 50 * time.Millisecond, 2 * time.Second
)

// Watch listens to what all processes announce, until ctx ends: it is what allows requests to be served without asking the store. Without it, or while the
// announcements do not prove alive, each request asks. Run it once.
func (m *Manager) Watch(ctx context.Context) {
	w := &watch{m: m, every: pingEvery(m.cfg.Staleness)}
	for pause := listenFirst; ; pause = min(2*pause, listenMax) {
		err := w.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.took() {
			pause = listenFirst
		}
		w.missed(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)): // not all replicas at once
		}
	}
}

// pingEvery is a quarter of staleness: a ping or two may be late and trust goes on.
func pingEvery(staleness time.Duration) time.Duration {
	if staleness <= 0 {
		return pingUntrusting
	}
	return min(staleness/4, pingAtMost)
}

// watch is the owner of the subscriptions, one after the other.
type watch struct {
	m     *Manager
	every time.Duration
	deaf  bool // a loss was logged, and no recovery since

	mu     sync.Mutex
	proved bool       // this subscription answered a ping
	asked  []question // pings without an answer, oldest first
	number uint64
}

// question is a ping: its answer proves that everything written until sent has been heard.
type question struct {
	payload string
	sent    instant
}

var errSilent = errors.New("pings are not answered")

// listen is one subscription, from its beginning to its loss.
func (w *watch) listen(ctx context.Context) error {
	w.mu.Lock()
	w.proved, w.asked = false, nil
	w.mu.Unlock()
	l, err := w.begin(ctx)
	if err != nil {
		return err
	}
	epoch := w.m.copies.subscribed()
	defer func() {
		w.m.copies.lost()
		if ctx.Err() == nil {
			w.m.deps.Flushed()
		}
		if err := l.Close(); err != nil {
			w.m.log.Debug("subscription not closed", "error", err)
		}
	}()
	w.m.deps.Resubscribed()
	both, cancel := context.WithCancelCause(ctx)
	var pinging sync.WaitGroup
	defer pinging.Wait()
	pinging.Go(func() { cancel(w.ping(both, l, epoch)) })
	cancel(w.receive(both, l, epoch))
	return context.Cause(both) // whichever failed first
}

func (w *watch) begin(ctx context.Context) (Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, listenTime)
	defer cancel()
	return w.m.store.Listen(ctx)
}

// ping asks for proof again and again. It returns when a ping cannot be sent, or none was answered for too long.
func (w *watch) ping(ctx context.Context, l Listener, epoch uint64) error {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		payload, err := w.ask(epoch)
		if err != nil {
			return err
		}
		if err := w.send(ctx, l, payload); err != nil {
			return fmt.Errorf("ping: %w", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// ask notes a ping before it is sent, with an earlier time than the store will see it at.
func (w *watch) ask(epoch uint64) (payload string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.m.copies.instant(w.m.now())
	if len(w.asked) > 0 && !now.within(max(silentAfter, 8*w.every), w.asked[0].sent) {
		return "", errSilent
	}
	w.number++
	payload = strconv.FormatUint(epoch, 10) + "." + strconv.FormatUint(w.number, 10)
	w.asked = append(w.asked, question{payload, now})
	return payload, nil
}

func (w *watch) send(ctx context.Context, l Listener, payload string) error {
	ctx, cancel := context.WithTimeout(ctx, listenTime)
	defer cancel()
	return l.Ping(ctx, payload)
}

// receive obeys what is announced, in order.
func (w *watch) receive(ctx context.Context, l Listener, epoch uint64) error {
	for {
		e, err := l.Receive(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("listen: %w", err)
		case e.Pong != "":
			w.answered(e.Pong, epoch)
		case e.Prolonged:
			w.m.deps.Changed(e.ID)
		case e.Version == 0:
			w.m.heardEnd(e.ID, e.Reason)
		default:
			w.m.copies.hear(e.ID, e.Version)
			w.m.deps.Changed(e.ID) // after it: whoever looks now asks the store
		}
	}
}

// answered takes a pong for proof. One that answers no open question of this subscription proves nothing.
func (w *watch) answered(payload string, epoch uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, q := range w.asked {
		if q.payload == payload {
			w.asked = w.asked[i+1:] // the store answers in order: what was asked before has been answered, too
			w.m.copies.prove(epoch, q.sent)
			if w.proved = true; w.deaf {
				w.deaf = false
				w.m.log.Info("announcements are heard again", "event", "announcements_heard")
			}
			return
		}
	}
}

// took reports whether the last subscription worked for a while.
func (w *watch) took() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.proved
}

// missed logs a loss, and not each try that fails after it.
func (w *watch) missed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deaf {
		w.m.log.Debug("announcements are still not heard", "error", err)
		return
	}
	w.deaf = true
	w.m.log.Warn("announcements are not heard: every request asks the store", "event", "announcements_lost", "error", err)
}
