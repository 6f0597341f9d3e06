package proxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Upstream is an API server: one, or several that do the same and are asked in turns. Routes name it, and share its connections and what is known of its health.
type Upstream struct {
	// URL is where it is: http or https, with an optional base path, or unix:/run/orders.sock with an optional :/base behind. Either url or urls.
	URL string `yaml:"url" default:"" example:"http://orders:9001/v2"`
	// URLs are several servers that do the same, asked in turns. They differ in host and port, or socket, only.
	URLs []string `yaml:"urls" default:"[]"`
	// Health is how a server is found that had better be left alone.
	Health HealthConfig `yaml:"health"`
	// TLS is how https servers prove who they are, and how we do. Certificates are always verified.
	TLS TLSConfig `yaml:"tls"`
	// Protocol is what is spoken: `auto` (https: what the server prefers of HTTP/2 and HTTP/1.1; otherwise HTTP/1.1), `http1`, `http2` (https only), or
	// `h2c`: HTTP/2 without TLS. gRPC needs HTTP/2. With http2 and h2c there are no WebSockets.
	Protocol string `yaml:"protocol" default:"auto" enum:"auto,http1,http2,h2c"`
	// MaxConnections bounds the connections to each server, those of streams not counted; further requests wait for one, as long as their timeout allows. Between 1 and 65536.
	MaxConnections int `yaml:"max_connections" default:"1024"`
	// MaxConnectionAge is how long a connection gets new requests. A later one is opened anew, to wherever the name leads by then. Between 1s and 24h.
	MaxConnectionAge time.Duration `yaml:"max_connection_age" default:"5m"`
	// ConnectTimeout is how long a connection may take to open, its TLS handshake by itself. Between 10ms and 1m.
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"5s"`
}

// HealthConfig says when a server is left alone, and what lets it back.
type HealthConfig struct {
	// Path is asked of each server by itself, by GET, at its root, not under its base path: /healthz. Empty: only the users' own requests tell, and one of
	// them is the probe that lets a server back.
	Path string `yaml:"path" default:"" example:"/healthz"`
	// Interval is how often. Between 100ms and 1h.
	Interval time.Duration `yaml:"interval" default:"10s"`
	// Timeout is how long the answer may take. Between 10ms and 1m.
	Timeout time.Duration `yaml:"timeout" default:"2s"`
	// Status are the statuses of a healthy server. Default: 200 to 299.
	Status []int `yaml:"status" default:"[]"`
	// Failures is after how many in a row a server is left alone: checks that failed, or requests that got no answer. Between 1 and 100.
	Failures int `yaml:"failures" default:"3"`
}

// TLSConfig is both sides' proof towards an upstream. The files are read again when they change: new connections use the new ones.
type TLSConfig struct {
	// CA is a PEM file with the authorities that may vouch for the servers. Default: the system's.
	CA string `yaml:"ca" default:"" file:"watched"`
	// ServerName is the name that the servers' certificates must have. Default: the URL's host.
	ServerName string `yaml:"server_name" default:""`
	// Cert is a PEM file with the certificate, and what it hangs on, by which the servers know us (mutual TLS). Needs key.
	Cert string `yaml:"cert" default:"" file:"watched"`
	// Key is a PEM file with the private key of cert.
	Key string `yaml:"key" default:"" file:"watched"`
}

// upstreamName is what may name an upstream: it stands in logs and metrics, and is no URL.
var upstreamName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)

// IsUpstreamName reports whether text may name an upstream.
func IsUpstreamName(text string) bool { return upstreamName.MatchString(text) }

// UpstreamName is the name of the upstream that a route shares with others; empty where it has URLs of its own.
func (c Config) UpstreamName() string {
	if IsUpstreamName(c.Upstream) {
		return c.Upstream
	}
	return ""
}

// Resolve is the upstream that a route goes to: the one that it names, which must be there, or one of its own URLs, with the defaults.
func (c Config) Resolve(upstreams map[string]Upstream) (Upstream, error) {
	if name := c.UpstreamName(); name != "" {
		u, ok := upstreams[name]
		if !ok {
			return Upstream{}, fmt.Errorf("upstream: %q is no upstream of this configuration", name)
		}
		return u, nil
	}
	return Upstream{URL: c.Upstream, URLs: c.Upstreams, Health: c.Health}, nil
}

// urls are all servers' URLs.
func (u Upstream) urls() []string {
	if u.URL != "" {
		return []string{u.URL}
	}
	return u.URLs
}

// Validate reports what is wrong with u, key by key.
func (u Upstream) Validate(report func(key, problem string)) {
	switch {
	case u.URL == "" && len(u.URLs) == 0:
		report("url", "is missing; write a URL such as http://orders:9001/v2, or several as urls")
	case u.URL != "" && len(u.URLs) > 0:
		report("urls", "stands beside url; all servers belong into urls")
	case u.URL != "":
		if _, problem := readAddress(u.URL); problem != "" {
			report("url", problem)
		}
	}
	validateURLs(u.URLs, "urls", report)
	u.validateProtocol(report)
	u.TLS.validate(u.scheme() == "https", report)
	if u.MaxConnections < 1 || u.MaxConnections > 1<<16 {
		report("max_connections", fmt.Sprintf("%d is not between 1 and 65536", u.MaxConnections))
	}
	between(report, "max_connection_age", u.MaxConnectionAge, time.Second, 24*time.Hour)
	between(report, "connect_timeout", u.ConnectTimeout, 10*time.Millisecond, time.Minute)
}

// scheme is the scheme of the servers' URLs, which have all the same.
func (u Upstream) scheme() string {
	for _, text := range u.urls() {
		if a, problem := readAddress(text); problem == "" {
			return a.scheme
		}
	}
	return ""
}

func (u Upstream) validateProtocol(report func(key, problem string)) {
	switch scheme := u.scheme(); {
	case u.Protocol == "http2" && scheme == "http":
		report("protocol", "http2 needs https; without TLS it is h2c")
	case u.Protocol == "h2c" && scheme == "https":
		report("protocol", "h2c is HTTP/2 without TLS; with https it is http2")
	}
}

func (c TLSConfig) validate(used bool, report func(key, problem string)) {
	switch {
	case !used && c != TLSConfig{}:
		report("tls", "is for https only")
	case c.Cert != "" && c.Key == "":
		report("tls.key", "is missing; a certificate is of no use without its key")
	case c.Cert == "" && c.Key != "":
		report("tls.cert", "is missing; a key is of no use without its certificate")
	}
	if strings.ContainsAny(c.ServerName, " /:*") {
		report("tls.server_name", fmt.Sprintf("%q is no host name", c.ServerName))
	}
}

// Validate reports what is wrong with c, key by key.
func (c HealthConfig) Validate(report func(key, problem string)) {
	switch {
	case c.Path == "":
	case c.Path[0] != '/' || pathProblem(c.Path) != "" || strings.ContainsAny(c.Path, "?#%\\"):
		report("path", fmt.Sprintf("%q is no plain path such as /healthz", c.Path))
	case c.Timeout > c.Interval:
		report("timeout", fmt.Sprintf("%v must not be longer than interval (%v)", c.Timeout, c.Interval))
	}
	between(report, "interval", c.Interval, 100*time.Millisecond, time.Hour)
	between(report, "timeout", c.Timeout, 10*time.Millisecond, time.Minute)
	for i, s := range c.Status {
		if s < 200 || s > 599 || slices.Index(c.Status, s) < i {
			report(fmt.Sprintf("status[%d]", i), fmt.Sprintf("%d is no status from 200 to 599, or there twice", s))
		}
	}
	if c.Failures < 1 || c.Failures > 100 {
		report("failures", fmt.Sprintf("%d is not between 1 and 100", c.Failures))
	}
}

func between(report func(key, problem string), key string, d, least, most time.Duration) {
	if d < least || d > most {
		report(key, fmt.Sprintf("%v is not between %v and %v", d, least, most))
	}
}

// validateURLs reports what is wrong with several servers' URLs. They must not differ in what a route's path, or a redirect, is made of.
func validateURLs(urls []string, key string, report func(key, problem string)) {
	var first address
	for i, text := range urls {
		a, problem := readAddress(text)
		if i == 0 {
			first = a
		}
		switch {
		case problem != "":
		case slices.Index(urls, text) < i:
			problem = fmt.Sprintf("%q is there twice", text)
		case a.scheme != first.scheme || (a.socket == "") != (first.socket == "") || a.base != first.base:
			problem = fmt.Sprintf("%q differs from %q in more than host and port; servers that are asked in turns have the same scheme and base path", text, urls[0])
		}
		if problem != "" {
			report(fmt.Sprintf("%s[%d]", key, i), problem)
		}
	}
}
