package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Upgrades, the rule: one protocol crosses, WebSocket (RFC 6455), asked for by a GET over HTTP/1.1 without a body and with
// nothing else in Upgrade. A request for any other, h2c first of all, is refused with 400: behind an unknown protocol
// nobody checks paths and headers any more. Whether the handshake comes from our own origin is decided before Forward.
//
// An upstream that does not agree answers like to any request. Timeouts and size limits end with the handshake; a socket lives
// until one side closes it, the request's context ends, or Caller.Track's ending does, with a close frame (socket.go).

const webSocket = "websocket"

// wantsUpgrade reports whether a request asks for another protocol, and an error where we do not forward that.
func wantsUpgrade(r *http.Request) (bool, error) {
	if !hasToken(r.Header["Connection"], "upgrade") {
		return false, nil // a bare Upgrade header is no request for one, and does not cross
	}
	to := r.Header["Upgrade"]
	if len(to) == 0 {
		return false, nil
	}
	if len(to) != 1 || !strings.EqualFold(to[0], webSocket) {
		return false, fmt.Errorf("%w: asked for %.40q", ErrUpgradeRefused, to)
	}
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor < 1 || r.ContentLength != 0 {
		return false, fmt.Errorf("%w: not by a plain HTTP/1.1 GET", ErrUpgradeRefused)
	}
	return true, nil
}

// switched prepares a 101 answer: it must be to the protocol that was asked for.
func (x *exchange) switched(h http.Header) error {
	to := h["Upgrade"]
	if !x.upgrade || len(to) != 1 || !strings.EqualFold(to[0], webSocket) || !hasToken(h["Connection"], "upgrade") {
		return fmt.Errorf("%w: switched to a protocol that nobody asked for", ErrUpstream)
	}
	return nil
}

// connect puts what knows about frames between the two sides.
func (x *exchange) connect(res *http.Response) error {
	upstream, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		return fmt.Errorf("%w: switched over a connection that cannot be written to", ErrUpstream)
	}
	s := &socket{upstream: upstream}
	res.Body = s
	x.ending.Lock()
	defer x.ending.Unlock()
	x.socket = s
	return context.Cause(x) // ended a moment ago, when there was no socket yet
}

// hasToken reports whether a comma-separated header has a token.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
