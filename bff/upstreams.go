package bff

import (
	"github.com/prometheus/client_golang/prometheus"

	"cloakroom/proxy"
)

// upstreamMetrics tells how the upstreams' servers are doing, when it is asked, as the table that is current has it. Its labels are of the configuration.
type upstreamMetrics struct {
	status                                func() []proxy.ServerStatus
	healthy, connections, picks, failures *prometheus.Desc
}

// watchUpstreams adds what status tells.
func (m *metrics) watchUpstreams(status func() []proxy.ServerStatus) {
	described := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("cloakroom_"+name, help, []string{"upstream", "server"}, nil)
	}
	m.registry.MustRegister(&upstreamMetrics{
		status:      status,
		healthy:     described("upstream_healthy", "1, or 0 while an upstream's server is left alone."),
		connections: described("upstream_connections", "Open connections to an upstream's server."),
		picks:       described("upstream_picks_total", "Requests that an upstream's server was picked for."),
		failures:    described("upstream_failures_total", "Requests that an upstream's server did not answer, and checks that it failed."),
	})
}

// Describe is for the registry.
func (u *upstreamMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{u.healthy, u.connections, u.picks, u.failures} {
		to <- d
	}
}

// Collect is for the registry.
func (u *upstreamMetrics) Collect(to chan<- prometheus.Metric) {
	for _, s := range u.status() {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, value float64) {
			to <- prometheus.MustNewConstMetric(d, kind, value, s.Upstream, s.Server)
		}
		healthy := 1.0
		if s.LeftAlone {
			healthy = 0
		}
		tell(u.healthy, prometheus.GaugeValue, healthy)
		tell(u.connections, prometheus.GaugeValue, float64(s.Connections))
		tell(u.picks, prometheus.CounterValue, float64(s.Picks))
		tell(u.failures, prometheus.CounterValue, float64(s.Failures))
	}
}
