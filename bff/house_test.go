package bff

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/idp"
	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/session"
)

// house is a whole server in this process: a provider that signs real tokens, an upstream that echoes, the memory store.
type house struct {
	t        testing.TB
	server   *Server
	origin   string       // http://localhost:port, or https
	plain    net.Listener // beside TLS; else nil
	admin    string       // http://127.0.0.1:port
	idp      *idp.Server
	upstream *echo
	log      *syncBuffer
	stop     func() error // drains, and returns what Run returned
}

// newHouse starts one and waits until it is ready; change may alter the configuration before.
func newHouse(t testing.TB, change func(*configs.Config)) *house {
	t.Helper()
	h := newHouseUnready(t, change)
	h.eventually("ready", func() bool { return h.get(h.admin+"/readyz").StatusCode == http.StatusOK })
	return h
}

// newHouseUnready waits for the provider only. Its store goes through wrap.
func newHouseUnready(t testing.TB, change func(*configs.Config), wrap ...func(session.Store) session.Store) *house {
	t.Helper()
	return newHouseOver(t, "http", change, wrap...)
}

// newHouseOver is newHouseUnready with a scheme. With https, change says where the certificate comes from.
func newHouseOver(t testing.TB, scheme string, change func(*configs.Config), wrap ...func(session.Store) session.Store) *house {
	t.Helper()
	public, admin := listen(t), listen(t)
	h := &house{t: t, log: new(syncBuffer), upstream: newEcho(t)}
	h.origin = scheme + "://localhost:" + port(public)
	if scheme == "https" {
		h.plain = listen(t)
	}
	h.admin = "http://127.0.0.1:" + port(admin)
	var err error
	h.idp, err = idp.Start("127.0.0.1:0", idp.Options{Clients: []idp.Client{{
		ID: "spa", Secret: "m7Qv2kXw9RtB4nLzD1sYhJ6p", RedirectURIs: []string{h.origin + "/bff/callback"},
		PostLogoutRedirectURIs: []string{h.origin + logoutPath}, BackchannelLogoutURI: h.origin + "/bff/backchannel",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.idp.Close() })
	cfg := h.config(t)
	if change != nil {
		change(cfg)
	}
	h.server, err = New(cfg, Options{Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrap {
		h.server.store = w(h.server.store)
		if err := h.server.wireManager(); err != nil {
			t.Fatal(err)
		}
	}
	h.run(public, admin)
	return h
}

// config is a small, valid configuration.
func (h *house) config(t testing.TB) *configs.Config {
	t.Helper()
	cfg, err := configs.Parse("test.yaml", []byte(`
server: {public_url: "`+h.origin+`"}
providers:
  main: {issuer: "`+h.idp.Issuer()+`", client_id: spa, client_secret: m7Qv2kXw9RtB4nLzD1sYhJ6p, scopes: [openid, profile, email, offline_access], roles_claim: groups}
session: {store: memory, secrets: ["iQm2xV0bSsg7y1KcRr3nDh9wUeTf6aZpLjXo4vBq"]}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	route := func(path string, change func(*proxy.Config)) {
		rt := proxy.Config{Path: path, Upstream: h.upstream.URL, Auth: "required", WithoutFetchMetadata: "refuse",
			Timeout: 5 * time.Second, Idle: 5 * time.Second, Request: proxy.RequestConfig{MaxBody: 1 << 10}}
		if change != nil {
			change(&rt)
		}
		cfg.Routes = append(cfg.Routes, configs.Route{Config: rt})
	}
	route("/api/", nil)
	route("/optional/", func(c *proxy.Config) { c.Auth = "optional" })
	route("/public/", func(c *proxy.Config) { c.Auth = "none" })
	route("/pages/", func(c *proxy.Config) { c.CrossSiteNavigation = true })
	route("/get-only", func(c *proxy.Config) { c.Methods = []string{"GET"} })
	return cfg
}

func (h *house) run(public, admin net.Listener) {
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		defer h.server.close()
		done <- h.server.serve(context.Background(), stop, listeners{public: public, plain: h.plain, admin: admin})
	}()
	h.stop = sync.OnceValue(func() error { close(stop); return <-done })
	h.t.Cleanup(func() { h.stop() })
	h.eventually("the provider is known", func() bool { return h.server.current.Load().providers["main"].Ready() == nil })
}

// raw sends bytes as they are and returns what came back.
func (h *house) raw(request string) string {
	h.t.Helper()
	conn, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(h.origin, "http://"), "localhost", "127.0.0.1", 1))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, request)
	got, _ := io.ReadAll(conn)
	return string(got)
}

// eventually waits for something that another goroutine is about to bring about.
func (h *house) eventually(what string, ok func() bool) {
	h.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			h.t.Fatalf("it never happened: %s\n%s", what, h.log)
		}
	}
}

// get is a request without a browser around it.
func (h *house) get(url string) *http.Response {
	h.t.Helper()
	res, err := http.Get(url)
	if err != nil {
		h.t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res
}

// events are the security events of a name in the log so far.
func (h *house) events(name string) (found []map[string]any) {
	for line := range strings.Lines(h.log.String()) {
		var rec map[string]any
		if json.Unmarshal([]byte(line), &rec) == nil && rec["event"] == name {
			found = append(found, rec)
		}
	}
	return found
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func port(l net.Listener) string {
	_, p, _ := net.SplitHostPort(l.Addr().String())
	return p
}

// echo is an upstream that answers with what it got.
type echo struct {
	*httptest.Server
	mu      sync.Mutex
	hits    []*http.Request
	held    chan struct{} // a request waits until it is closed, having closed entered
	entered chan struct{}
}

func newEcho(t testing.TB) *echo {
	e := new(echo)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.hits = append(e.hits, r)
		held, entered := e.held, e.entered
		e.held, e.entered = nil, nil
		e.mu.Unlock()
		if held != nil {
			close(entered)
			<-held
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "target": r.RequestURI})
	}))
	t.Cleanup(e.Close)
	return e
}

// hold makes the next request wait: entered is closed when it is there, and it goes on when release is closed.
func (e *echo) hold() (entered, release chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held, e.entered = make(chan struct{}), make(chan struct{})
	return e.entered, e.held
}

// last is the newest request, nil without one.
func (e *echo) last() *http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.hits) == 0 {
		return nil
	}
	return e.hits[len(e.hits)-1]
}

func (e *echo) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.hits)
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *syncBuffer) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
