// Package up is an upstream that says what it was asked: method, target, every header in the order and spelling in
// which it arrived, and the body. By the last element of the path it also streams, holds, breaks off and misbehaves:
//
//	…/sse         two server-sent events, the second one after Release
//	…/ws          echoes WebSocket messages
//	…/hold        answers after Release
//	…/status/503  answers with that status
//	…/big         answers one MiB
//	…/abort       breaks off in the middle of the body
//	…/hostile     sets every header that an upstream should not get through to a browser
//	…/hints       sends 103 before the answer
//	…/json        a small JSON document
//	…/silent/x    answers after Release of the gate silent/x
//	…/begun/x     answers the first half, and the second one after Release of begun/x
//	…/upload/x    says how long the body was; its first byte is at the gate upload/x
package up

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Request is what arrived.
type Request struct {
	Method string
	// Target is the request line's second word.
	Target string
	// Headers are the raw header lines in their order.
	Headers [][2]string
	Body    string
}

// Values returns the values of a header, whatever its spelling.
func (r Request) Values(name string) []string {
	var values []string
	for _, h := range r.Headers {
		if strings.EqualFold(h[0], name) {
			values = append(values, h[1])
		}
	}
	return values
}

// Bearer returns the token of the only Authorization header, or an empty string.
func (r Request) Bearer() string {
	values := r.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	token, _ := strings.CutPrefix(values[0], "Bearer ")
	return token
}

// Upstream is a running server on loopback.
type Upstream struct {
	// URL is where it listens, without a path.
	URL string

	server *http.Server
	served sync.WaitGroup

	mu    sync.Mutex
	seen  []Request
	gates map[string]*Gate  // by the last element of the path
	weak  map[string]string // the bearers that demanding targets do not take, by target
}

// Start listens on a free port of 127.0.0.1.
func Start() (*Upstream, error) { return Listen("127.0.0.1:0") }

// Listen listens on the given address.
func Listen(address string) (*Upstream, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("start upstream: %w", err)
	}
	return On(listener), nil
}

// On serves a listener, such as that of a socket in the file system.
func On(listener net.Listener) *Upstream {
	u := &Upstream{URL: "http://" + listener.Addr().String(), gates: make(map[string]*Gate), weak: make(map[string]string)}
	u.server = &http.Server{
		Handler:           u,
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, rawKey{}, c)
		},
	}
	u.served.Go(func() { _ = u.server.Serve(rawListener{listener}) })
	return u
}

// Close ends the server and everything that it holds.
func (u *Upstream) Close() error {
	u.mu.Lock()
	for _, g := range u.gates {
		g.Release()
	}
	u.mu.Unlock()
	err := u.server.Close()
	u.served.Wait()
	return err
}

// Seen returns what arrived so far.
func (u *Upstream) Seen() []Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Request(nil), u.seen...)
}

// Forget empties the list of what arrived.
func (u *Upstream) Forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen = nil
}

// Thumbprint names a token without repeating it.
func Thumbprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:12]
}
