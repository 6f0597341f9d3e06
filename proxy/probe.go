package proxy

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// Probed is how one server of an upstream took to being called.
type Probed struct {
	// Upstream is its name, or the servers' addresses; Server is which one, without a path.
	Upstream, Server string
	// How is what was tried: "health check", "TLS handshake" or "connection".
	How string
	// Took is how long it took.
	Took time.Duration
	// Err is why it failed, or nil. It holds nothing that the server sent.
	Err error
}

// probing bounds how many servers are called at a time.
const probing = 16

// Probe calls every server once, all at the same time: the health check, where the configuration has one, else no more than a connection and
// its TLS handshake. The answers come in the order of the upstreams' names.
func (t *Table) Probe(ctx context.Context) []Probed {
	var all []*server
	for _, key := range slices.Sorted(maps.Keys(t.services)) {
		all = append(all, t.services[key].servers...)
	}
	out := make([]Probed, len(all))
	places := make(chan struct{}, probing)
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			out[i] = s.call(ctx)
		})
	}
	wg.Wait()
	return out
}

// call tries one server.
func (s *server) call(ctx context.Context) Probed {
	p := Probed{Upstream: s.up.name, Server: s.String(), How: "connection"}
	start := time.Now()
	switch {
	case s.up.config.Health.Path != "":
		p.How = "health check"
		p.Err = s.probe(ctx, s.up.config.Health)
	case s.scheme == "https":
		p.How = "TLS handshake"
		p.Err = s.greet(ctx, true)
	default:
		p.Err = s.greet(ctx, false)
	}
	p.Took = time.Since(start)
	if p.Err != nil {
		p.Err = loggable(p.Err)
	}
	return p
}

// greet opens a connection as requests would, and closes it.
func (s *server) greet(ctx context.Context, secure bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.up.config.ConnectTimeout) // connecting and shaking hands have one each
	defer cancel()
	c, err := s.dial(&pools{}, make(chan struct{}, 1))(ctx, "tcp", s.hostPort())
	if err != nil {
		return err
	}
	defer c.Close()
	if !secure {
		return nil
	}
	s.up.mu.Lock()
	config := s.up.tls.base.Clone()
	s.up.mu.Unlock()
	if config.ServerName == "" {
		config.ServerName = s.name
	}
	if s.up.config.Protocol == "http2" {
		config.NextProtos = []string{"h2"}
	}
	return tls.Client(c, config).HandshakeContext(ctx)
}

// hostPort is host with the scheme's own port where it names none.
func (s *server) hostPort() string {
	if _, _, err := net.SplitHostPort(s.host); err == nil {
		return s.host
	}
	port := "80"
	if s.scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(s.name, port)
}
