package bff

import (
	"cmp"
	"context"
	"net/http"
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
	askPause             = time.Second            // until a question is asked again that had no answer
	askGrace             = 500 * time.Millisecond // how long a session's streams outlive its known end, while the store is asked
	askers               = 16
	clockSlack           = time.Second // how far the store's clock may be off for an expiry to be known as one
)

// drainReason is why a stream was closed when this process stops. Beside it there are the reasons for which its session ended, and for which it ended by
// itself; docs/metrics-and-logs.md has all.
const drainReason = "drain"

// ownEvents is the kind of our own event stream, beside those of the proxy.
const ownEvents proxy.Kind = "events"

// streams knows what is open for which session, and ends it when the session ends (docs/engine.md). An ordinary request is not in it, so that it pays
// nothing: the proxy tells only of sockets, event streams, and answers that have lasted for a second.
//
// An end is heard (gone), or seen: the store is asked when a stream opens, since the end may have come between its session's check and
// its entry here; when a session's known expiry has come, because requests may have moved it; and when announcements are heard again.
// While the store does not answer, it is asked again, and streams go on to the known expiry. Where an end was seen and not heard, the store is asked why, too.
type streams struct {
	now     func() time.Time
	idle    time.Duration // the longest that a session lives without use
	store   questions
	metrics *metrics
	stop    context.CancelFunc
	done    sync.WaitGroup
	stops   chan struct{} // closed when this process stops
	recheck time.Duration // of callers' credentials

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
	later   *time.Timer // asks again after a question without an answer; nil at first
	due     bool        // the known expiry has come, and the store is being asked whether it still holds
	gone    bool        // the session is over, and the store is being asked why
	missed  bool        // what was announced of it may not have been heard
	queued  bool
}

// stream is one that is open.
type stream struct {
	kind   proxy.Kind
	end    func(reason string)
	news   func()      // hears that the session has changed; nil: it does not care
	reason string      // why it is being ended; empty: it is not
	timer  *time.Timer // of an answer's grace
}

// newStreams starts a registry.
func newStreams(now func() time.Time, idle time.Duration, store questions, m *metrics) *streams {
	ctx, stop := context.WithCancel(context.Background())
	r := &streams{now: now, idle: idle, store: store, metrics: m, stop: stop, stops: make(chan struct{}), recheck: recheck, groups: map[session.ID]*group{}}
	r.work, r.idlers = sync.NewCond(&r.mu), sync.NewCond(&r.mu)
	for range askers {
		r.done.Go(func() { r.ask(ctx) })
	}
	return r
}

// tracker is how the proxy tells of the streams of one session. Why one of them ended goes to the request's record.
func (r *streams) tracker(sess *session.Session, req *http.Request) proxy.Tracker {
	return func(k proxy.Kind, end func(proxy.Ending)) (func(proxy.Over), error) {
		done, err := r.add(sess, k, func(reason string) { end(ending(reason)) }, nil)
		if err != nil {
			return nil, err
		}
		return func(by proxy.Over) { edge.From(req.Context()).Ended = done(string(by)) }, nil
	}
}

// ending is how a proxied stream ends. 4401 is of the range for private use (RFC 6455, section 7.4.2), after HTTP's 401.
func ending(reason string) proxy.Ending {
	if reason == drainReason {
		return proxy.Ending{Code: 1001, Reason: "going away", Cause: &edge.Problem{Code: "streams_full", RetryAfter: retryAfter}}
	}
	return proxy.Ending{Code: 4401, Reason: "session ended: " + reason, Cause: &edge.Problem{Code: "signed_out", Login: loginPath}}
}

// add enters a stream, which end ends: it is called from any goroutine, perhaps again with a stronger reason. news, which may be nil, is called when the
// session has changed, and must not block. done takes the stream out again: by is why it is over unless it was ended, and the answer is why it is.
func (r *streams) add(sess *session.Session, k proxy.Kind, end func(reason string), news func()) (done func(by string) (why string), err error) {
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
	st := &stream{kind: k, end: end, news: news}
	g.members[st] = struct{}{}
	if k != proxy.Answer {
		g.bounded++
	}
	if endless(k) {
		r.endless++
	}
	r.metrics.streamOpened(string(k))
	r.enqueue(g)
	return func(by string) string { return r.remove(g, st, by) }, nil
}

func (r *streams) remove(g *group, st *stream, by string) (why string) {
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
	why = cmp.Or(st.reason, by)
	r.metrics.streamClosed(string(st.kind), why)
	r.idlers.Broadcast()
	return why
}

// forget takes a group out. What is left in it is being ended.
func (r *streams) forget(g *group) {
	g.timer.Stop()
	if g.later != nil {
		g.later.Stop()
	}
	if r.groups[g.sess.ID()] == g {
		delete(r.groups, g.sess.ID())
	}
}

// gone ends the streams of a session that is over, as soon as the store has said why, where that is not known. It does not block.
func (r *streams) gone(id session.ID, reason string) {
	r.mu.Lock()
	g := r.groups[id]
	if g != nil && reason == "" {
		if !g.gone {
			g.gone = true
			g.timer.Reset(askGrace)
		}
		r.enqueue(g)
		g = nil
	}
	r.mu.Unlock()
	if g != nil {
		r.over(g, reason)
	}
}

// changed tells the streams of a session that want to know that it was written, or lives longer. It does not block.
func (r *streams) changed(id session.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.groups[id]; g != nil {
		g.news()
	}
}

// news tells the streams of a group. The caller has the lock.
func (g *group) news() {
	for st := range g.members {
		if st.news != nil {
			st.news()
		}
	}
}

// over ends a group's streams.
func (r *streams) over(g *group, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(g)
	for st := range g.members {
		if st.reason != "" && st.reason != drainReason {
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
	final := g.due || g.gone || !r.now().Before(g.sess.Deadline)
	g.due = !g.gone
	reason := r.ranOut(g)
	if !final {
		r.enqueue(g)
		g.timer.Reset(askGrace)
	}
	r.mu.Unlock()
	if final {
		r.over(g, reason)
	}
}

// drain ends the sockets and our own event streams, which do not finish by themselves, and waits for them as long as ctx does.
// Proxied event streams may finish: they are the server's to wait for.
func (r *streams) drain(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.draining {
		close(r.stops)
	}
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
