package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"os"
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

// secondThought is how long a server is listened to that has asked for a certificate of ours. In TLS 1.3 our side of the handshake is over before it has looked at that (RFC 8446,
// section 4.4.2.4), and its refusal comes later.
const secondThought = time.Second

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
		p.Took, p.Err = s.shakeHands(ctx)
	default:
		p.Err = s.greet(ctx, nil)
	}
	if p.Took == 0 {
		p.Took = time.Since(start)
	}
	if p.Err != nil {
		p.Err = loggable(p.Err)
	}
	return p
}

// greet opens a connection as requests would, does what it is told with it, which may be nothing, and closes it.
func (s *server) greet(ctx context.Context, do func(context.Context, net.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.up.config.ConnectTimeout) // connecting and shaking hands have one each
	defer cancel()
	c, err := s.dial(&pools{}, make(chan struct{}, 1))(ctx, "tcp", s.hostPort())
	if err != nil {
		return err
	}
	defer c.Close()
	if do == nil {
		return nil
	}
	return do(ctx, c)
}

// shakeHands greets with TLS. took is until our side of the handshake was over, and 0 if that was never so.
func (s *server) shakeHands(ctx context.Context) (took time.Duration, err error) {
	start := time.Now()
	err = s.greet(ctx, func(ctx context.Context, c net.Conn) error {
		config, asked := s.handshake(), false
		own := config.Certificates
		config.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			for i := range own {
				if request.SupportsCertificate(&own[i]) == nil {
					return &own[i], nil
				}
			}
			return &tls.Certificate{}, nil // none, as without this function
		}
		secure := tls.Client(c, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		took = time.Since(start)
		if !asked {
			return nil
		}
		return listen(secure)
	})
	return took, err
}

// listen waits for a refusal. A server that says anything else, or nothing, has none.
func listen(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(secondThought)); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// handshake is that of requests to the server.
func (s *server) handshake() *tls.Config {
	s.up.mu.Lock()
	config := s.up.tls.base.Clone()
	s.up.mu.Unlock()
	if config.ServerName == "" {
		config.ServerName = s.name
	}
	switch s.up.config.Protocol {
	case "http1":
	case "http2":
		config.NextProtos = []string{"h2"}
	default:
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	return config
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
