package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// maxStreams bounds the connections for sockets and event streams to one server. They have connections of their own: as
// many as there are open pages, they would otherwise leave none for the requests of those pages.
const maxStreams = 16 << 10

// maxAnswerHeaders bounds the headers of an upstream's answer, in bytes.
const maxAnswerHeaders = 256 << 10

// pools are one generation of the connections to one server.
type pools struct {
	requests, streams pool
	checks            http.RoundTripper // keeps no connection
	until             time.Time         // when they are stale, see upkeep.go
	open              atomic.Int64      // connections
}

// pool is a transport that keeps connections.
type pool interface {
	http.RoundTripper
	CloseIdleConnections()
}

func (p *pools) closeIdle() {
	p.requests.CloseIdleConnections()
	p.streams.CloseIdleConnections()
}

// newPools makes the server's next generation of pools, with the certificates of now.
func (s *server) newPools(now time.Time) *pools {
	p := &pools{until: s.up.until(now)}
	p.requests = s.up.transport(s.dial(p, s.requests), cap(s.requests))
	p.streams = s.up.transport(s.dial(p, s.streams), cap(s.streams))
	checks := s.up.transport(s.dial(&pools{}, make(chan struct{}, 1)), 0)
	checks.DisableKeepAlives = true
	p.checks = checks
	return p
}

// transport makes up to most connections to one server. Routes to the same one share it; how long a request may take is each
// route's own and kept by its exchange.
//
// No environment proxy: the configuration says where requests go. No compression of ours: bodies pass as they are. Redirects
// are not followed by a transport. Certificates are always verified.
func (u *service) transport(dial func(context.Context, string, string) (net.Conn, error), most int) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        u.tls.base.Clone(),
		TLSHandshakeTimeout:    u.config.ConnectTimeout,
		Protocols:              u.protocols(),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		DisableCompression:     true,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    256,
		MaxConnsPerHost:        most, // further requests wait for one, as long as their timeout allows
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		WriteBufferSize:        4 << 10,
		ReadBufferSize:         4 << 10,
	}
}

// protocols are those of `protocol`. What is not among them is not offered in a TLS handshake either.
func (u *service) protocols() *http.Protocols {
	p := new(http.Protocols)
	switch u.config.Protocol {
	case "http1":
		p.SetHTTP1(true)
	case "http2":
		p.SetHTTP2(true)
	case "h2c":
		p.SetUnencryptedHTTP2(true)
	default:
		p.SetHTTP1(true)
		p.SetHTTP2(true)
	}
	return p
}

// stream reports whether the exchange gets a connection for streams. A client that lies about what it wants waits with others of its kind, no more.
func (x *exchange) stream() bool { return x.upgrade || hasToken(x.in.Header["Accept"], eventStream) }

// sender is every route's transport: it hands the request to the route's upstream, times the upstream, and does the one replay.
type sender struct{}

// RoundTrip sends a request as the exchange wants it.
//
// That is the request as Rewrite left it, under the exchange's own context: into the one that comes here ReverseProxy has hung a trace that hands
// 1xx answers to the client unfiltered, cookies included, and without a bound. Without it the transport drops them, and gives up after five.
func (sender) RoundTrip(traced *http.Request) (*http.Response, error) {
	x := traced.Context().Value(exchangeKey{}).(*exchange)
	out := x.out
	out.GetBody = x.rewind()
	start := time.Now()
	res, err := x.route.up.send(out, x.stream())
	if err == nil && res.StatusCode == http.StatusUnauthorized && x.challenged(res) == nil {
		res, err = x.secondTry(out, res)
	}
	if err == nil {
		x.answered.Store(true)
	}
	if observe := x.route.deps.ObserveUpstream; observe != nil {
		observe(x.in, time.Since(start))
	}
	return res, err
}

// rewind gives the transport the body again, where a connection turned out dead before anything was written to it.
func (x *exchange) rewind() func() (io.ReadCloser, error) {
	if x.replay == nil {
		return nil
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.replay)), nil }
}

// challenged is what the caller makes of a 401: an error where another token of the same kind would be refused, too.
func (x *exchange) challenged(res *http.Response) error {
	if res.StatusCode != http.StatusUnauthorized || x.caller.Challenged == nil {
		return nil
	}
	if err := x.caller.Challenged(res.Header["Www-Authenticate"]); err != nil {
		return fmt.Errorf("%w: %w", ErrChallenged, err)
	}
	return nil
}

// secondTry answers an upstream's 401 to our own token: renew it, send the request once more, and let that answer stand.
func (x *exchange) secondTry(out *http.Request, refused *http.Response) (*http.Response, error) {
	if x.caller.Renew == nil || x.caller.Bearer == "" || (out.Body != nil && x.replay == nil) {
		return refused, nil
	}
	x.bound(math.MaxInt32 * time.Second) // what now takes time is the provider, who has a timeout of its own
	bearer, ok := x.caller.Renew(x)
	x.bound(x.route.Config.Timeout)
	if !ok || bearer == "" {
		return refused, nil
	}
	io.CopyN(io.Discard, refused.Body, 4<<10) // a short answer read to its end leaves the connection fit for use
	refused.Body.Close()
	again := out.Clone(x)
	again.Header["Authorization"] = []string{"Bearer " + bearer}
	x.caller.Bearer = bearer
	if x.replay != nil {
		again.Body, _ = again.GetBody()
	}
	return x.route.up.send(again, x.stream())
}
