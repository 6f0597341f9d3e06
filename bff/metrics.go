package bff

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"cloakroom/bff/edge"
	"cloakroom/proxy"
	"cloakroom/session/redis"
)

// metrics are the server's numbers for Prometheus. No label has a value that a client chooses: routes are patterns, reasons and
// kinds are constants.
type metrics struct {
	names       routeNames
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	own         *prometheus.HistogramVec
	upstream    *prometheus.HistogramVec
	legs        *prometheus.CounterVec
	started     prometheus.Counter
	endings     *prometheus.CounterVec
	refused     *prometheus.CounterVec
	refreshes   *prometheus.CounterVec
	flushes     prometheus.Counter
	store       prometheus.Counter
	providers   *prometheus.CounterVec
	streams     *prometheus.GaugeVec
	closed      *prometheus.CounterVec
	revocations *prometheus.CounterVec
	grants      *prometheus.CounterVec
	reloads     *prometheus.CounterVec
	reloadOK    prometheus.Gauge
	configNo    prometheus.Gauge
	configSince prometheus.Gauge
	checks      *prometheus.CounterVec
	headers     *prometheus.CounterVec
	denials     *prometheus.CounterVec
	limits      *prometheus.CounterVec
	uncounted   prometheus.Counter
	crowded     prometheus.Counter
	callers     *prometheus.CounterVec
	events      *prometheus.CounterVec
}

// newMetrics makes a registry of its own, so that nothing else shows up in it.
func newMetrics(version string) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "cloakroom", Name: name, Help: help}, labels)
	}
	seconds := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "cloakroom", Name: name, Help: help, Buckets: buckets}, []string{"route"})
	}
	m := &metrics{
		registry:    prometheus.NewRegistry(),
		requests:    counter("requests_total", "Requests answered, by route pattern and status.", "route", "status"),
		own:         seconds("own_seconds", "Time in Cloakroom itself, without the upstream's.", []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, 1}),
		upstream:    seconds("upstream_seconds", "Time until the upstream's response headers.", prometheus.DefBuckets),
		legs:        counter("compose_legs_total", "Legs of composed answers, by route pattern, leg and outcome.", "route", "leg", "outcome"),
		started:     prometheus.NewCounter(prometheus.CounterOpts{Namespace: "cloakroom", Name: "sessions_started_total", Help: "Sessions started."}),
		endings:     counter("sessions_ended_total", "Sessions ended by this process, by reason.", "reason"),
		refused:     counter("sign_ins_refused_total", "Sign-ins refused at the callback, by reason.", "reason"),
		refreshes:   counter("refreshes_total", "Refreshes of access tokens, by result.", "result"),
		flushes:     prometheus.NewCounter(prometheus.CounterOpts{Namespace: "cloakroom", Name: "copies_flushed_total", Help: "Times that announcements were lost, and with them the trust in all copies of sessions."}),
		store:       prometheus.NewCounter(prometheus.CounterOpts{Namespace: "cloakroom", Name: "store_errors_total", Help: "Requests that the session store failed."}),
		providers:   counter("provider_errors_total", "Failed calls to a provider, by kind.", "provider", "kind"),
		streams:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "cloakroom", Name: "streams_open", Help: "Open streams of sessions, by kind."}, []string{"kind"}),
		closed:      counter("streams_closed_total", "Streams that are over, by reason.", "reason"),
		checks:      counter("checks_total", "Requests and answers held against a route's description, by result.", "route", "message", "result"),
		reloads:     counter("config_reloads_total", "Configurations that were read while the server ran, by result.", "result"),
		reloadOK:    prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "cloakroom", Name: "config_last_reload_successful", Help: "1 while the server runs what its files say, as far as it has read them."}),
		configNo:    prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "cloakroom", Name: "config_generation", Help: "How many configurations have held since the start."}),
		configSince: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "cloakroom", Name: "config_timestamp_seconds", Help: "Since when the present configuration holds, in Unix time."}),
		headers:     counter("headers_left_out_total", "Headers of a route's own that were not sent, by reason.", "route", "reason"),
		grants:      counter("grants_total", "Tokens of routes' own that a provider was asked for, by method and result.", "method", "result"),
		denials:     counter("denials_total", "Requests that a rule refused, or would have, by outcome.", "route", "rule", "reason", "outcome"),
		limits:      counter("limited_total", "Requests beyond a limit, by what became of them.", "route", "limit", "reason"),
		uncounted:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: "cloakroom", Name: "limits_uncounted_total", Help: "Requests that Redis did not count, so that each limit's outage decided."}),
		callers:     counter("callers_refused_total", "Requests whose credential was refused, or could not be checked, by reason.", "reason"),
		events:      counter("callers_events_total", "What happened to what callers are known by.", "event"),
		crowded:     prometheus.NewCounter(prometheus.CounterOpts{Namespace: "cloakroom", Name: "connections_refused_total", Help: "Client connections closed at once, because server.max_connections were open."}),
		revocations: counter("revocations_total", "Revocations of ended sessions' tokens at the provider, by result.", "result"),
	}
	m.registry.MustRegister(m.reloads, m.reloadOK, m.configNo, m.configSince)
	m.reloadOK.Set(1)
	info := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "cloakroom", Name: "build_info", Help: "Always 1; the label is the version.", ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.own, m.upstream, m.legs, m.started, m.endings, m.refused, m.refreshes, m.flushes, m.store, m.providers, m.streams, m.closed, m.revocations, m.grants, m.checks, m.headers, m.denials, m.limits, m.uncounted, m.crowded, m.callers, m.events, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// watchCopies adds a gauge that asks trusted when it is read.
func (m *metrics) watchCopies(trusted func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "copies_trusted", Help: "1 while signed-in requests are served without asking the session store.",
	}, func() float64 {
		if trusted() {
			return 1
		}
		return 0
	}))
}

// watchRedis adds what the store's servers look like when it is read.
func (m *metrics) watchRedis(health func() redis.Health) {
	number := func(read func(redis.Health) int64) func() float64 {
		return func() float64 { return float64(read(health())) }
	}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "cloakroom", Name: "store_breaker_open", Help: "1 while a Redis server that gave no answers is left alone.",
		}, func() float64 {
			if health().LeftAlone {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "cloakroom", Name: "store_breaker_opened_total", Help: "Times that a Redis server was left alone.",
		}, number(func(h redis.Health) int64 { return h.Opened })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "cloakroom", Name: "store_unreplicated_total", Help: "Writes that were on fewer replicas in time than redis.wait says.",
		}, number(func(h redis.Health) int64 { return h.Unreplicated })),
	)
}

// watchCertificate adds when the certificate ends that new handshakes get, and counts what happens to it.
func (m *metrics) watchCertificate(expires func() time.Time) (count func(result string)) {
	changes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "cloakroom", Name: "certificates_total", Help: "New certificates for the public listener, by what became of them.",
	}, []string{"result"})
	m.registry.MustRegister(changes, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "cloakroom", Name: "certificate_expiry_timestamp_seconds", Help: "When the certificate ends that new connections get, in Unix time; 0 while there is none.",
	}, func() float64 { return max(0, float64(expires().Unix())) }))
	return func(result string) { changes.WithLabelValues(result).Inc() }
}

// count is called once for every request, when it is answered.
func (m *metrics) count(rec *edge.Record, _ *http.Request, res edge.Result) {
	route := m.names.of(rec.Route)
	if route == "" {
		route = "none" // refused before a route was chosen
	}
	m.requests.WithLabelValues(route, strconv.Itoa(res.Status)).Inc()
	m.own.WithLabelValues(route).Observe((res.Duration - rec.Upstream).Seconds())
	if rec.Upstream > 0 {
		m.upstream.WithLabelValues(route).Observe(rec.Upstream.Seconds())
	}
}

func (m *metrics) leg(route *proxy.Route, leg, outcome string) {
	m.legs.WithLabelValues(m.names.of(route.Config.Path), leg, outcome).Inc()
}

func (m *metrics) sessionStarted()             { m.started.Inc() }
func (m *metrics) sessionEnded(reason string)  { m.endings.WithLabelValues(reason).Inc() }
func (m *metrics) signInRefused(reason string) { m.refused.WithLabelValues(reason).Inc() }
func (m *metrics) refreshed(result string)     { m.refreshes.WithLabelValues(result).Inc() }
func (m *metrics) copiesFlushed()              { m.flushes.Inc() }
func (m *metrics) storeError()                 { m.store.Inc() }
func (m *metrics) providerError(name, kind string) {
	m.providers.WithLabelValues(name, kind).Inc()
}

// checked counts a request or an answer that was held against its description.
func (m *metrics) checked(rt *proxy.Route, message, result string) {
	m.checks.WithLabelValues(m.names.of(rt.Config.Path), message, result).Inc()
}

// reloaded counts a configuration that was read while the server ran.
func (m *metrics) reloaded(result string) {
	m.reloads.WithLabelValues(result).Inc()
	m.reloadOK.Set(0)
	if result == reloaded {
		m.reloadOK.Set(1)
	}
}

// generation notes which configuration holds, and since when.
func (m *metrics) generation(n int, since time.Time) {
	m.configNo.Set(float64(n))
	m.configSince.Set(float64(since.Unix()))
}

// headerLeftOut counts a header that a route would have set.
func (m *metrics) headerLeftOut(rt *proxy.Route, reason string) {
	m.headers.WithLabelValues(m.names.of(rt.Config.Path), reason).Inc()
}

func (m *metrics) granted(method, result string) { m.grants.WithLabelValues(method, result).Inc() }

func (m *metrics) revoked(result string) { m.revocations.WithLabelValues(result).Inc() }

func (m *metrics) streamOpened(kind string) { m.streams.WithLabelValues(kind).Inc() }

// streamClosed counts a stream that is over.
func (m *metrics) streamClosed(kind, reason string) {
	m.streams.WithLabelValues(kind).Dec()
	m.closed.WithLabelValues(reason).Inc()
}

func (m *metrics) denied(route *proxy.Route, rule, reason, outcome string) {
	m.denials.WithLabelValues(route.Config.Path, rule, reason, outcome).Inc()
}

func (m *metrics) limited(route, limit, reason string) {
	m.limits.WithLabelValues(route, limit, reason).Inc()
}

func (m *metrics) connectionRefused() { m.crowded.Inc() }

func (m *metrics) limitsUncounted() { m.uncounted.Inc() }

func (m *metrics) callerRefused(reason string) { m.callers.WithLabelValues(reason).Inc() }

func (m *metrics) callerEvent(event string) { m.events.WithLabelValues(event).Inc() }
