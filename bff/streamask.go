package bff

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"cloakroom/session"
)

// questions are what the registry asks.
type questions struct {
	left func(context.Context, *session.Session) (time.Duration, error) // how long a session lives if nobody uses it; session.ErrNone: it is over
	why  func(context.Context, session.ID) (string, error)              // why it is over; session.ErrNone: nobody has ended it
}

// resubscribed asks for every session again: what ended or changed while announcements were not heard was not heard. It does not block.
func (r *streams) resubscribed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.groups {
		g.missed = true
		r.enqueue(g)
	}
}

// enqueue has the store asked for a group, once.
func (r *streams) enqueue(g *group) {
	if g.queued || r.closed {
		return
	}
	g.queued = true
	r.queue = append(r.queue, g)
	r.work.Signal()
}

// ask is one of the askers: they bound how many questions the store gets at a time.
func (r *streams) ask(ctx context.Context) {
	for {
		r.mu.Lock()
		for len(r.queue) == 0 && !r.closed {
			r.work.Wait()
		}
		if r.closed {
			r.mu.Unlock()
			return
		}
		g := r.queue[0]
		r.queue = r.queue[1:]
		g.queued = false // whoever asks from now on may know of something that this question is too early for
		stale := r.groups[g.sess.ID()] != g
		r.mu.Unlock()
		if !stale {
			r.askFor(ctx, g)
		}
	}
}

func (r *streams) askFor(ctx context.Context, g *group) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	left, err := r.store.left(ctx, g.sess)
	switch {
	case errors.Is(err, session.ErrNone), err == nil && left <= 0:
		r.over(g, r.why(ctx, g))
	case err == nil:
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.groups[g.sess.ID()] == g {
			g.gone = false // it was not: somebody was mistaken
			r.arm(g, max(left, 100*time.Millisecond))
			if g.missed {
				g.missed = false
				g.news()
			}
		}
	default:
		r.askLater(g)
	}
}

// askLater has the store asked again that had no answer: what its session's streams have missed nobody will say again. Right after an outage the first
// questions get none, because a server that was down is still left alone when announcements are heard already.
func (r *streams) askLater(g *group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.groups[g.sess.ID()] != g {
		return
	}
	pause := askPause/2 + rand.N(askPause/2) // not all at once
	if g.later != nil {
		g.later.Reset(pause)
		return
	}
	g.later = time.AfterFunc(pause, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.groups[g.sess.ID()] == g {
			r.enqueue(g)
		}
	})
}

// why asks why a session is over.
func (r *streams) why(ctx context.Context, g *group) string {
	if reason, err := r.store.why(ctx, g.sess.ID()); err == nil {
		return reason
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ranOut(g)
}

// ranOut is why a session is over that nobody has ended, as far as that is known. The caller has the lock.
func (r *streams) ranOut(g *group) string {
	switch now := r.now().Add(clockSlack); {
	case !now.Before(g.sess.Deadline):
		return session.ReasonLifetime
	case g.due || !now.Before(g.until):
		return session.ReasonIdle
	}
	return session.ReasonUnknown
}
