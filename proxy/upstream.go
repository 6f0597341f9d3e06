package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// service is an upstream at work, which the routes to the same servers share: connections, and what is known of the servers' health. It lives as long as some
// table has it: a table that is compiled after another takes over the services whose configuration has not changed.
type service struct {
	name     string   // the configuration's, or the servers' addresses
	config   Upstream // with its defaults
	servers  []*server
	next     atomic.Uint32 // whose turn it is
	users    atomic.Int32  // tables that have it
	log      *slog.Logger
	resolver *net.Resolver

	mu  sync.Mutex // one upkeep at a time, see upkeep.go
	tls tlsFiles
}

// withDefaults fills in what an upstream has that no `upstreams` describes.
func (u Upstream) withDefaults() Upstream {
	u.Protocol = cmp.Or(u.Protocol, "auto")
	u.MaxConnections = cmp.Or(u.MaxConnections, 1024)
	u.MaxConnectionAge = cmp.Or(u.MaxConnectionAge, 5*time.Minute)
	u.ConnectTimeout = cmp.Or(u.ConnectTimeout, 5*time.Second)
	u.Health.Interval = cmp.Or(u.Health.Interval, 10*time.Second)
	u.Health.Timeout = cmp.Or(u.Health.Timeout, 2*time.Second)
	u.Health.Failures = cmp.Or(u.Health.Failures, 3)
	return u
}

// addresses are where the servers are.
func (u Upstream) addresses() ([]address, error) {
	all := make([]address, 0, 1)
	for _, text := range u.urls() {
		a, problem := readAddress(text)
		if problem != "" {
			return nil, errors.New(problem)
		}
		all = append(all, a)
	}
	return all, nil
}

// key is the same for two upstreams that can be one service. Base paths make no difference: they are the routes' business.
func (u Upstream) key(name string, all []address) string {
	u.URL, u.URLs = "", nil
	return fmt.Sprintf("%q %+v %s", name, u, together(all))
}

// together names the servers of an upstream without a name.
func together(all []address) string {
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.String()
	}
	return strings.Join(texts, ",")
}

// newService puts an upstream that Validate has found right to work. No connection is opened; files are read.
func newService(name string, config Upstream, all []address, d Deps) (*service, error) {
	up := &service{name: cmp.Or(name, together(all)), config: config, log: d.Log, resolver: d.Resolver}
	var err error
	if up.tls, err = readTLSFiles(config.TLS); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	for _, a := range all {
		up.servers = append(up.servers, newServer(up, a))
	}
	return up, nil
}

// pick is the server whose turn it is, of those that are not left alone. Where all are, somebody has to be asked: a refusal for certain would
// help nobody. It is the one whose last failure is longest ago. not is a server that was asked already, or nil.
func (u *service) pick(now time.Time, not *server) *server {
	for range u.servers {
		s := u.servers[u.next.Add(1)%uint32(len(u.servers))] // one step for each that is passed over, so that nobody gets its turns besides its own
		if s != not && s.health.takes(now) {
			return s
		}
	}
	var least *server
	for _, s := range u.servers {
		if s != not && (least == nil || s.health.lastFailure().Before(least.health.lastFailure())) {
			least = s
		}
	}
	return least
}

// send gives a request to the server whose turn it is. Where that one failed, another is asked, once: if the first has certainly not seen the request, or
// if it may be repeated. out.URL is set by this; res.Request is the request as it was sent. stream says that the answer may take hours.
func (u *service) send(out *http.Request, stream bool) (*http.Response, error) {
	if len(u.servers) == 1 {
		s := u.servers[0]
		s.aim(out)
		return s.roundTrip(out, stream)
	}
	first := u.pick(time.Now(), nil)
	first.aim(out)
	again := repeatable(out) && !stream
	res, sent, err := first.watched(out, stream, !again)
	if err == nil || !again && sent || out.Context().Err() != nil {
		return res, err
	}
	second := u.pick(time.Now(), first)
	repeated := out.WithContext(out.Context())
	where := *out.URL
	repeated.URL = &where
	second.aim(repeated)
	if out.GetBody != nil {
		if repeated.Body, err = out.GetBody(); err != nil {
			return nil, err
		}
	}
	return second.roundTrip(repeated, stream)
}

// repeatable reports whether a request may be sent twice: doing it twice does what doing it once does (RFC 9110, section 9.2.2), and its
// body, if it has one, is kept.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
	}
	return false
}

// watched is roundTrip, and whether the server may have seen something of the request. Only where that is asked for, it is found out.
func (s *server) watched(out *http.Request, stream, ask bool) (res *http.Response, sent bool, err error) {
	if !ask {
		res, err = s.roundTrip(out, stream)
		return res, true, err
	}
	// Only GotConn: a trace that takes 1xx answers would hand them on.
	ctx := httptrace.WithClientTrace(out.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }})
	r := out.WithContext(ctx)
	if out.Body != nil && out.GetBody == nil {
		r.Body = io.NopCloser(out.Body) // a transport that cannot connect closes it, and then nobody can read it
	}
	res, err = s.roundTrip(r, stream)
	if res != nil {
		res.Request = out
	}
	return res, sent, err
}

// isAt reports whether u is on one of the servers, and else whether it is on a host of one.
func (u *service) isAt(where *url.URL) (server, host bool) {
	name := strings.ToLower(where.Hostname())
	for _, s := range u.servers {
		if s.name != name {
			continue
		}
		host = true
		if s.scheme == where.Scheme && s.port == port(where) {
			return true, true
		}
	}
	return false, host
}

// http2Only reports whether nothing but HTTP/2 is spoken, which has no upgrades as we forward them.
func (u *service) http2Only() bool { return u.config.Protocol == "http2" || u.config.Protocol == "h2c" }

// close drops idle connections. What is under way finishes undisturbed.
func (u *service) close() {
	for _, s := range u.servers {
		s.closeIdle()
	}
}
