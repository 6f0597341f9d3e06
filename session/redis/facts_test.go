package redis

import (
	"strings"
	"testing"
)

// TestFacts shows what is made of what a server says about itself.
func TestFacts(t *testing.T) {
	for _, c := range []struct {
		name string
		info string
		says string // empty: it suits
	}{
		{"Redis 7.0", "# Server\r\nredis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n", ""},
		{"Redis 10", "redis_version:10.1\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n", ""},
		{"Redis 6.2", "redis_version:6.2.14\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n", `version "6.2.14" is too old`},
		{"Redis 2.8", "redis_version:2.8\r\nmaxmemory_policy:noeviction\r\n", "use Redis 7 or newer"},
		{"a version that is no number", "redis_version:unknown\r\nmaxmemory_policy:noeviction\r\n", ""},
		{"a replica", "redis_version:7.2.4\r\nrole:slave\r\nmaxmemory_policy:noeviction\r\n", "replica"},
		{"it evicts", "redis_version:7.2.4\r\nmaxmemory_policy:volatile-lru\r\n", `"volatile-lru"`},
		{"it says nothing", "", "+info"},
		{"a name that only ends alike", "x_maxmemory_policy:noeviction\r\n", "+info"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := parseInfo(c.info).suits(false)
			if c.says == "" && err != nil {
				t.Errorf("%q: %v, want none", c.info, err)
			}
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%q: %v, want an error that says %q", c.info, err, c.says)
			}
		})
	}
}

// TestOptions shows what the client library is told, beside what its own defaults would be.
func TestOptions(t *testing.T) {
	good := Config{URL: "rediss://someone:p%40ss@redis.example:6380/3", Prefix: "a-b_c.D9", Timeout: 1e9, PoolSize: 7}
	sentinel := Sentinel{Master: "m", Addresses: []string{"s:1"}}
	opt, err := options(good)
	if err != nil {
		t.Fatal(err)
	}
	if opt.Addrs[0] != "redis.example:6380" || opt.Username != "someone" || opt.Password != "p@ss" || opt.DB != 3 {
		t.Errorf("URL was read as %s, user %s, db %d", opt.Addrs, opt.Username, opt.DB)
	}
	if !opt.ContextTimeoutEnabled || !opt.DisableIdentity || opt.MaintNotificationsConfig.Mode != "disabled" || opt.TLSConfig.InsecureSkipVerify {
		t.Errorf("context %t, identity off %t, maintenance notifications %s, unverified %t", opt.ContextTimeoutEnabled, opt.DisableIdentity,
			opt.MaintNotificationsConfig.Mode, opt.TLSConfig.InsecureSkipVerify)
	}
	for name, spoil := range map[string]func(*Config){
		"no prefix":                        func(c *Config) { c.Prefix = "" },
		"a prefix that moves the hash tag": func(c *Config) { c.Prefix = "a{b}" },
		"no timeout":                       func(c *Config) { c.Timeout = 0 },
		"no connections":                   func(c *Config) { c.PoolSize = 0 },
		"a CA that is not there":           func(c *Config) { c.CA = "/nowhere/ca.pem" },
		"a CA without a certificate":       func(c *Config) { c.CA = "facts_test.go" },
		"a certificate without its key":    func(c *Config) { c.Cert = "facts_test.go" },
		"a certificate that is none":       func(c *Config) { c.Cert, c.Key = "facts_test.go", "facts_test.go" },
		"a certificate without TLS":        func(c *Config) { c.URL, c.Cert, c.Key = "redis://redis.example", "facts_test.go", "facts_test.go" },
		"two passwords":                    func(c *Config) { c.Password = "x" },
		"two users":                        func(c *Config) { c.Username = "x" },
		"url and sentinel":                 func(c *Config) { c.Sentinel = sentinel },
		"url and cluster":                  func(c *Config) { c.Cluster = []string{"c:1"} },
		"sentinel and cluster":             func(c *Config) { c.URL, c.Sentinel, c.Cluster = "", sentinel, []string{"c:1"} },
		"sentinels of nobody":              func(c *Config) { c.URL, c.Sentinel = "", Sentinel{Addresses: []string{"s:1"}} },
		"a primary that nobody watches":    func(c *Config) { c.URL, c.Sentinel = "", Sentinel{Master: "m"} },
		"fewer than no replicas":           func(c *Config) { c.Wait = -1 },
		"a CA without TLS":                 func(c *Config) { c.URL, c.CA = "redis://redis.example", "facts_test.go" },
	} {
		bad := good
		spoil(&bad)
		if _, err := options(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
