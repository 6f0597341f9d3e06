package bff

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/bff/provider"
	"cloakroom/configs"
	"cloakroom/configs/secret"
	"cloakroom/session"
)

// changed is the configuration that holds, with a change. What both have in common is copied: the one that holds must not change.
func (h *house) changed(change func(*configs.Config)) *configs.Config {
	cfg := *h.server.current.Load().cfg
	cfg.Routes = slices.Clone(cfg.Routes)
	providers := map[string]provider.Config{}
	for name, p := range cfg.Providers {
		providers[name] = p
	}
	cfg.Providers = providers
	change(&cfg)
	return &cfg
}

// reload puts a change into effect.
func (h *house) reload(change func(*configs.Config)) {
	h.t.Helper()
	if err := h.server.Reload(h.changed(change)); err != nil {
		h.t.Fatal(err)
	}
}

// A request goes on under the routes of its beginning, whatever becomes of them; the next one meets the new ones.
func TestARequestInFlightFinishesUnderTheRoutesOfItsBeginning(t *testing.T) {
	h := newHouse(t, nil)
	entered, release := h.upstream.hold()
	first := make(chan *http.Response, 1)
	go func() {
		res, err := http.Get(h.origin + "/public/x")
		if err != nil {
			t.Error(err)
		}
		first <- res
	}()
	<-entered
	h.reload(func(c *configs.Config) {
		c.Routes = slices.DeleteFunc(c.Routes, func(r configs.Route) bool { return r.Path == "/public/" })
		c.Server.TrustedProxies = []string{"127.0.0.0/8"}
	})
	if res := h.get(h.origin + "/public/x"); res.StatusCode != http.StatusNotFound {
		t.Errorf("the route is gone and answers %d", res.StatusCode)
	}
	close(release)
	if res := <-first; res != nil {
		if res.Body.Close(); res.StatusCode != http.StatusOK {
			t.Errorf("the request in flight got %d", res.StatusCode)
		}
	}
}

// What streams goes on over a reload, the app's own events and a socket over a route that is gone; both end with their session.
func TestAStreamLivesThroughAReload(t *testing.T) {
	h := newStreamHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	own := b.opens("/bff/events", "text/event-stream")
	own.next()
	c, err := b.socket("/api/socket")
	if err != nil {
		t.Fatal(err)
	}
	h.reload(func(c *configs.Config) { c.Routes = c.Routes[1:] })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	alive := c.CloseRead(ctx)
	if err := c.Write(ctx, websocket.MessageText, []byte("still there?")); err != nil {
		t.Errorf("the socket was cut: %v", err)
	}
	b.fetch("POST", "/bff/logout")
	if name, data := own.next(); name != "ended" || data["reason"] != "logout" {
		t.Errorf("the app heard %q %v", name, data)
	}
	<-alive.Done()
	if ctx.Err() != nil {
		t.Error("the socket outlived its session")
	}
}

// What a reload cannot change is refused with its keys; nothing else of the same configuration holds then. It shows in log and metrics.
func TestAReloadThatNeedsARestartIsRefusedByKey(t *testing.T) {
	h := newHouse(t, nil)
	before := h.server.current.Load()
	err := h.server.Reload(h.changed(func(c *configs.Config) {
		c.Server.Listen, c.Session.Cookie.SameSite, c.Session.Redis.Password = "127.0.0.1:1", "lax", "aNewPasswordOfRedis"
		c.Routes = nil
	}))
	needed, ok := errors.AsType[*RestartNeeded](err)
	if want := []string{"server.listen", "session.cookie.same_site", "session.redis.password"}; !ok || !slices.Equal(needed.Keys, want) {
		t.Errorf("%v, want the keys %q", err, want)
	}
	if h.server.current.Load() != before {
		t.Error("something has changed")
	}
	h.server.Invalid(errors.New("cloakroom.yaml:3:1: routes: wrong"))
	h.reload(func(c *configs.Config) { c.Routes = c.Routes[1:] })
	refused, done := h.events("config_refused"), h.events("config_reloaded")
	if len(refused) != 2 || refused[0]["reason"] != "refused" || refused[1]["reason"] != "invalid" || !strings.Contains(refused[1]["err"].(string), "cloakroom.yaml:3:1") ||
		len(done) != 1 || done[0]["generation"] != 2.0 {
		t.Errorf("events %v and %v", refused, done)
	}
	if strings.Contains(h.log.String(), "aNewPasswordOfRedis") {
		t.Error("a secret is in the log")
	}
	for _, want := range []string{`config_reloads_total{result="refused"} 1`, `config_reloads_total{result="invalid"} 1`, `config_reloads_total{result="ok"} 1`,
		"config_generation 2", "config_last_reload_successful 1"} {
		if !strings.Contains(h.metrics(), "cloakroom_"+want) {
			t.Errorf("the metrics do not say %s", want)
		}
	}
}

func TestWhatNeedsARestart(t *testing.T) {
	for _, c := range []struct {
		name    string
		keys    []string
		refused []string
	}{
		{"what changes every day", []string{"routes", "providers", "default_provider", "session.secrets", "upstreams", "defaults", "include", "spa.dir", "server.trusted_proxies", "server.log.level"}, nil},
		{"what is built in", []string{"server.listen", "routes", "server.public_url"}, []string{"server.listen", "server.public_url"}},
		{"the store", []string{"session.store", "session.redis.url"}, []string{"session.store", "session.redis.url"}},
		{"a name that only begins alike", []string{"routesx", "spare"}, []string{"routesx", "spare"}},
	} {
		if got := needRestart(c.keys); !slices.Equal(got, c.refused) {
			t.Errorf("%s: %q, want %q", c.name, got, c.refused)
		}
	}
}

// A provider that has not changed goes on, with what is known of it; one that has is discovered before the switch, so that nobody meets it unready.
func TestAReloadKeepsProvidersThatHaveNotChanged(t *testing.T) {
	h := newHouse(t, nil)
	first := h.server.current.Load().providers["main"]
	h.reload(func(c *configs.Config) { c.Routes = c.Routes[1:] })
	if h.server.current.Load().providers["main"] != first {
		t.Error("a provider that has not changed was made anew")
	}
	h.reload(func(c *configs.Config) {
		p := c.Providers["main"]
		p.Claims = []string{"sub"}
		c.Providers["main"] = p
	})
	second := h.server.current.Load().providers["main"]
	if second == first || second.Ready() != nil {
		t.Errorf("the provider of the new configuration: %v", second.Ready())
	}
	b := h.browser()
	b.signIn("/bff/login")
	if u := b.user(); !u.Authenticated || len(u.Claims) != 1 {
		t.Errorf("claims %v", u.Claims)
	}
}

// One mistyped letter in an issuer must not make the server unready: while a provider cannot be discovered, the configuration before holds.
func TestAReloadWaitsForNoProviderThatIsAway(t *testing.T) {
	asked := make(chan struct{}, 16)
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		http.NotFound(w, nil)
	}))
	defer away.Close()
	h := newHouse(t, nil)
	h.server.generations.patience = 50 * time.Millisecond
	before := h.server.current.Load()
	err := h.server.Reload(h.changed(func(c *configs.Config) {
		p := c.Providers["main"]
		p.Issuer = away.URL
		c.Providers["main"], c.Routes = p, nil
	}))
	if !errors.Is(err, ErrProviderAway) || !strings.Contains(err.Error(), "providers.main") || h.server.current.Load() != before {
		t.Errorf("%v", err)
	}
	if res := h.get(h.admin + "/readyz"); res.StatusCode != http.StatusOK {
		t.Errorf("ready: %d", res.StatusCode)
	}
	select {
	case <-asked:
	default:
		t.Error("the provider was never asked")
	}
	h.browser().signIn("/bff/login")
}

// Secrets rotate while users are signed in and while they sign in: another first one, then the old one goes. Its sessions are none then, and their cookies stay.
func TestSecretsRotateByReload(t *testing.T) {
	h := newHouse(t, nil)
	rotate := func(secrets ...secret.String) { h.reload(func(c *configs.Config) { c.Session.Secrets = secrets }) }
	old := h.server.current.Load().cfg.Session.Secrets[0]
	const next = secret.String("kT5wVb8qLz2nXs6yRc4hMd9jGf7pQa3eUo1iYx0Z")
	b, under := h.browser(), h.browser()
	b.signIn("/bff/login")
	callback := under.authorize("/bff/login?return_to=/here")
	rotate(next, old)
	if !b.user().Authenticated {
		t.Error("a session of the old secret was lost")
	}
	if res := under.visit(callback, "cross-site"); refreshTo(res) != "/here" {
		t.Errorf("the sign-in under way ended with %d", res.StatusCode)
	}
	rotate(next)
	if b.user().Authenticated || b.cookie(ticketCookie) == "" {
		t.Errorf("signed in with a secret that is gone, or the cookie is: %q", b.cookie(ticketCookie))
	}
	if !under.user().Authenticated {
		t.Error("a session of the new secret was lost")
	}
	rotate(next, old)
	if !b.user().Authenticated {
		t.Error("the secret is back and its session is not")
	}
}

// A refresh goes to the provider of today.
func TestARefreshGoesToTheProviderOfToday(t *testing.T) {
	h := newHouse(t, nil)
	s := &session.Session{Provider: "other", Issuer: h.idp.Issuer(), Tokens: session.Tokens{Refresh: "none of the provider's"}}
	if _, err := h.server.refresh(t.Context(), s); !errors.Is(err, session.ErrUnsent) {
		t.Errorf("no such provider: %v", err)
	}
	h.reload(func(c *configs.Config) {
		c.DefaultProvider = "main"
		c.Providers["other"] = c.Providers["main"]
	})
	if _, err := h.server.refresh(t.Context(), s); !errors.Is(err, session.ErrInvalidGrant) {
		t.Errorf("a provider that has come: %v", err)
	}
}

func TestAReloadBeforeAndAfterTheRunIsRefused(t *testing.T) {
	h := newHouse(t, nil)
	cfg := h.changed(func(*configs.Config) {})
	h.server.draining.Store(true)
	if err := h.server.Reload(cfg); !errors.Is(err, ErrNotRunning) {
		t.Errorf("while it drains: %v", err)
	}
	h.stop()
	if err := h.server.Reload(cfg); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
	fresh, err := New(cfg, Options{Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.close()
	if err := fresh.Reload(cfg); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before the beginning: %v", err)
	}
}
