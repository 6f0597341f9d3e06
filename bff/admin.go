package bff

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds how long readiness waits for a dependency.
const readyTimeout = 2 * time.Second

// AdminHandler answers on the second listener, which is never public: is the process alive, can it serve, how is it doing.
func (s *Server) AdminHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	m.HandleFunc("GET /readyz", s.readyz)
	m.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return m
}

// readyz answers 200 when new sign-ins and requests can be served, else 503; either way a line per dependency.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	ready := true
	line := func(name string, err error) {
		if err != nil {
			ready = false
			fmt.Fprintf(&b, "%s: %v\n", name, err)
			return
		}
		fmt.Fprintf(&b, "%s: ok\n", name)
	}
	line("store", s.storeReady(r.Context()))
	now := s.current.Load()
	for _, name := range now.providerNames {
		line("provider "+name, now.providers[name].Ready())
	}
	if s.draining.Load() {
		line("server", errDraining)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	noStore(w)
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	io.WriteString(w, b.String())
}

// storeReady asks the store at most once a second, whoever asks for readiness how often.
func (s *Server) storeReady(ctx context.Context) error { return s.ready.check(ctx, s.sessions.Check) }

// readiness remembers the store's last verdict for a second.
type readiness struct {
	mu   sync.Mutex
	at   time.Time
	last error
}

// check asks in its own time: a prober that hung up must not make the next ones hear that the store is away.
func (c *readiness) check(ctx context.Context, ask func(context.Context) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) > time.Second {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
		defer cancel()
		c.last = ask(ctx)
		c.at = time.Now()
	}
	return c.last
}
