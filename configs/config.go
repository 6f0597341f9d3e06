package configs

import (
	"time"

	"github.com/alecthomas/units"

	"cloakroom/bff/assertion"
	"cloakroom/bff/certs"
	"cloakroom/bff/inbound"
	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/bff/provider"
	"cloakroom/bff/static"
	"cloakroom/proxy"
	"cloakroom/proxy/tokens"
	"cloakroom/session"
	"cloakroom/session/memory"
	"cloakroom/session/redis"
)

// Config is the whole configuration: the main file, and the routes of those that it includes.
type Config struct {
	// Server is where Cloakroom listens and under which name.
	Server Server `yaml:"server"`
	// Providers are the OpenID providers that users sign in with, by a name of your choice.
	Providers map[string]provider.Config `yaml:"providers" required:"true" example:"{main: {issuer: …, client_id: …, client_secret: …}}"`
	// DefaultProvider names the provider that /bff/login uses when the request names none. Needed with two or more.
	DefaultProvider string `yaml:"default_provider" default:""`
	// Session is how sessions are kept.
	Session Session `yaml:"session"`
	// Assertions are what upstreams are told about users in a form that they can verify: routes.headers.assertion.
	Assertions assertion.Config `yaml:"assertions"`
	// SPA is the single-page app itself, served from the same origin.
	SPA static.Config `yaml:"spa"`
	// Policy is what all rules share: how roles are called and what they include, and where it is what time.
	Policy policy.Config `yaml:"policy"`
	// Limits are the built-in limits on sign-ins and callers, and those that routes share.
	Limits limit.Config `yaml:"limits"`
	// Callers are those without a session that routes may let in: programs with API keys, passwords, access tokens or certificates of their own.
	Callers inbound.Config `yaml:"callers"`
	// Include names further files with routes, so that each team can have its own: paths, or patterns such as routes/*.yaml, where * stands for a
	// name or a part of one in one folder. A pattern may match nothing while its folder is there. An included file has
	// `defaults`, `upstreams`, `rules` and `routes`, and includes nothing itself.
	Include []string `yaml:"include" default:"[]"`
	Routing `yaml:",inline"`

	read sources // see Files, Folders and Place
}

// Routing is what every file may have, the main one and those that it includes.
type Routing struct {
	// Defaults are what the routes of the same file have where they do not say otherwise.
	Defaults Defaults `yaml:"defaults"`
	// Upstreams are API servers, by a name of your choice, that routes of all files may share. A name is given once.
	Upstreams map[string]proxy.Upstream `yaml:"upstreams" default:"{}"`
	// Rules are rules by a name of your choice, for the routes of all files to name in `allow.rules`. A name is given once.
	Rules map[string]policy.Rule `yaml:"rules" default:"{}"`
	// Routes are the paths that go to upstreams.
	Routes []Route `yaml:"routes" default:"[]"`
}

// Route is a path, the upstream it goes to, and who may go there how often.
type Route struct {
	proxy.Config `yaml:",inline"`
	// Allow is what users and callers must be for the route, beside `auth`. All that is given must hold.
	Allow policy.Allow `yaml:"allow"`
	// Limit is how much the route takes of each user, address or other: one limit or a list of them. A single word is the name of one of `limits.shared`.
	Limit []limit.Limit `yaml:"limit" default:"[]" single:"true" short:"shared"`
	// Callers are who else may come, without a session: those of `callers` in the main file. Default: nobody.
	Callers []string `yaml:"callers" default:"[]" single:"true" enum:"api_key,basic,bearer,certificate"`
	// PassCredentials hands a caller's own access token to the upstream, as its bearer. No other credential is ever handed on.
	PassCredentials bool `yaml:"pass_credentials" default:"false"`
}

// Defaults are what the routes of one file share. What a route says itself wins: a list as a whole, of a section each key by itself.
type Defaults struct {
	// Upstream is where the routes go that name none: a URL, or the name of one of `upstreams`.
	Upstream string `yaml:"upstream" default:""`
	// StripPrefix is cut from the paths of the file's requests.
	StripPrefix string `yaml:"strip_prefix" default:""`
	// Auth is whether the file's routes need a session.
	Auth string `yaml:"auth" default:"required" enum:"required,optional,none"`
	// Token is which access token the upstreams get.
	Token tokens.Config `yaml:"token" short:"method"`
	// WithoutFetchMetadata says whether GET and HEAD of old web views are let through.
	WithoutFetchMetadata string `yaml:"without_fetch_metadata" default:"refuse" enum:"refuse,safe"`
	// Headers are what changes in the requests' headers.
	Headers proxy.HeadersConfig `yaml:"headers"`
	// CORS lets pages of other origins read the answers.
	CORS proxy.CORSConfig `yaml:"cors"`
	// Cache says who may keep the answers.
	Cache proxy.CacheConfig `yaml:"cache"`
	// Allow is what users and callers must be for the file's routes, beside `auth`. All that is given must hold; a route that has `roles` of its own has those instead, and so on.
	Allow policy.Allow `yaml:"allow"`
	// Limit is how much each of the file's routes takes of each user, address or other. Each route counts by itself.
	Limit []limit.Limit `yaml:"limit" default:"[]" single:"true" short:"shared"`
	// Callers are who else may come, without a session: those of `callers` in the main file. Default: nobody.
	Callers []string `yaml:"callers" default:"[]" single:"true" enum:"api_key,basic,bearer,certificate"`
	// Timeout is how long upstreams may take until their response headers. Between 1ms and 10m.
	Timeout time.Duration `yaml:"timeout" default:"30s"`
	// Idle is how long either side may be silent while a body is on its way. Between 1ms and 1h.
	Idle time.Duration `yaml:"idle" default:"60s"`
	// Request bounds what clients may send.
	Request proxy.RequestConfig `yaml:"request"`
	// Response bounds what upstreams may answer.
	Response proxy.ResponseConfig `yaml:"response"`
}

// Server says where Cloakroom listens and under which name browsers see it.
type Server struct {
	// Listen is the public listener's address. Port 0 takes a free one, which the log names.
	Listen string `yaml:"listen" default:":8080"`
	// PublicURL is the origin that browsers see: scheme, host and port, no path. https, or http on localhost.
	PublicURL string `yaml:"public_url" required:"true" example:"https://app.example.com"`
	// TLS is where the certificate comes from, if the server itself speaks TLS: cert and key, or acme. Then public_url is https.
	TLS certs.Config `yaml:"tls" filled:"true" example:"{cert: tls.crt, key: tls.key}"`
	// HTTPListen is the address of a listener for plain HTTP beside tls, usually :80. It sends people who came there to public_url, and answers http-01 of acme; nothing
	// else is answered there, so that a script with a wrong URL finds out. Empty: none.
	HTTPListen string `yaml:"http_listen" default:"" example:":80"`
	// TrustedProxies are the networks, such as 10.0.0.0/8, whose Forwarded and X-Forwarded-For are believed. Default: nobody.
	TrustedProxies []string `yaml:"trusted_proxies" default:"[]"`
	// AdminListen is the address of /livez, /readyz and /metrics. Never public: an address that other machines reach,
	// such as 0.0.0.0:9090 for Kubernetes, needs a network that keeps strangers out. `off` turns it off.
	AdminListen string `yaml:"admin_listen" default:"127.0.0.1:9090"`
	// ShutdownDelay is how long requests are still taken after SIGTERM while readiness says no, so that a balancer has time to notice. At most 5m.
	ShutdownDelay time.Duration `yaml:"shutdown_delay" default:"0s"`
	// ShutdownGrace is how long requests in flight may take to finish after SIGTERM. At most 10m.
	ShutdownGrace time.Duration `yaml:"shutdown_grace" default:"20s"`
	// ReadHeaderTimeout is how long a client may take to send a request's headers. Between 1s and 1m.
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" default:"10s"`
	// IdleTimeout closes client connections that carried no request for this long. Between 1s and 1h.
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"2m"`
	// MaxHeader bounds a request's line and headers together; more is answered 431. Between 4KiB and 1MiB.
	MaxHeader units.Base2Bytes `yaml:"max_header" default:"16KiB"`
	// MaxConnections is how many client connections may be open at the same time, sockets aside; a further one is closed at once. Each takes some 20 KiB, 50 KiB with tls, and a file descriptor.
	// Between 16 and 1000000.
	MaxConnections int `yaml:"max_connections" default:"16384"`
	// InsecureLocalhostCookies drops the cookies' prefix and Secure, for browsers such as Safari that refuse them on http://localhost. Loopback only.
	InsecureLocalhostCookies bool `yaml:"insecure_localhost_cookies" default:"false"`
	// Log is what the server writes to standard error.
	Log Log `yaml:"log"`
}

// Log shapes the log.
type Log struct {
	// Level is the least severe level that is written.
	Level string `yaml:"level" default:"info" enum:"debug,info,warn,error"`
	// Format is `json`, `text`, or `auto`: text on a terminal, else JSON.
	Format string `yaml:"format" default:"auto" enum:"auto,json,text"`
}

// Session is how sessions are kept: the engine's own keys and the store's.
type Session struct {
	session.Config `yaml:",inline"`
	// Store is `redis`, or `memory` for one process only: its sessions end with it.
	Store string `yaml:"store" default:"redis" enum:"redis,memory"`
	// Redis is used when store is redis.
	Redis redis.Config `yaml:"redis"`
	// Memory is used when store is memory.
	Memory memory.Config `yaml:"memory"`
}
