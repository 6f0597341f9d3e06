package idp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is a Provider that listens.
type Server struct {
	provider *Provider
	server   *http.Server
	done     chan error // Serve's result
}

// Start serves a provider on addr, such as 127.0.0.1:0, whose real address becomes the issuer. It refuses an
// address that is not on loopback.
func Start(addr string, o Options) (*Server, error) {
	if err := checkAddr(addr); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	o.Issuer = "http://" + ln.Addr().String()
	p, err := New(o)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s := &Server{provider: p, done: make(chan error, 1), server: &http.Server{
		Handler: p, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}}
	go func() { s.done <- s.server.Serve(ln) }()
	return s, nil
}

// Issuer is the provider's issuer identifier, and the address of its home page.
func (s *Server) Issuer() string { return s.provider.Issuer() }

// Close stops listening, lets requests in flight finish for up to two seconds, and waits for back-channel calls.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	if serve := <-s.done; !errors.Is(serve, http.ErrServerClosed) {
		err = errors.Join(err, serve)
	}
	s.provider.Close()
	return err
}
