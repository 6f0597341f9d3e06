package bff

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/configs/secret"
	"cloakroom/proxy"
	"cloakroom/session/storetest"
)

// reached asks all that a configuration names, and gives the answers by what was asked.
func reached(t *testing.T, cfg *configs.Config, within time.Duration) map[string]Reached {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	list, err := Reach(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Reached{}
	for _, r := range list {
		all[r.What] = r
	}
	return all
}

func TestEverythingOutsideIsAsked(t *testing.T) {
	redis := storetest.StartRedis(t)
	asked := make(chan string, 1)
	healthy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	t.Cleanup(healthy.Close)
	ill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	t.Cleanup(ill.Close)
	strange := httptest.NewTLSServer(http.NotFoundHandler())
	strange.Config.ErrorLog = nil
	t.Cleanup(strange.Close)
	h := newHouse(t, nil)
	cfg := *h.server.current.Load().cfg
	cfg.Session.Store, cfg.Session.Redis = "redis", configs.Default[configs.Session]().Redis
	cfg.Session.Redis.URL = "redis://" + redis.Addr
	up := func(url, health string) proxy.Upstream {
		u := configs.Default[proxy.Upstream]()
		u.URL, u.Health.Path = url, health
		return u
	}
	cfg.Upstreams = map[string]proxy.Upstream{"healthy": up(healthy.URL, "/healthz"), "ill": up(ill.URL, "/healthz"), "strange": up(strange.URL, ""), "plain": up(h.upstream.URL, ""), "nobody": up("http://127.0.0.1:1", "")}
	cfg.Routes = nil
	for name := range cfg.Upstreams {
		r := configs.Default[configs.Route]()
		r.Path, r.Upstream = "/"+name, name
		cfg.Routes = append(cfg.Routes, r)
	}
	got := reached(t, &cfg, 20*time.Second)
	for what, want := range map[string]struct{ how, failure string }{
		"provider main":    {"discovery", ""},
		"redis":            {"read and write", ""},
		"upstream healthy": {"health check", ""},
		"upstream ill":     {"health check", "503"},
		"upstream strange": {"TLS handshake", "certificate"},
		"upstream plain":   {"connection", ""},
		"upstream nobody":  {"connection", "refused"},
	} {
		r, ok := got[what]
		if !ok || r.How != want.how || (r.Err == nil) != (want.failure == "") || r.Err != nil && !strings.Contains(r.Err.Error(), want.failure) {
			t.Errorf("%s: got %+v, want %+v", what, r, want)
		}
		if r.Took <= 0 {
			t.Errorf("%s took %v", what, r.Took)
		}
	}
	if len(got) != 7 {
		t.Errorf("%d were asked: %v", len(got), got)
	}
	select {
	case path := <-asked:
		if path != "/healthz" {
			t.Errorf("the health check asked for %s", path)
		}
	default:
		t.Error("the health check asked for nothing")
	}
}

// An upstream that no route uses yet is asked before somebody's route relies on it.
func TestAnUpstreamOfNoRouteIsAskedToo(t *testing.T) {
	h := newHouse(t, nil)
	cfg := *h.server.current.Load().cfg
	spare, used := configs.Default[proxy.Upstream](), configs.Default[proxy.Upstream]()
	spare.URL, used.URL = "http://127.0.0.1:1", h.upstream.URL
	cfg.Upstreams = map[string]proxy.Upstream{"spare": spare, "used": used}
	r := configs.Default[configs.Route]()
	r.Path, r.Upstream = "/", "used"
	cfg.Routes = []configs.Route{r}
	got := reached(t, &cfg, 10*time.Second)
	if r := got["upstream spare"]; r.Err == nil || r.Where != "http://127.0.0.1:1" {
		t.Errorf("the spare one: %+v", r)
	}
	if r, ok := got["upstream used"]; !ok || r.Err != nil || len(got) != 3 {
		t.Errorf("%+v", got)
	}
}

// A server that accepts and says nothing must not keep anybody waiting, and no error repeats a password.
func TestReachIsBoundedAndShowsNoSecret(t *testing.T) {
	silent := listen(t)
	t.Cleanup(func() { silent.Close() })
	h := newHouse(t, nil)
	cfg := *h.server.current.Load().cfg
	cfg.Session.Store, cfg.Session.Redis = "redis", configs.Default[configs.Session]().Redis
	cfg.Session.Redis.URL, cfg.Session.Redis.Password = "redis://"+silent.Addr().String(), secret.String("kJ8vN2mQ5xR7tY1zPw3C")
	u := configs.Default[proxy.Upstream]()
	u.URL = "https://" + silent.Addr().String()
	cfg.Upstreams = map[string]proxy.Upstream{"silent": u}
	r := configs.Default[configs.Route]()
	r.Path, r.Upstream = "/", "silent"
	cfg.Routes = []configs.Route{r}
	start := time.Now()
	got := reached(t, &cfg, 500*time.Millisecond)
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, what := range []string{"redis", "upstream silent"} {
		if got[what].Err == nil || strings.Contains(got[what].Err.Error(), "kJ8vN2") {
			t.Errorf("%s: %v", what, got[what].Err)
		}
	}
}
