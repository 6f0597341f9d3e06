package bff

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"cloakroom/configs"
)

// A route that is gone has its series until the next reload, so that their last values are read, and then none: whatever still ends there is counted under one
// name for all. Those of other routes and of our own endpoints stay.
func TestTheSeriesOfRoutesThatAreGoneGo(t *testing.T) {
	h := newHouse(t, nil)
	without := func(path string) func(*configs.Config) {
		return func(c *configs.Config) {
			c.Routes = slices.DeleteFunc(c.Routes, func(r configs.Route) bool { return r.Path == path })
		}
	}
	has := func(when string, want bool, series ...string) {
		t.Helper()
		for _, s := range series {
			if got := strings.Contains(h.metrics(), s); got != want {
				t.Errorf("%s: %s is there: %t", when, s, got)
			}
		}
	}
	all := []string{`cloakroom_requests_total{route="/public/"`, `cloakroom_own_seconds_count{route="/public/"`, `cloakroom_upstream_seconds_count{route="/public/"`}
	others := []string{`cloakroom_requests_total{route="/optional/"`, `cloakroom_requests_total{route="bff/user"`, `cloakroom_requests_total{route="none"`}
	h.get(h.origin + "/public/x")
	h.browser().fetch("GET", "/optional/x")
	h.browser().user()
	h.raw("GET / HTTP/1.1\r\nHost: foreign.example\r\nConnection: close\r\n\r\n")
	entered, release := h.upstream.hold()
	late := make(chan struct{})
	go func() {
		defer close(late)
		if res, err := http.Get(h.origin + "/public/late"); err == nil {
			res.Body.Close()
		}
	}()
	<-entered
	has("before", true, append(all, others...)...)
	h.reload(without("/public/"))
	has("after the reload that took it away", true, append(all, others...)...)
	h.reload(without("/pages/"))
	has("after the next", false, all...)
	close(release)
	<-late
	h.eventually("the late one is counted", func() bool {
		return strings.Contains(h.metrics(), `cloakroom_requests_total{route="gone",status="200"} 1`)
	})
	has("at last", false, all...)
	has("at last", true, others...)
}
