package inbound

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// problems are what all parts of a configuration say of themselves, as the loader asks them.
func problems(c Config) (all []string) {
	under := func(at string) func(key, problem string) {
		return func(key, problem string) { all = append(all, strings.TrimPrefix(at+"."+key, ".")+": "+problem) }
	}
	c.Validate(under(""))
	c.APIKey.Validate(under("api_key"))
	c.Basic.Validate(under("basic"))
	c.Certificate.Validate(under("certificate"))
	for i, b := range c.Bearer {
		b.Validate(under(fmt.Sprintf("bearer[%d]", i)))
	}
	for i, n := range c.Certificate.Names {
		n.Validate(under(fmt.Sprintf("certificate.names[%d]", i)))
	}
	return all
}

func whole() Config {
	return Config{
		APIKey: APIKey{Header: "X-API-Key"},
		Basic:  Basic{File: "users", Realm: "the API", Roles: map[string][]string{"alice": {"support"}}},
		Bearer: []Bearer{{
			Issuer: "https://id.example.com/realms/a", Audience: []string{"orders"}, SigningAlgs: []string{"ES256"}, RolesClaim: "realm_access.roles", ScopesClaim: "scope",
			ClockSkew: time.Minute, Timeout: 10 * time.Second,
		}},
		Certificate: Certificate{CA: "ca.pem", Names: []Name{ordersName}, Header: "Client-Cert"},
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	if got := problems(whole()); len(got) != 0 {
		t.Fatalf("a good one: %q", got)
	}
	if got := problems(Config{}); len(got) != 0 {
		t.Fatalf("an empty one: %q", got)
	}
	if got := whole().Kinds(); !slices.Equal(got, []string{"api_key", "basic", "bearer", "certificate"}) || (Config{}).Kinds() != nil {
		t.Errorf("kinds %q", got)
	}
	for _, c := range []struct {
		want   string
		change func(*Config)
	}{
		{"api_key.header: \"Cookie\" means something else", func(c *Config) { c.APIKey.Header = "Cookie" }},
		{"api_key.header: \"sec-fetch-mode\" means something else", func(c *Config) { c.APIKey.Header = "sec-fetch-mode" }},
		{"api_key.header: \"client-cert\" means something else", func(c *Config) { c.APIKey.Header = "client-cert" }},
		{"api_key.header: \"X_Key\" is no header", func(c *Config) { c.APIKey.Header = "X_Key" }},
		{"api_key.header: \"X Key\" is no header", func(c *Config) { c.APIKey.Header = "X Key" }},
		{"basic.file: is missing", func(c *Config) { c.Basic.File = "" }},
		{"basic.file: is missing", func(c *Config) { c.Basic = Basic{Realm: "orders"} }},
		{"basic.realm: ", func(c *Config) { c.Basic.Realm = `a"b` }},
		{"basic.roles.a:b: is no user name", func(c *Config) { c.Basic.Roles = map[string][]string{"a:b": nil} }},
		{"basic.roles.a[0]: \"\" is no role", func(c *Config) { c.Basic.Roles = map[string][]string{"a": {""}} }},
		{"bearer[0].issuer: \"id.example.com\" is no issuer", func(c *Config) { c.Bearer[0].Issuer = "id.example.com" }},
		{"bearer[0].issuer: \"http://id.example.com\" is plain http", func(c *Config) { c.Bearer[0].Issuer = "http://id.example.com" }},
		{"bearer[0].issuer: has a user name", func(c *Config) { c.Bearer[0].Issuer = "https://a:b@id.example.com" }},
		{"bearer[0].issuer: \"https://a/.well-known/x\" is the discovery document", func(c *Config) { c.Bearer[0].Issuer = "https://a/.well-known/x" }},
		{"bearer[0].jwks_url: must be https", func(c *Config) { c.Bearer[0].JWKSURL = "http://localhost/keys" }},
		{"bearer[0].audience: is empty", func(c *Config) { c.Bearer[0].Audience = nil }},
		{"bearer[0].audience[1]: \"orders\" is there twice", func(c *Config) { c.Bearer[0].Audience = []string{"orders", "orders"} }},
		{"bearer[0].signing_algs: is empty", func(c *Config) { c.Bearer[0].SigningAlgs = nil }},
		{"bearer[0].roles_claim: \"a..b\" has an empty part", func(c *Config) { c.Bearer[0].RolesClaim = "a..b" }},
		{"bearer[0].clock_skew: 2m0s is more than 60s", func(c *Config) { c.Bearer[0].ClockSkew = 2 * time.Minute }},
		{"bearer[0].timeout: 0s is not between", func(c *Config) { c.Bearer[0].Timeout = 0 }},
		{"bearer[1].issuer: is that of bearer[0], too", func(c *Config) { c.Bearer = append(c.Bearer, c.Bearer[0]) }},
		{"certificate.ca: is missing", func(c *Config) { c.Certificate.CA = "" }},
		{"certificate.header: \"X-SSL-Cert\" is not the header", func(c *Config) { c.Certificate.Header = "X-SSL-Cert" }},
		{"certificate.names: is empty", func(c *Config) { c.Certificate.Names = nil }},
		{"certificate.names[0].dns: is missing", func(c *Config) { c.Certificate.Names = []Name{{}} }},
		{"certificate.names[0].uri: stands beside dns", func(c *Config) { c.Certificate.Names[0].URI = "x://y/z" }},
		{"certificate.names[0].as: \"a\\nb\" is no name", func(c *Config) { c.Certificate.Names[0].As = "a\nb" }},
		{"certificate.names[0].scopes[0]: \"a b\" is no scope", func(c *Config) { c.Certificate.Names[0].Scopes = []string{"a b"} }},
	} {
		cfg := whole()
		cfg.Certificate.Names = slices.Clone(cfg.Certificate.Names)
		c.change(&cfg)
		if got := problems(cfg); len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
