package bff

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/proxy"
)

// An upstream that is down is its routes' trouble: this process is ready all the same, or a balancer would take it away from all the others.
func TestAnUpstreamThatIsDownIsToldAndChangesNoReadiness(t *testing.T) {
	var away atomic.Bool
	moody := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(moody.Close)
	h := newHouse(t, func(c *configs.Config) {
		c.Upstreams = map[string]proxy.Upstream{"orders": {URLs: []string{moody.URL}, Health: proxy.HealthConfig{Path: "/healthz", Interval: 100 * time.Millisecond, Failures: 1}}}
		c.Routes = append(c.Routes, configs.Route{Config: proxy.Config{Path: "/orders/", Upstream: "orders", Auth: "none", WithoutFetchMetadata: "refuse", Timeout: time.Second, Idle: time.Second, Request: proxy.RequestConfig{MaxBody: 1 << 10}}})
	})
	line := func(name string) string {
		_, after, _ := strings.Cut(h.metrics(), fmt.Sprintf("\ncloakroom_upstream_%s{server=%q,upstream=\"orders\"} ", name, moody.URL))
		value, _, _ := strings.Cut(after, "\n")
		return value
	}
	if line("healthy") != "1" || line("picks_total") != "0" {
		t.Errorf("at the start: healthy %q, picks %q", line("healthy"), line("picks_total"))
	}
	h.get(h.origin + "/orders/x")
	away.Store(true)
	h.eventually("it is told", func() bool { return line("healthy") == "0" && line("failures_total") != "0" })
	if res := h.get(h.admin + "/readyz"); res.StatusCode != http.StatusOK || line("picks_total") != "1" {
		t.Errorf("readiness: %d; picks %q", res.StatusCode, line("picks_total"))
	}
	away.Store(false)
	h.eventually("it is back", func() bool { return line("healthy") == "1" })
}
