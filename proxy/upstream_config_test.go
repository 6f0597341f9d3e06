package proxy

import (
	"strings"
	"testing"
	"time"
)

func TestUpstreamsThatAreWrong(t *testing.T) { // PRX-26
	for _, c := range []struct {
		name   string
		change func(u *Upstream)
		want   string // the key, and a part of the problem; empty: it is right
	}{
		{"one server", func(u *Upstream) {}, ""},
		{"a socket", func(u *Upstream) { u.URL = "unix:/run/orders.sock:/v2" }, ""},
		{"two servers", func(u *Upstream) { u.URL, u.URLs = "", []string{"http://a:1/v2", "http://b:2/v2/"} }, ""},
		{"none", func(u *Upstream) { u.URL = "" }, "url: is missing"},
		{"both keys", func(u *Upstream) { u.URLs = []string{"http://b"} }, "urls: stands beside url"},
		{"another scheme", func(u *Upstream) { u.URL = "ftp://orders" }, "url: \"ftp://orders\" is no upstream"},
		{"a password", func(u *Upstream) { u.URL = "http://alice:x@orders" }, "url: has a user name or password"},
		{"a relative socket", func(u *Upstream) { u.URL = "unix:orders.sock" }, "url: \"unix:orders.sock\": a socket is an absolute path"},
		{"a socket with dots in its base", func(u *Upstream) { u.URL = "unix:/run/o.sock:/../x" }, "url: \"unix:/run/o.sock:/../x\": the base path"},
		{"twice the same", func(u *Upstream) { u.URL, u.URLs = "", []string{"http://a", "http://a"} }, "urls[1]: \"http://a\" is there twice"},
		{"another base path", func(u *Upstream) { u.URL, u.URLs = "", []string{"http://a/v1", "http://b/v2"} }, "urls[1]: \"http://b/v2\" differs"},
		{"http beside https", func(u *Upstream) { u.URL, u.URLs = "", []string{"https://a", "http://b"} }, "urls[1]: \"http://b\" differs"},
		{"http2 without TLS", func(u *Upstream) { u.Protocol = "http2" }, "protocol: http2 needs https"},
		{"h2c with TLS", func(u *Upstream) { u.URL, u.Protocol = "https://a", "h2c" }, "protocol: h2c is HTTP/2 without TLS"},
		{"tls without https", func(u *Upstream) { u.TLS.CA = "ca.pem" }, "tls: is for https only"},
		{"a certificate without a key", func(u *Upstream) { u.URL, u.TLS.Cert = "https://a", "c.pem" }, "tls.key: is missing"},
		{"a key without a certificate", func(u *Upstream) { u.URL, u.TLS.Key = "https://a", "k.pem" }, "tls.cert: is missing"},
		{"a URL for a name", func(u *Upstream) { u.URL, u.TLS.ServerName = "https://a", "https://b" }, "tls.server_name: \"https://b\" is no host name"},
		{"no connection", func(u *Upstream) { u.MaxConnections = -1 }, "max_connections: -1 is not between"},
		{"no age", func(u *Upstream) { u.MaxConnectionAge = time.Millisecond }, "max_connection_age: 1ms is not between"},
		{"no time to connect", func(u *Upstream) { u.ConnectTimeout = time.Hour }, "connect_timeout: 1h0m0s is not between"},
		{"a health path with a query", func(u *Upstream) { u.Health.Path = "/h?x" }, "path: \"/h?x\" is no plain path"},
		{"a check longer than its interval", func(u *Upstream) { u.Health.Path, u.Health.Timeout = "/h", 20*time.Second }, "timeout: 20s must not be longer than interval"},
		{"a status that is none", func(u *Upstream) { u.Health.Status = []int{200, 1000} }, "status[1]: 1000 is no status"},
		{"no failures", func(u *Upstream) { u.Health.Failures = -1 }, "failures: -1 is not between"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := Upstream{URL: "http://orders:9001/v2"}.withDefaults()
			c.change(&u)
			var got []string
			report := func(key, problem string) { got = append(got, key+": "+problem) }
			u.Validate(report)
			u.Health.Validate(report)
			if all := strings.Join(got, "; "); (c.want == "") != (all == "") || !strings.HasPrefix(all, c.want) {
				t.Errorf("got %q, want %q", all, c.want)
			}
		})
	}
}

func TestWhereARouteGoes(t *testing.T) {
	named := map[string]Upstream{"orders": {URL: "http://orders:9001"}}
	for _, c := range []struct {
		name   string
		change func(*Config)
		url    string
		wrong  bool
	}{
		{"to its URL", func(c *Config) { c.Upstream = "http://x" }, "http://x", false},
		{"to what it names", func(c *Config) { c.Upstream = "orders" }, "http://orders:9001", false},
		{"to its own servers", func(c *Config) { c.Upstream, c.Upstreams = "", []string{"http://x", "http://y"} }, "http://x", false},
		{"nowhere", func(c *Config) { c.Upstream = "" }, "", true},
		{"to a name that nobody has", func(c *Config) { c.Upstream = "users" }, "", true},
		{"to two things", func(c *Config) { c.Upstreams = []string{"http://x"} }, "", true},
		{"to a named one with health of its own", func(c *Config) { c.Upstream, c.Health.Path = "orders", "/h" }, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := conf("/")
			c.change(&conf)
			table, err := Compile([]Config{conf}, named, Deps{}, nil)
			if (err != nil) != c.wrong {
				t.Fatal(err)
			}
			if err == nil && table.Upstreams()[0].Server != c.url {
				t.Errorf("got %+v, want %s", table.Upstreams(), c.url)
			}
		})
	}
}
