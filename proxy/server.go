package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cloakroom/proxy/compose"
)

// server is one of the servers of an upstream.
type server struct {
	address
	up       *service
	health   health
	wake     chan struct{} // tells the check that the server is left alone, see check.go
	requests chan struct{} // a place for each connection, whichever pool has it
	streams  chan struct{}
	current  atomic.Pointer[pools]
	retired  []*pools // guarded by up.mu

	picks, failures atomic.Uint64
}

func newServer(up *service, a address) *server {
	h := &up.config.Health
	s := &server{address: a, up: up, wake: make(chan struct{}, 1), requests: make(chan struct{}, up.config.MaxConnections), streams: make(chan struct{}, maxStreams)}
	s.health.limit, s.health.checked = h.Failures, h.Path != ""
	s.current.Store(s.newPools(time.Now()))
	return s
}

// aim points a request at the server.
func (s *server) aim(out *http.Request) {
	out.URL.Scheme, out.URL.Host = s.scheme, s.host
	out.Host = "" // the URL's: a client's Host decides nothing
}

// roundTrip sends a request, and takes note of how that went.
func (s *server) roundTrip(out *http.Request, stream bool) (*http.Response, error) {
	s.picks.Add(1)
	p := s.current.Load()
	pool := p.requests
	if stream {
		pool = p.streams
	}
	res, err := pool.RoundTrip(out)
	if err == nil {
		s.succeeded(byRequest)
	} else if blames(out.Context()) {
		s.failed(byRequest, err)
	}
	return res, err
}

// blames reports whether a request that failed tells something about the server: nobody else ended it, or the server took too long.
func blames(ctx context.Context) bool {
	cause := context.Cause(ctx)
	if _, ok := errors.AsType[*compose.Failure](cause); ok {
		return false // another leg's: that one's server may have been too slow, not this one
	}
	if cause == nil {
		return true
	}
	inTime := ctx.Value(hurriedKey{}) == nil // see leg.less
	return inTime && (errors.Is(cause, ErrUpstreamTimeout) || errors.Is(cause, context.DeadlineExceeded))
}

func (s *server) succeeded(by evidence) {
	if s.health.succeeded(by) {
		s.up.log.Info("upstream is back", "upstream", s.up.name, "server", s.String())
	}
}

func (s *server) failed(by evidence, err error) {
	s.failures.Add(1)
	while := s.health.failed(by, time.Now())
	if while == 0 {
		return
	}
	s.up.log.LogAttrs(context.Background(), slog.LevelWarn, "upstream is left alone", slog.String("upstream", s.up.name), slog.String("server", s.String()),
		slog.String("for", while.String()), slog.Any("err", loggable(err)))
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// closeIdle drops the connections that are idle.
func (s *server) closeIdle() {
	s.current.Load().closeIdle()
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	for _, p := range s.retired {
		p.closeIdle()
	}
}

// dial opens connections for one generation of pools. All generations together have no more than places, whose owners wait otherwise.
func (s *server) dial(p *pools, places chan struct{}) func(context.Context, string, string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: s.up.config.ConnectTimeout, KeepAlive: 30 * time.Second, Resolver: s.up.resolver}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if s.socket != "" {
			network, addr = "unix", s.socket
		}
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			<-places
			return nil, err
		}
		p.open.Add(1)
		return &connection{Conn: c, left: func() { p.open.Add(-1); <-places }}, nil
	}
}

// connection gives its place back when it is closed.
type connection struct {
	net.Conn
	once sync.Once
	left func()
}

// Close closes the connection.
func (c *connection) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.left)
	return err
}

// CloseWrite says that no more will be sent; sockets need it.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
