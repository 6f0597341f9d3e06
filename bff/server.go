package bff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/bff/provider"
	"cloakroom/bff/static"
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

// Server is one Cloakroom: its parts, wired. Make it with New, run it with Run.
type Server struct {
	cfg             *configs.Config
	log             *slog.Logger
	now             func() time.Time
	origin          edge.Origin
	trusted         []netip.Prefix
	laxCookie       bool
	providers       map[string]*provider.Provider
	providerNames   []string // sorted
	defaultProvider string
	store           session.Store
	sessions        *session.Manager
	logins          *loginCookies
	logoutStates    logoutStates
	table           *proxy.Table
	files           http.Handler // nil without an app
	revoker         *revoker
	streams         *streams
	metrics         *metrics
	ready           readiness
	draining        atomic.Bool
}

// New wires a server. It opens no connection: a store or a provider that is down shows in readiness, not here.
func New(cfg *configs.Config, o Options) (*Server, error) {
	s := &Server{cfg: cfg, log: o.Log, now: time.Now, laxCookie: cfg.Session.Cookie.SameSite == "lax"}
	var err error
	if s.origin, err = edge.ParseOrigin(cfg.Server.PublicURL); err != nil {
		return nil, fmt.Errorf("server.public_url: %w", err)
	}
	for _, p := range cfg.Server.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, fmt.Errorf("server.trusted_proxies: %w", err)
		}
		s.trusted = append(s.trusted, prefix)
	}
	s.metrics = newMetrics(o.Version)
	if err := s.wireProviders(); err != nil {
		return nil, err
	}
	if err := s.wireRoutes(o); err != nil {
		return nil, err
	}
	// Last, because from here on there is something to close.
	return s, s.wireSessions()
}

func (s *Server) wireProviders() error {
	s.providers = make(map[string]*provider.Provider, len(s.cfg.Providers))
	s.defaultProvider = s.cfg.DefaultProvider
	if len(s.cfg.Providers) == 1 {
		for s.defaultProvider = range s.cfg.Providers {
		}
	}
	for name, cfg := range s.cfg.Providers {
		p, err := provider.New(name, cfg, s.cfg.Server.PublicURL+s.callbackPath(name), provider.Deps{
			Log: s.log, OnError: func(kind string) { s.metrics.providerError(name, kind) },
			Orphaned: func(t provider.Tokens) { s.revoker.add(&session.Session{Provider: name, Tokens: session.Tokens(t)}) },
		})
		if err != nil {
			return fmt.Errorf("providers.%s: %w", name, err)
		}
		s.providers[name] = p
		s.providerNames = append(s.providerNames, name)
	}
	slices.Sort(s.providerNames)
	return nil
}

// callbackPath is where a provider sends the browser back. Each has its own, because not every one names itself in its answer (RFC 9207): by the
// path alone an answer of one is not taken for another's. The default provider has the short one.
func (s *Server) callbackPath(name string) string {
	if name == s.defaultProvider {
		return "/bff/callback"
	}
	return "/bff/callback/" + name
}

func (s *Server) wireSessions() error {
	switch s.cfg.Session.Store {
	case "memory":
		s.store = memory.New(s.cfg.Session.Memory)
	default:
		st, err := redis.New(s.cfg.Session.Redis, s.log)
		if err != nil {
			return fmt.Errorf("session.redis: %w", err)
		}
		s.store = st
		s.metrics.watchRedis(st.Health)
	}
	s.revoker = newRevoker(s.log, revocations{claim: s.claimRevocation, revoke: s.revoke, count: s.metrics.revoked})
	s.streams = newStreams(s.now, s.cfg.Session.IdleTimeout, questions{
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
	s.sessions, err = session.New(s.cfg.Session.Config, s.store, session.Deps{
		Refresh: s.refresh, RefreshTimeout: s.longestProviderTimeout(), Log: s.log, Now: s.now,
		InsecureCookies: s.cfg.Server.InsecureLocalhostCookies,
		Started:         s.metrics.sessionStarted, Ended: s.ended, EndedElsewhere: s.endedElsewhere, Orphaned: s.revoker.add, Refreshed: s.metrics.refreshed,
		Flushed: s.metrics.copiesFlushed,
		Gone:    s.streams.gone, Changed: s.streams.changed, Resubscribed: s.streams.resubscribed,
	})
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	key := s.sessions.SealKey
	s.logins = newLoginCookies(key("login cookie hash"), key("login cookie block"), s.cfg.Server.InsecureLocalhostCookies)
	s.logoutStates = newLogoutStates(key("logout state hash"), key("logout state block"))
	return nil
}

func (s *Server) wireRoutes(o Options) error {
	var err error
	if s.table, err = proxy.Compile(s.cfg.Routes, proxy.Deps{
		Via: s.origin.Host, Log: s.log, OnError: s.upstreamFailed, ObserveUpstream: observeUpstream,
	}); err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	if s.cfg.SPA.Dir == "" && s.cfg.SPA.DevServer == "" && o.SPA == nil {
		return nil
	}
	s.files, err = static.New(s.cfg.SPA, static.Deps{Log: s.log, Files: o.SPA, Origin: s.origin.String(), OnError: s.filesFailed})
	if err != nil {
		return fmt.Errorf("spa: %w", err)
	}
	return nil
}

// Handler returns the whole pipeline, in the order in which a request meets it.
func (s *Server) Handler() http.Handler {
	return edge.Chain(s.routes(), // each route: cross-site check → session, if it wants one → access token → upstream
		edge.RequestID(),                       // first: every later record carries it
		edge.AccessLog(s.log, s.metrics.count), // outside Recover: a panic is logged as its 500
		edge.SecurityHeaders(s.origin),         // outside whatever may answer, so that every answer has them
		edge.WithPages(web.PageCSP(""), renderProblem),
		edge.Recover(),
		edge.CloseChunked(),      // a connection that may have framed a body in two ways is not used again
		edge.BodyTime(smallTime), // before whatever may answer without reading the body
		edge.Methods(),           // CONNECT has neither a host nor a path to look at
		edge.ClientIP(s.trusted), // before whatever is keyed by address, or refused with a record of who asked
		edge.Host(s.origin),      // nothing is answered under a foreign name
		edge.CanonicalPath(),     // before anything looks at the path
	)
}

// routes is the map of everything that is answered. Endpoints under own depend on the session and take requests of our own
// pages only; the others say in their file why they need no such proof.
func (s *Server) routes() http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /bff/login", named("login", edge.Handler(s.login)))
	m.Handle("GET /bff/callback", named("callback", edge.Handler(s.callback)))
	m.Handle("GET /bff/callback/{provider}", named("callback", edge.Handler(s.callback)))
	m.Handle("GET /bff/user", named("user", s.own(s.user)))
	m.Handle("GET /bff/events", named("events", s.own(s.events)))
	m.Handle("POST /bff/keepalive", named("keepalive", s.own(s.keepalive)))
	m.Handle("GET /bff/sessions", named("sessions", s.own(s.devices)))
	m.Handle("DELETE /bff/sessions", named("sessions", s.own(s.endOthers)))
	m.Handle("DELETE /bff/sessions/{id}", named("session", s.own(s.endDevice)))
	m.Handle("POST /bff/logout", named("logout", s.own(s.logout)))
	m.Handle("GET /bff/logout", named("logout", edge.Handler(s.logoutPage)))
	m.Handle("POST /bff/backchannel", named("backchannel", edge.Handler(s.backchannel)))
	m.Handle("GET /bff/frontchannel", named("frontchannel", edge.Handler(s.frontchannel)))
	m.Handle("GET /bff/problems/{code}", named("problems", edge.Explain()))
	none := named("none", edge.Handler(func(w http.ResponseWriter, r *http.Request) error { return noEndpoint(m, w, r) }))
	m.Handle("HEAD /bff/callback", none) // GET would take it along, and it would spend the code
	m.Handle("HEAD /bff/events", none)   // or hold a stream open that nobody reads
	m.Handle("HEAD /bff/frontchannel", none)
	m.Handle("/bff/", none)
	m.Handle("/bff", none) // or ServeMux would answer with a redirect of its own, which caches keep
	app := edge.Handler(s.app)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !reserved(r.URL.Path) {
			app.ServeHTTP(w, r)
			return
		}
		limitTime(w)
		m.ServeHTTP(w, r)
	})
}

// noEndpoint answers what is under /bff and is no endpoint, or not for this method.
func noEndpoint(m *http.ServeMux, w http.ResponseWriter, r *http.Request) error {
	if preflight(r) {
		return answerPreflight(w)
	}
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		switch _, pattern := m.Handler(probe); strings.SplitN(pattern, " ", 2)[0] {
		case http.MethodGet, http.MethodPost, http.MethodDelete:
			allow = append(allow, method)
		}
	}
	if allow != nil {
		return methodNotAllowed(allow)
	}
	return &edge.Problem{Code: "not_found"}
}

// named puts an endpoint's name into the request's record, where a route has its pattern.
func named(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edge.From(r.Context()).Route = "bff/" + name
		next.ServeHTTP(w, r)
	})
}

// smallTime is how long a client may take to send a small body, or to take a small answer. Proxied routes have their own bounds, and
// streams have none.
const smallTime = time.Minute

// limitTime bounds how long an answer of ours may take to leave.
func limitTime(w http.ResponseWriter) {
	// A connection that cannot have a deadline is a test's recorder.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(smallTime))
}

// event writes a security event's record.
func (s *Server) event(r *http.Request, name string, attrs ...slog.Attr) {
	edge.Event(r.Context(), s.log, name, attrs...)
}

// renderProblem hands the page of a problem to the edge, which knows nothing of pages.
func renderProblem(w io.Writer, p edge.Page) error {
	return web.RenderPage(w, web.PageData{Title: p.Title, Text: p.Text, RequestID: p.RequestID, ActionURL: p.Action, ActionLabel: p.ActionLabel})
}

// claimRevocation is how the revoker learns whether another replica revokes a session's tokens.
func (s *Server) claimRevocation(ctx context.Context, sess *session.Session, owner session.WriteID) (bool, error) {
	return s.sessions.ClaimRevocation(ctx, sess, owner)
}

// revoke is the revoker's way to the provider.
func (s *Server) revoke(ctx context.Context, r revocation) error {
	p, ok := s.providers[r.provider]
	if !ok {
		return errors.New("provider is no longer configured")
	}
	return p.Revoke(ctx, r.token, r.hint)
}
