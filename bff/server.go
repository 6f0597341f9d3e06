package bff

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"cloakroom/bff/certs"
	"cloakroom/bff/edge"
	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/session"
	"cloakroom/session/memory"
	"cloakroom/session/redis"
	"cloakroom/web"
)

// Options are what a server needs beside its configuration.
type Options struct {
	// Log takes every record. Required.
	Log *slog.Logger
	// Version is shown in the metrics only.
	Version string
	// SPA replaces spa.dir by files that are part of the program. May be nil.
	SPA fs.FS
}

// Server is one Cloakroom: its parts, wired. Make it with New, run it with Run. What it holds lives as long as the process does; what a new configuration
// may change is in the site that is current.
type Server struct {
	log       *slog.Logger
	now       func() time.Time
	spa       fs.FS // nil but where the app is part of the program
	origin    edge.Origin
	laxCookie bool
	store     session.Store
	runner    *redis.Runner // counts for all replicas; nil with a store in memory
	agents    *policy.OPAClient
	sessions  *session.Manager
	revoker   *revoker
	certs     *certs.Keeper // nil without server.tls
	streams   *streams
	clients   *connections
	metrics   *metrics
	ready     readiness
	draining  atomic.Bool
	current   atomic.Pointer[site]
	room      *proxy.Room // for composed answers, over all generations

	generations generations
	machine     *machineTokens
	holds       *lru.Cache[holdKey, time.Time] // until when
}

// composeRoom is the memory, in bytes, that composed answers may take together, as package compose reckons it: fifty of a MiB each that are shaped, or
// thousands of the usual size.
const composeRoom = 512 << 20

// New wires a server. It opens no connection: a store or a provider that is down shows in readiness, not here.
func New(cfg *configs.Config, o Options) (*Server, error) {
	s := &Server{log: o.Log, now: time.Now, spa: o.SPA, laxCookie: cfg.Session.Cookie.SameSite == "lax", metrics: newMetrics(o.Version)}
	s.generations.patience = learnTime
	s.clients = &connections{most: int64(cfg.Server.MaxConnections), refused: s.metrics.connectionRefused}
	s.room = proxy.NewRoom(composeRoom)
	var err error
	if s.origin, err = edge.ParseOrigin(cfg.Server.PublicURL); err != nil {
		return nil, fmt.Errorf("server.public_url: %w", err)
	}
	if err = s.wireTLS(cfg.Server); err != nil {
		return nil, err
	}
	if err = s.wireStore(cfg.Session); err != nil {
		return nil, err
	}
	first, err := s.newSite(cfg, nil)
	if err != nil {
		s.closeStore()
		return nil, err
	}
	s.current.Store(first)
	s.metrics.watchUpstreams(func() []proxy.ServerStatus { return s.current.Load().table.Upstreams() })
	// Last, because from here on there is something to close.
	return s, s.wireSessions(cfg.Session)
}

// Check wires a server and lets go of it again: it says what serve would refuse at the start that a configuration alone does not show. It calls nobody.
func Check(cfg *configs.Config) error {
	s, err := New(cfg, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	s.close()
	return nil
}

// wireStore makes what keeps sessions, and what else is kept beside them. It connects to nobody.
func (s *Server) wireStore(cfg configs.Session) error {
	s.agents = policy.NewOPAClient(policy.OPADeps{Now: s.now})
	if cfg.Store == "memory" {
		s.store = memory.New(cfg.Memory)
		return nil
	}
	st, err := redis.New(cfg.Redis, s.log)
	if err != nil {
		return fmt.Errorf("session.redis: %w", err)
	}
	s.store = st
	if s.runner, err = redis.NewRunner(cfg.Redis); err != nil {
		s.closeStore()
		return fmt.Errorf("session.redis: %w", err)
	}
	s.metrics.watchRedis(st.Health)
	return nil
}

// counting is how limits are counted for all replicas: nil where each process counts for itself.
func (s *Server) counting(timeout time.Duration) limit.Script {
	if s.runner == nil {
		return nil
	}
	return s.runner.Script(limit.Lua, timeout)
}

// closeStore lets go of what wireStore made.
func (s *Server) closeStore() {
	if s.runner != nil {
		if err := s.runner.Close(); err != nil {
			s.log.Error("close the connections that count", "error", err)
		}
	}
	if err := s.store.Close(); err != nil {
		s.log.Error("close session store", "error", err)
	}
}

func (s *Server) wireSessions(cfg configs.Session) error {
	if err := s.wireTokens(); err != nil {
		return err
	}
	s.revoker = newRevoker(s.log, revocations{claim: s.claimRevocation, revoke: s.revoke, count: s.metrics.revoked, why: s.whyEnded})
	s.streams = newStreams(s.now, cfg.IdleTimeout, questions{
		left: func(ctx context.Context, sess *session.Session) (time.Duration, error) {
			return s.sessions.IdleLeft(ctx, sess)
		},
		why: func(ctx context.Context, id session.ID) (string, error) { return s.sessions.Why(ctx, id) },
	}, s.metrics)
	s.metrics.watchCopies(func() bool { return s.sessions.CopiesTrusted() })
	return s.wireManager()
}

// wireManager makes what works on the store.
func (s *Server) wireManager() (err error) {
	cfg := s.current.Load().cfg
	s.sessions, err = session.New(cfg.Session.Config, s.store, session.Deps{
		Refresh: s.refresh, RefreshTimeout: longestTimeout(cfg.Providers), Log: s.log, Now: s.now,
		InsecureCookies: cfg.Server.InsecureLocalhostCookies,
		Started:         s.metrics.sessionStarted, Ended: s.ended, EndedElsewhere: s.endedElsewhere, Orphaned: s.revoker.addLate, Refreshed: s.metrics.refreshed,
		Flushed: s.metrics.copiesFlushed,
		Gone:    s.streams.gone, Changed: s.streams.changed, Resubscribed: s.streams.resubscribed,
	})
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// Handler answers everything that comes to the public listener, each request by the site of its time.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.current.Load().handler.ServeHTTP(w, r) })
}

// event writes a security event's record.
func (s *Server) event(r *http.Request, name string, attrs ...slog.Attr) {
	edge.Event(r.Context(), s.log, name, attrs...)
}

// renderProblem hands the page of a problem to the edge, which knows nothing of pages.
func renderProblem(w io.Writer, p edge.Page) error {
	return web.RenderPage(w, web.PageData{
		Title: p.Title, Text: p.Text, RequestID: p.RequestID,
		ActionURL: p.Action, ActionLabel: p.ActionLabel, CancelURL: p.Aside.URL, CancelLabel: p.Aside.Label,
	})
}

// claimRevocation is how the revoker learns whether another replica revokes a session's tokens.
func (s *Server) claimRevocation(ctx context.Context, sess *session.Session, owner session.WriteID) (bool, error) {
	return s.sessions.ClaimRevocation(ctx, sess, owner)
}

// whyEnded is how the revoker learns why a session ended.
func (s *Server) whyEnded(ctx context.Context, id session.ID) (string, error) {
	return s.sessions.Why(ctx, id)
}

// revoke is the revoker's way to the provider.
func (s *Server) revoke(ctx context.Context, r revocation) error {
	p, err := s.current.Load().issuer(r.provider, r.issuer)
	if err != nil {
		return err
	}
	return p.Revoke(ctx, r.token, r.hint)
}
