package proxy

import (
	"time"

	"github.com/alecthomas/units"

	"cloakroom/proxy/compose"
	"cloakroom/proxy/schema"
	"cloakroom/proxy/tokens"
)

// Config is one route: a path pattern, the upstream it goes to, and the rules to pass.
type Config struct {
	// Path is a net/http ServeMux pattern without method and host: /exact, /prefix/, /items/{id}, /files/{rest...}.
	// `/x/` also takes `/x`. The more specific pattern wins.
	Path string `yaml:"path" required:"true" example:"/api/"`
	// Methods are the methods that the route takes; GET also takes HEAD. Empty: all but TRACE and CONNECT.
	Methods []string `yaml:"methods" default:"[]"`
	// Upstream is where the route goes: the API server's URL, http, https or unix:/run/orders.sock, with an optional base path; or the name of one of `upstreams`.
	Upstream string `yaml:"upstream" default:"" example:"http://orders:9001/v2"`
	// Upstreams are the URLs of several servers that do the same, asked in turns, instead of one upstream. They differ in host and port, or socket, only.
	Upstreams []string `yaml:"upstreams" default:"[]"`
	// Health is how one of the route's own servers is found that had better be left alone. A named upstream has its own.
	Health         HealthConfig `yaml:"health"`
	compose.Config `yaml:",inline"`
	// Resource is where the attributes are found of what a request is about, such as a document's owner: rules call them `resource`. They are asked for where a rule looks at them,
	// after all rules that need nothing from elsewhere have passed.
	Resource ResourceConfig `yaml:"resource" filled:"true" example:"{url: 'http://documents:9003/documents/{id}'}"`
	// StripPrefix is cut from the request's path before the upstream's base path is put in front.
	StripPrefix string `yaml:"strip_prefix" default:""`
	// Auth is whether the route needs a session: `required`; `optional` (the bearer is added where there is one); `none` (no session is read, no bearer added).
	Auth string `yaml:"auth" default:"required" enum:"required,optional,none"`
	// Token is which access token the upstream gets: one word, such as session, none or client, or keys. There is no second choice: a request whose token cannot be had goes nowhere.
	Token tokens.Config `yaml:"token" short:"method"`
	// WithoutFetchMetadata: `safe` lets GET and HEAD of old web views through, which send neither Sec-Fetch-Site nor Origin nor X-CSRF.
	// Needs the Strict cookie. Default `refuse`.
	WithoutFetchMetadata string `yaml:"without_fetch_metadata" default:"refuse" enum:"refuse,safe"`
	// CrossSiteNavigation lets top-level GET navigations from other sites in, for routes that serve pages: directly with `same_site: lax`,
	// by a bounce through a page of this origin with the strict cookie. Its pages get spa.csp. Never set it for an API: a link would be enough to call it.
	CrossSiteNavigation bool `yaml:"cross_site_navigation" default:"false"`
	// Headers are what the upstream gets in its requests' headers beside what the client sent.
	Headers HeadersConfig `yaml:"headers"`
	// CORS lets pages of other origins read the route's answers.
	CORS CORSConfig `yaml:"cors"`
	// Cache says who may keep the route's answers.
	Cache CacheConfig `yaml:"cache"`
	// Timeout is how long the upstream may take until its response headers. Between 1ms and 10m.
	Timeout time.Duration `yaml:"timeout" default:"30s"`
	// Idle is how long either side may be silent while a body is on its way. Streams have no total limit. Between 1ms and 1h.
	Idle time.Duration `yaml:"idle" default:"60s"`
	// Request bounds what a client may send, and says how it is checked.
	Request RequestConfig `yaml:"request"`
	// Response bounds what an upstream may answer, and says how it is checked.
	Response ResponseConfig `yaml:"response"`
}

// RequestConfig bounds a route's requests, and says how they are checked.
type RequestConfig struct {
	schema.Request `yaml:",inline"`
	// MaxBody is the largest request body; a larger one is answered 413. Between 1B and 1TiB.
	MaxBody units.Base2Bytes `yaml:"max_body" default:"10MiB"`
	// MinRate is how many bytes a second must come on average while a request body is waited for, after a first `idle`; a slower one is answered 408.
	// The time that the upstream takes does not count. 0B for bodies that are streams themselves: no limit. At most 1MiB.
	MinRate units.Base2Bytes `yaml:"min_rate" default:"512B"`
}

// ResponseConfig bounds a route's responses, and says how they are checked.
type ResponseConfig struct {
	schema.Response `yaml:",inline"`
	// MaxBody is the largest response body; a longer one is answered 502, or cut off where its length was not announced. 0: no limit.
	MaxBody units.Base2Bytes `yaml:"max_body" default:"0B"`
}
