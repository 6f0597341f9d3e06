package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

var errDraining = errors.New("draining")

// addressHint is the second line of an error that the operator can mend.
const addressHint = "see whether another process has the address; port 0 takes a free one"

// closeGrace bounds what is left to do after the last request: refreshes under way, revocations that wait.
const closeGrace = 5 * time.Second

// Run listens and serves until stop is closed, then drains: readiness says no first, requests in flight finish within server.shutdown_grace,
// and refreshes under way write what they got. It returns nil after a clean stop. When ctx ends, it ends at once. A Server runs once.
func (s *Server) Run(ctx context.Context, stop <-chan struct{}) error {
	defer s.close()
	cfg := s.current.Load().cfg.Server
	l, err := openListeners(cfg)
	if err != nil {
		return err
	}
	defer l.close()
	return s.serve(ctx, stop, l)
}

func (s *Server) serve(ctx context.Context, stop <-chan struct{}, at listeners) error {
	background, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer s.begin(background, &wg)()
	wg.Go(func() { s.sessions.Watch(background) })
	failed := make(chan error, 3)
	start := func(name string, srv *http.Server, l net.Listener) {
		s.log.Info("listening", "listener", name, "address", l.Addr().String(), "tls", srv.TLSConfig != nil)
		serve := srv.Serve
		if srv.TLSConfig != nil {
			serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
		}
		wg.Go(func() {
			if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", name, err)
			}
		})
	}
	pub := s.httpServer(background, s.Handler())
	pub.ConnState = s.clients.watch
	if s.certs != nil {
		pub.TLSConfig, pub.HTTP2 = s.askForCertificates(s.certs.TLS()), http2Limits()
	}
	start("public", pub, at.public)
	defer pub.Close()
	if at.plain != nil {
		plain := s.httpServer(background, s.PlainHandler())
		plain.ConnState = s.clients.watch
		plain.ReadTimeout, plain.WriteTimeout = 10*time.Second, 30*time.Second
		start("http", plain, at.plain)
		defer plain.Close()
	}
	if s.certs != nil { // an ACME server asks at the listeners
		wg.Go(func() { s.certs.Run(background, at.forCerts()) })
	}
	if at.admin != nil {
		adm := s.httpServer(background, s.AdminHandler())
		adm.ReadTimeout, adm.WriteTimeout = 10*time.Second, 30*time.Second
		start("admin", adm, at.admin)
		defer adm.Close() // last, so that readiness can be read while the rest drains
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-stop:
	}
	return s.drain(ctx, pub)
}

// drain says "not ready", waits for balancers to hear it, stops listening, and waits for the requests in flight.
func (s *Server) drain(ctx context.Context, pub *http.Server) error {
	s.draining.Store(true)
	cfg := s.current.Load().cfg.Server
	s.log.Info("draining", "grace", cfg.ShutdownGrace.String())
	select { // a balancer that asks for readiness now and then still sends requests
	case <-time.After(cfg.ShutdownDelay):
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.ShutdownGrace)
	defer cancel()
	drained := make(chan struct{})
	go func() { s.streams.drain(ctx); close(drained) }()
	err := pub.Shutdown(ctx)
	<-drained // sockets are not the HTTP server's any more
	if err != nil || ctx.Err() != nil {
		// Streams do not finish by themselves; they are cut now, which their clients know how to handle.
		s.log.Warn("requests were still running at the end of the grace and are cut off")
		return nil
	}
	s.log.Info("drained")
	return nil
}

// httpServer has every limit that net/http leaves open by default. Bodies have theirs in edge.BodyTime
// and where a route reads them, answers in limitTime and a route's idle.
func (s *Server) httpServer(base context.Context, h http.Handler) *http.Server {
	cfg := s.current.Load().cfg.Server
	return &http.Server{
		Handler: h, ReadHeaderTimeout: cfg.ReadHeaderTimeout, IdleTimeout: cfg.IdleTimeout, MaxHeaderBytes: int(cfg.MaxHeader),
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what clients do wrong on the wire
		BaseContext:                  func(net.Listener) context.Context { return base },
		DisableGeneralOptionsHandler: true, // OPTIONS * meets the chain like everything else
	}
}

// close lets go of what New made, in the order in which it depends on each other.
func (s *Server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	s.streams.close()
	if err := s.sessions.Close(ctx); err != nil {
		s.log.Error("refreshes were still under way", "error", err)
	}
	s.machine.close()
	s.revoker.close(ctx)
	s.current.Load().table.Close()
	s.agents.Close()
	s.closeStore()
}
