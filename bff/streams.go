package bff

import (
	"context"
	"errors"
	"sync"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/proxy"
	"cloakroom/session"
)

// Bounds of the streams, and how long the registry is patient.
const (
	maxStreamsPerSession = 32
	maxStreams           = 16384
	answerGrace          = time.Second            // an ordinary answer may run on for so long after its session's end
	askTime              = 2 * time.Second        // of one question to the store
	askGrace             = 500 * time.Millisecond // how long a session's streams outlive its known expiry, while the store is asked
	askers               = 16
)

// Why a stream was closed, for the metric and for clients: stable words.
const (
	endedReason   = "ended"   // the session was ended
	expiredReason = "expired" // the session ran out
	drainReason   = "drain"   // this process stops
)

// ownEvents is the kind of our own event stream, beside those of the proxy.
const ownEvents proxy.Kind = "events"

// streams knows what is open for which session, and ends it when the session ends (docs/engine.md). An ordinary request is not in it, so that it pays
// nothing: the proxy tells only of sockets, event streams, and answers that have lasted for a second.
//
// An end is heard (gone), or seen: the store is asked when a stream opens, since the end may have come between its session's check and
// its entry here; when a session's known expiry has come, because requests may have moved it; and when announcements are heard again.
// While the store does not answer, streams go on to the known expiry.
type streams struct {
	now     func() time.Time
	idle    time.Duration // the longest that a session lives without use
	left    func(context.Context, *session.Session) (time.Duration, error)
	metrics *metrics
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu       sync.Mutex // guards all below, and the groups. Not held while ending streams or asking the store
	groups   map[session.ID]*group
	open     int
	endless  int // of those, what does not finish by itself
	queue    []*group
	work     *sync.Cond
	idlers   *sync.Cond // woken when a socket or an event stream of ours has closed
	draining bool
	closed   bool
}

// group is one session's streams.
type group struct {
	sess    *session.Session
	members map[*stream]struct{}
	bounded int // members that count for the limit
	until   time.Time
	timer   *time.Timer
	due     bool // the known expiry has come, and the store is being asked whether it still holds
	queued  bool
}

// stream is one that is open.
type stream struct {
	kind   proxy.Kind
	end    func(reason string)
	reason string      // why it is being ended; empty: it is not
	timer  *time.Timer // of an answer's grace
}

// newStreams starts a registry. left says how long a session lives if nobody uses it; session.ErrNone: it is over.
func newStreams(now func() time.Time, idle time.Duration, left func(context.Context, *session.Session) (time.Duration, error), m *metrics) *streams {
	ctx, stop := context.WithCancel(context.Background())
	r := &streams{now: now, idle: idle, left: left, metrics: m, stop: stop, groups: map[session.ID]*group{}}
	r.work, r.idlers = sync.NewCond(&r.mu), sync.NewCond(&r.mu)
	for range askers {
		r.done.Go(func() { r.ask(ctx) })
	}
	return r
}

// tracker is how the proxy tells of the streams of one session.
func (r *streams) tracker(sess *session.Session) proxy.Tracker {
	return func(k proxy.Kind, end func(proxy.Ending)) (func(), error) {
		return r.add(sess, k, func(reason string) { end(ending(reason)) })
	}
}

// ending is how a proxied stream ends. 4401 is of the range for private use (RFC 6455, section 7.4.2), after HTTP's 401.
func ending(reason string) proxy.Ending {
	if reason == drainReason {
		return proxy.Ending{Code: 1001, Reason: "going away", Cause: &edge.Problem{Code: "streams_full", RetryAfter: retryAfter}}
	}
	return proxy.Ending{Code: 4401, Reason: "session " + reason, Cause: &edge.Problem{Code: "signed_out", Login: loginPath}}
}

// add enters a stream, which end ends: it is called from any goroutine, perhaps again with a stronger reason. done takes the stream out again.
func (r *streams) add(sess *session.Session, k proxy.Kind, end func(reason string)) (done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.groups[sess.ID()]
	if k != proxy.Answer {
		switch {
		case r.draining || r.closed || r.open >= maxStreams:
			return nil, &edge.Problem{Code: "streams_full", RetryAfter: retryAfter}
		case g != nil && g.bounded >= maxStreamsPerSession:
			return nil, &edge.Problem{Code: "too_many_streams", RetryAfter: retryAfter}
		}
		r.open++
	}
	if g == nil {
		g = &group{sess: sess, members: map[*stream]struct{}{}}
		r.groups[sess.ID()] = g
		r.arm(g, min(r.idle, sess.Deadline.Sub(r.now())))
	}
	st := &stream{kind: k, end: end}
	g.members[st] = struct{}{}
	if k != proxy.Answer {
		g.bounded++
	}
	if endless(k) {
		r.endless++
	}
	r.metrics.streamOpened(string(k))
	r.enqueue(g)
	return func() { r.remove(g, st) }, nil
}

func (r *streams) remove(g *group, st *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if st.timer != nil {
		st.timer.Stop()
	}
	delete(g.members, st)
	if st.kind != proxy.Answer {
		g.bounded--
		r.open--
	}
	if endless(st.kind) {
		r.endless--
	}
	if len(g.members) == 0 {
		r.forget(g)
	}
	r.metrics.streamClosed(string(st.kind), st.reason)
	r.idlers.Broadcast()
}

// forget takes a group out. What is left in it is being ended.
func (r *streams) forget(g *group) {
	g.timer.Stop()
	if r.groups[g.sess.ID()] == g {
		delete(r.groups, g.sess.ID())
	}
}

// gone ends the streams of a session that is over. It does not block.
func (r *streams) gone(id session.ID) {
	r.mu.Lock()
	g := r.groups[id]
	r.mu.Unlock()
	if g != nil {
		r.over(g, endedReason)
	}
}

// over ends a group's streams. An end that shows when the known expiry has come is the expiry.
func (r *streams) over(g *group, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.due {
		reason = expiredReason
	}
	r.forget(g)
	for st := range g.members {
		if st.reason == endedReason || st.reason == expiredReason {
			continue
		}
		if st.kind == proxy.Answer {
			st.reason = reason
			st.timer = time.AfterFunc(answerGrace, func() { st.end(reason) })
			continue
		}
		r.tell(st, reason)
	}
}

// tell ends a stream, each in a goroutine of its own: one whose connections hang must hold up neither the others nor whoever brought the news.
func (r *streams) tell(st *stream, reason string) {
	st.reason = reason
	if !r.closed {
		r.done.Go(func() { st.end(reason) })
	}
}

// resubscribed asks for every session again: what ended while announcements were not heard was not heard. It does not block.
func (r *streams) resubscribed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.groups {
		r.enqueue(g)
	}
}

// arm sets the group's known expiry.
func (r *streams) arm(g *group, left time.Duration) {
	g.until, g.due = r.now().Add(left), false
	if g.timer == nil {
		g.timer = time.AfterFunc(left, func() { r.expiry(g) })
		return
	}
	g.timer.Reset(left)
}

// expiry is what a group's timer does: an idle timeout may have been moved on by requests, so the store is asked; a deadline may not.
func (r *streams) expiry(g *group) {
	r.mu.Lock()
	if r.groups[g.sess.ID()] != g {
		r.mu.Unlock()
		return
	}
	final := g.due || !r.now().Before(g.sess.Deadline)
	g.due = true
	if !final {
		r.enqueue(g)
		g.timer.Reset(askGrace)
	}
	r.mu.Unlock()
	if final {
		r.over(g, expiredReason)
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
	left, err := r.left(ctx, g.sess)
	switch {
	case errors.Is(err, session.ErrNone), err == nil && left <= 0:
		r.over(g, endedReason)
	case err == nil:
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.groups[g.sess.ID()] == g {
			r.arm(g, max(left, 100*time.Millisecond))
		}
	}
}

// drain ends the sockets and our own event streams, which do not finish by themselves, and waits for them as long as ctx does.
// Proxied event streams may finish: they are the server's to wait for.
func (r *streams) drain(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
	for _, g := range r.groups {
		for st := range g.members {
			if st.reason == "" && endless(st.kind) {
				r.tell(st, drainReason)
			}
		}
	}
	defer context.AfterFunc(ctx, func() { r.mu.Lock(); defer r.mu.Unlock(); r.idlers.Broadcast() })()
	for r.endless > 0 && ctx.Err() == nil {
		r.idlers.Wait()
	}
}

// endless reports whether a stream does not finish by itself.
func endless(k proxy.Kind) bool { return k == proxy.Socket || k == ownEvents }

// close ends the askers. By then nothing is open any more.
func (r *streams) close() {
	r.mu.Lock()
	r.closed = true
	r.work.Broadcast()
	r.mu.Unlock()
	r.stop()
	r.done.Wait()
}
