package bff

import (
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"cloakroom/proxy"
)

// A route's series outlive it by one reload, so that their last values are read, and are deleted then. What still ends later on such a route, a stream for
// example, is counted under goneRoute: so there are never more routes in the metrics than two configurations have.

const goneRoute = "gone"

// routeNames are the paths of the routes that have series of their own. Until the first configuration holds, all have.
type routeNames struct {
	names atomic.Pointer[map[string]bool]
}

// of is how the metrics call a route, or one of our own endpoints, whose names begin without a slash.
func (n *routeNames) of(route string) string {
	names := n.names.Load()
	if names == nil || !strings.HasPrefix(route, "/") || (*names)[route] {
		return route
	}
	return goneRoute
}

// replace takes the routes of the configuration that holds and of the one before, and returns those that had series until now.
func (n *routeNames) replace(now, before []proxy.Config) (gone []string) {
	next := make(map[string]bool, len(now)+len(before))
	for _, list := range [][]proxy.Config{now, before} {
		for i := range list {
			next[list[i].Path] = true
		}
	}
	if last := n.names.Swap(&next); last != nil {
		for name := range *last {
			if !next[name] {
				gone = append(gone, name)
			}
		}
	}
	return gone
}

// switched forgets the routes that neither the configuration that holds has nor the one before.
func (m *metrics) switched(now, before []proxy.Config) {
	for _, route := range m.names.replace(now, before) {
		label := prometheus.Labels{"route": route}
		for _, v := range []interface {
			DeletePartialMatch(prometheus.Labels) int
		}{m.requests, m.own, m.upstream, m.legs, m.checks, m.headers, m.denials, m.limits} {
			v.DeletePartialMatch(label)
		}
	}
}
