package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
)

// Streams, the rule: an exchange that may outlast the session that it began with is told to Caller.Track, which may end it. A socket and
// an event stream are told before the upstream is asked, so that they can be refused, any other when it has lasted for longAfter. So an
// ordinary request pays nothing for it: the timer that bounds the upstream's silence fires once before its time.

// Kind is what a stream is.
type Kind string

// The kinds of streams.
const (
	Socket Kind = "websocket"
	Events Kind = "event_stream"
	Answer Kind = "answer" // any other, once it has lasted for a second
)

// Ending is how a stream ends before its time.
type Ending struct {
	// Code and Reason are the WebSocket's close frame (RFC 6455, section 7.4): a code of 4000 and above wins over one below. Reason has at most 123 bytes.
	Code   uint16
	Reason string
	// Cause is what OnError gets where there is no answer yet.
	Cause error
}

// Over is why a stream is over that nobody ended.
type Over string

// Why streams end by themselves.
const (
	OverClient   Over = "client_gone"     // the client closed it, or takes nothing any more
	OverUpstream Over = "upstream_closed" // the upstream closed it, in order
	OverIdle     Over = "upstream_idle"   // the upstream was silent for longer than the route allows
	OverFailed   Over = "upstream_failed" // the upstream's side broke, or there never was an answer
)

// Tracker is told of a stream. It may call end, once or more, from any goroutine, and not before it has returned; it is called until
// done is. An error refuses the stream, and goes to OnError wrapped in ErrStreamRefused; it is only looked at for sockets and event streams.
type Tracker func(k Kind, end func(Ending)) (done func(Over), err error)

// ErrEnded is wrapped where somebody ended the stream.
var ErrEnded = errors.New("the stream was ended")

// ErrStreamRefused is wrapped where Caller.Track takes no further stream.
var ErrStreamRefused = errors.New("the stream was refused")

// longAfter is when an answer counts as long. No session can have ended more than this before.
const longAfter = time.Second

// begin tracks what announces itself as a stream.
func (x *exchange) begin() error {
	switch {
	case x.upgrade:
		return x.track(Socket)
	case hasToken(x.in.Header["Accept"], eventStream):
		return x.track(Events)
	}
	return nil
}

const eventStream = "text/event-stream"

// isEventStream reports whether an answer is an event stream, whatever was asked for.
func isEventStream(h http.Header) bool {
	return len(h["Content-Type"]) > 0 && len(h["Content-Type"][0]) >= len(eventStream) && strings.EqualFold(h["Content-Type"][0][:len(eventStream)], eventStream)
}

// track tells the tracker, once.
func (x *exchange) track(k Kind) error {
	if x.caller.Track == nil {
		return nil
	}
	x.ending.Lock()
	defer x.ending.Unlock()
	if x.over || x.tracked {
		return nil
	}
	done, err := x.caller.Track(k, x.finish)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStreamRefused, err)
	}
	x.tracked, x.untrack = true, done
	return nil
}

// finish ends the exchange. A socket says goodbye first; from whatever else the client hears no more.
func (x *exchange) finish(e Ending) {
	x.ending.Lock()
	if s := x.socket; s != nil {
		x.ending.Unlock()
		s.end(e) // also when it is over: it is closed then
		return
	}
	defer x.ending.Unlock()
	if x.over {
		return
	}
	x.cancel(fmt.Errorf("%w: %w", ErrEnded, e.Cause))
	now := time.Now()
	x.client.SetReadDeadline(now) // or a client that neither sends nor takes anything would hold the exchange
	x.client.SetWriteDeadline(now.Add(goodbye))
}

// ended reports whether somebody ended the exchange.
func (x *exchange) ended() bool { return x.Err() != nil }

// bound gives the upstream d from now on.
func (x *exchange) bound(d time.Duration) {
	since := time.Since(x.start)
	x.due.Store(int64(since + d))
	if since < longAfter {
		d = min(d, longAfter-since)
	}
	x.watch.Reset(d)
}

// unbound lets the upstream be silent for as long as it likes.
func (x *exchange) unbound() {
	x.due.Store(math.MaxInt64)
	x.watch.Stop()
}

// late is the timer's: the exchange is a long one by now, and perhaps its upstream was silent for too long.
func (x *exchange) late() {
	since := time.Since(x.start)
	if since >= longAfter {
		_ = x.track(Answer) // refused, it would have been before it began
	}
	switch due := x.due.Load(); {
	case due == math.MaxInt64:
	case due > int64(since):
		x.ending.Lock()
		x.watch.Reset(time.Duration(due) - since)
		x.ending.Unlock()
	default:
		x.cancel(ErrUpstreamTimeout)
	}
}

// overFor is why a stream is over that failed.
func overFor(err error) Over {
	switch {
	case errors.Is(err, ErrClientGone), errors.Is(err, ErrBodyTimeout):
		return OverClient
	case errors.Is(err, ErrUpstreamTimeout):
		return OverIdle
	}
	return OverFailed
}

// overBy is why the exchange is over. Where the upstream's body neither ended nor failed, it was the client that took no more.
func (x *exchange) overBy() Over {
	if s := x.socket; s != nil {
		return s.overBy()
	}
	return cmp.Or(x.how, OverClient)
}
