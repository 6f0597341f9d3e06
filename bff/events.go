package bff

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/proxy"
	"cloakroom/session"
)

// Times of an event stream.
const (
	heartbeat   = 15 * time.Second
	eventTime   = 10 * time.Second // for a client to take an event
	lastEvent   = 500 * time.Millisecond
	warnAtMost  = time.Minute
	recheckWarn = 5 * time.Second // how often an announced expiry is looked at again: a request may have moved it
)

// events answers GET /bff/events: what becomes of this session, as server-sent events, so that every tab learns it at once. The present
// state comes first. The stream ends with the session, and does not extend it.
func (s *site) events(w http.ResponseWriter, r *http.Request) error {
	sess, err := s.sessions.Peek(r)
	if err != nil {
		return s.sessionProblem(err)
	}
	s.note(r, sess)
	e := &eventStream{
		site: s, r: r, w: w, client: http.NewResponseController(w), sess: sess, shown: shown(s.answerFor(sess, 0)),
		ended: make(chan string, 1), news: make(chan struct{}, 1),
	}
	done, err := s.streams.add(sess, ownEvents, e.finish, e.hear)
	if err != nil {
		return err
	}
	defer func() { edge.From(r.Context()).Ended = done(string(proxy.OverClient)) }()
	defer e.close()
	idle, err := s.sessions.IdleLeft(r.Context(), sess)
	if err != nil {
		return s.sessionProblem(err)
	}
	noStore(w)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep the events to itself
	e.run(idle)
	return nil
}

// eventStream is one open GET /bff/events. Its own goroutine writes; finish may come from any.
type eventStream struct {
	site   *site
	r      *http.Request
	w      http.ResponseWriter
	client *http.ResponseController
	sess   *session.Session
	shown  []byte // what the browser was told of it last
	warned bool
	err    error         // the client is gone, or takes nothing any more
	ended  chan string   // why; the first counts
	news   chan struct{} // the session has changed; one note stands for any number

	mu   sync.Mutex // guards over, and deadlines after an end
	over bool
	last bool
}

// finish ends the stream.
func (e *eventStream) finish(reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over || e.last {
		return
	}
	e.last = true
	e.client.SetWriteDeadline(time.Now().Add(lastEvent)) // a client that takes nothing holds nobody up
	e.ended <- reason
}

// hear notes that the session has changed.
func (e *eventStream) hear() {
	select {
	case e.news <- struct{}{}:
	default: // noted already
	}
}

func (e *eventStream) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
}

// run sends what there is to say until the session or the client is gone.
func (e *eventStream) run(idle time.Duration) {
	e.write(fmt.Sprintf("retry: %d\n\n", 1000+rand.IntN(4000))) // after a restart not all at once
	e.state("state", idle)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	warn := time.NewTimer(e.untilWarning(idle))
	defer warn.Stop()
	for e.err == nil {
		select {
		case <-e.r.Context().Done():
			return
		case reason := <-e.ended:
			e.goodbye(reason)
			return
		case <-beat.C:
			e.write(":\n\n")
			e.look() // where announcements are not heard, this is how a change is found
		case <-e.news:
			e.look()
			if e.warned { // perhaps the end is not near any more
				warn.Reset(e.warn())
			}
		case <-warn.C:
			warn.Reset(e.warn())
		}
	}
}

// goodbye says that the session is over, unless it goes on, and the browser comes back by itself. On a busy machine it may come long after finish, whose
// deadline is for a write that hangs; and a client that has taken the last event is to get the stream's proper end, too.
func (e *eventStream) goodbye(reason string) {
	e.client.SetWriteDeadline(time.Now().Add(lastEvent))
	if reason != drainReason {
		e.send("ended", map[string]string{"reason": reason})
	}
	if e.err == nil {
		e.client.SetWriteDeadline(time.Now().Add(eventTime))
	}
}

// state sends who is signed in, and for how long, as GET /bff/user says it.
func (e *eventStream) state(name string, idle time.Duration) {
	e.send(name, e.site.answerFor(e.sess, idle))
}

// look sends what a refresh has changed. Nothing is said while the session cannot be read: its end is heard by others.
func (e *eventStream) look() {
	now, err := e.site.sessions.Peek(e.r)
	if err != nil || now == e.sess || now.ID() != e.sess.ID() {
		return
	}
	before, fresh := e.sess, shown(e.site.answerFor(now, 0))
	if e.sess = now; bytes.Equal(fresh, e.shown) {
		return // new tokens alone are nobody's business
	}
	idle, err := e.left()
	if err != nil {
		e.sess = before // the next look tells it
		return
	}
	e.state("changed", idle)
	e.shown = fresh
}

// shown is what a browser sees of a session but for times.
func shown(a userAnswer) []byte {
	a.Session = nil
	b, _ := json.Marshal(a) // it was JSON before it was claims
	return b
}

// warning is how long before a session's end its pages are warned.
func (e *eventStream) warning() time.Duration {
	return min(warnAtMost, e.site.cfg.Session.IdleTimeout/5)
}

func (e *eventStream) untilWarning(left time.Duration) time.Duration {
	return max(0, left-e.warning())
}

// warn looks whether the end is near, says so once, and takes it back when a request has moved it. It returns when to look again.
func (e *eventStream) warn() time.Duration {
	left, err := e.left()
	switch {
	case err != nil:
		return recheckWarn
	case left > e.warning():
		if e.warned {
			e.warned = false
			e.state("state", left)
		}
		return e.untilWarning(left)
	case !e.warned:
		e.warned = true
		e.send("expiring", map[string]int64{"seconds": seconds(left)})
	}
	return min(recheckWarn, e.warning()/4)
}

// left is how long the session lives if nobody uses it.
func (e *eventStream) left() (time.Duration, error) {
	ctx, cancel := context.WithTimeout(e.r.Context(), askTime)
	defer cancel()
	return e.site.sessions.IdleLeft(ctx, e.sess)
}

func (e *eventStream) send(name string, data any) {
	b, err := json.Marshal(data) // on one line: JSON escapes line breaks
	if err != nil {
		e.err = err
		return
	}
	e.write("event: " + name + "\ndata: " + string(b) + "\n\n")
}

// write lets a piece out at once.
func (e *eventStream) write(text string) {
	if e.err != nil {
		return
	}
	e.mu.Lock()
	if !e.last {
		e.client.SetWriteDeadline(time.Now().Add(eventTime))
	}
	e.mu.Unlock()
	if _, e.err = e.w.Write([]byte(text)); e.err == nil {
		e.err = e.client.Flush()
	}
}
