package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Bodies, the rule: neither side may be silent for longer than the route's `idle` while a body is on its way, and none is longer
// than the route allows. A body of unknown length that turns out too long is cut off visibly: the upstream's connection
// is closed before the end of the request, or the client's before the end of the answer.
//
// A client that sends a byte now and then would hold two connections for ever (slowloris). So all waiting for a body together takes no longer than
// `idle`, and what its bytes take at the slowest rate that the route allows.

// maxReplay bounds, in bytes, a request body that is kept for a second try after the token was renewed.
const maxReplay = 64 << 10

// prepareBody gives out its body: none, one that is kept, or one that is watched.
func (x *exchange) prepareBody(out *http.Request) error {
	if out.ContentLength == 0 || out.Body == nil || out.Body == http.NoBody || x.replay != nil {
		return nil
	}
	watched := &requestBody{x: x, body: out.Body, left: int64(x.route.Config.Request.MaxBody)}
	watched.limited = watched.left > 0
	out.Body = watched
	if x.caller.Renew == nil || out.ContentLength < 0 || out.ContentLength > maxReplay {
		x.inBothDirections()
		return nil
	}
	x.replay = make([]byte, out.ContentLength)
	if _, err := io.ReadFull(watched, x.replay); err != nil {
		return err
	}
	x.forgive()
	out.Body = io.NopCloser(bytes.NewReader(x.replay))
	return nil
}

// inBothDirections lets an answer out while the body still comes in. Otherwise net/http reads on in the body before it sends the
// answer, and a client that waits for the answer gets neither: an early 413 would never arrive.
func (x *exchange) inBothDirections() { x.client.EnableFullDuplex() } // HTTP/2 always does

// requestBody is a client's body as the upstream's connection reads it.
type requestBody struct {
	x       *exchange
	body    io.ReadCloser
	left    int64
	limited bool
	came    int64         // bytes so far
	waited  time.Duration // for the client, not for the upstream
}

// patient is how much longer the client may let itself be waited for.
func (b *requestBody) patient() time.Duration {
	idle, rate := b.x.route.Config.Idle, int64(b.x.route.Config.Request.MinRate)
	if rate <= 0 {
		return idle
	}
	whole, part := min(b.came/rate, math.MaxInt32), b.came%rate // not to overflow
	earned := time.Duration(whole)*time.Second + time.Duration(part)*time.Second/time.Duration(rate)
	return min(idle, idle+earned-b.waited)
}

// Read counts, and moves both deadlines: the client's to send on, and the upstream's, whose time to answer starts
// when it has what it needs.
func (b *requestBody) Read(p []byte) (int, error) {
	conf := &b.x.route.Config
	patient, began := b.patient(), time.Now()
	if !b.x.awaitBody(began.Add(patient)) || b.x.ended() {
		return 0, http.ErrBodyReadAfterClose
	}
	b.x.patience(patient + conf.Timeout)
	n, err := b.body.Read(p)
	b.came += int64(n)
	b.waited += time.Since(began)
	b.x.patience(conf.Timeout)
	if err == nil || err == io.EOF {
		b.x.readBy.Store(0)
	}
	b.left -= int64(n)
	if b.limited && b.left < 0 {
		b.x.cancel(ErrBodyTooLarge)
		return 0, ErrBodyTooLarge
	}
	switch {
	case err == io.EOF:
		b.x.forgive()
	case err != nil:
		err = b.x.clientFault(err)
		b.x.cancel(err)
	}
	return n, err
}

// Close leaves the body to the server, which owns it.
func (b *requestBody) Close() error { return nil }

// patience says how long the upstream may take from now on. Once it has answered, its body has deadlines of its own.
func (x *exchange) patience(d time.Duration) {
	if !x.answered.Load() {
		x.bound(d)
	}
}

// awaitBody gives the client until deadline to send on. It answers false when the exchange is over.
func (x *exchange) awaitBody(deadline time.Time) bool {
	x.readBy.Store(deadline.UnixNano())
	return x.setReadDeadline(deadline)
}

// forgive takes the client's read deadline away. The server reads on behind the body, to learn when the client hangs up; a
// deadline left there would look as if it had.
func (x *exchange) forgive() { x.setReadDeadline(time.Time{}) }

// setReadDeadline sets the client's deadline as long as the exchange lasts. A transport may read in a body a moment longer than that, when
// the upstream answers before it has all; by then the connection serves another request, and of an HTTP/2 stream there is nothing left to
// call: net/http panics, in a goroutine where nobody recovers.
func (x *exchange) setReadDeadline(t time.Time) bool {
	x.ending.Lock()
	defer x.ending.Unlock()
	if !x.over {
		x.client.SetReadDeadline(t) // not supported outside of a server; then nobody waits
	}
	return !x.over
}

// end marks that nothing of the client may be touched any more.
func (x *exchange) end() {
	x.ending.Lock()
	x.over = true
	untrack := x.untrack
	x.ending.Unlock()
	if untrack != nil {
		untrack(x.overBy())
	}
}

// overdue reports whether a read of the client's body has missed its deadline. Clocks may differ by a little.
func (x *exchange) overdue() bool {
	by := x.readBy.Load()
	return by != 0 && time.Now().Add(10*time.Millisecond).UnixNano() >= by
}

// clientFault says why a client's body could not be read.
func (x *exchange) clientFault(err error) error {
	var network *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrBodyTimeout
	case x.in.Context().Err() != nil, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.As(err, &network):
		return ErrClientGone
	}
	return fmt.Errorf("%w: malformed body", ErrBadRequest)
}

// responseBody is an upstream's body as it is copied to the client.
type responseBody struct {
	x       *exchange
	res     *http.Response
	body    io.ReadCloser
	left    int64
	limited bool
}

// Read waits for the upstream as long as idle, and gives the client as long to take what came.
func (b *responseBody) Read(p []byte) (int, error) {
	idle := b.x.route.Config.Idle
	b.x.bound(idle)
	n, err := b.body.Read(p)
	if n > 0 {
		b.x.client.SetWriteDeadline(time.Now().Add(idle))
		if b.x.ended() {
			n, err = 0, context.Cause(b.x) // ended meanwhile: its deadline must not be moved on
		}
	}
	b.left -= int64(n)
	if b.limited && b.left < 0 {
		n, err = 0, ErrResponseTooLarge
	}
	switch {
	case err == io.EOF:
		b.x.how = OverUpstream
	case err != nil:
		b.x.brokeOff(err)
	}
	return n, err
}

// Close ends the wait. Trailers do not cross: nobody has looked at them when the answer is let out, and a browser's
// scripts cannot read them. gRPC's do, without which a call is not complete.
func (b *responseBody) Close() error {
	b.x.unbound()
	err := b.body.Close()
	if !b.x.grpc || !isGRPC(b.res.Header) {
		b.res.Trailer = nil
	}
	b.x.trailers(b.res.Trailer)
	return err
}

// brokeOff records why an answer ends half-way. The client sees its connection end.
func (x *exchange) brokeOff(err error) {
	err = x.verdict(err)
	x.how = overFor(err)
	if errors.Is(err, ErrClientGone) || errors.Is(err, ErrEnded) {
		return // not an error
	}
	x.route.deps.Log.LogAttrs(context.WithoutCancel(x.in.Context()), slog.LevelWarn, "answer broke off",
		slog.String("route", x.route.Config.Path), slog.String("request_id", x.caller.RequestID), slog.Any("err", err))
}
