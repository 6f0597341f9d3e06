package proxy

import (
	"cmp"
	"slices"
	"strings"
)

// ServerStatus is how one server of an upstream is doing. Its two names come from the configuration.
type ServerStatus struct {
	Upstream    string // its name, or its servers' addresses
	Server      string // its address
	LeftAlone   bool
	Picks       uint64 // requests that it was picked for
	Failures    uint64 // requests that it did not answer, and checks that it failed
	Connections int
}

// Upstreams tells how the servers of all routes' upstreams are doing. Two upstreams that differ in something that no name tells are told as one.
func (t *Table) Upstreams() []ServerStatus {
	var all []ServerStatus
	at := map[[2]string]int{}
	for _, u := range t.services {
		for _, s := range u.servers {
			now := ServerStatus{Upstream: u.name, Server: s.String(), LeftAlone: s.health.leftAlone(), Picks: s.picks.Load(), Failures: s.failures.Load(),
				Connections: len(s.requests) + len(s.streams)}
			i, known := at[[2]string{now.Upstream, now.Server}]
			if !known {
				at[[2]string{now.Upstream, now.Server}] = len(all)
				all = append(all, now)
				continue
			}
			one := &all[i]
			one.LeftAlone = one.LeftAlone || now.LeftAlone
			one.Picks, one.Failures, one.Connections = one.Picks+now.Picks, one.Failures+now.Failures, one.Connections+now.Connections
		}
	}
	slices.SortFunc(all, func(a, b ServerStatus) int {
		return cmp.Or(strings.Compare(a.Upstream, b.Upstream), strings.Compare(a.Server, b.Server))
	})
	return all
}
