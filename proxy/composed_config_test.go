package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/units"

	"cloakroom/configs/secret"
	"cloakroom/proxy/compose"
)

func TestNonsenseBesideComposeIsRefused(t *testing.T) {
	leg := compose.Leg{URL: "http://users:9002/me", Timeout: time.Second, MaxBody: units.MiB}
	for _, c := range []struct {
		name, key string
		change    func(*Config)
	}{
		{"an upstream", "upstream", func(c *Config) { c.Upstream = "http://users:9002" }},
		{"upstreams", "upstreams", func(c *Config) { c.Upstreams = []string{"http://users:9002"} }},
		{"a prefix to cut", "strip_prefix", func(c *Config) { c.StripPrefix = "/api" }},
		{"pages", "cross_site_navigation", func(c *Config) { c.CrossSiteNavigation = true }},
		{"a method that writes", "methods[1]", func(c *Config) { c.Methods = []string{"GET", "POST"} }},
		{"a description", "request.openapi", func(c *Config) { c.Request.OpenAPI = "x.yaml" }},
		{"a shape that is no jq", "shape", func(c *Config) { c.Shape = "{" }},
		{"a shape beside shapes", "shapes", func(c *Config) {
			c.Shape, c.Shapes, c.ShapeBy = ".", map[string]string{"web": "."}, compose.ShapeBy{Query: "c", Default: "web"}
		}},
		{"shapes without a choice", "shape_by", func(c *Config) { c.Shapes = map[string]string{"web": "."} }},
		{"shapes without a default", "shape_by.default", func(c *Config) { c.Shapes, c.ShapeBy = map[string]string{"web": "."}, compose.ShapeBy{Query: "c"} }},
		{"a default that is none", "shape_by.default", func(c *Config) {
			c.Shapes, c.ShapeBy = map[string]string{"web": "."}, compose.ShapeBy{Query: "c", Default: "x"}
		}},
		{"a choice by cookie", "shape_by.header", func(c *Config) {
			c.Shapes, c.ShapeBy = map[string]string{"web": "."}, compose.ShapeBy{Header: "Cookie", Default: "web"}
		}},
		{"a choice without shapes", "shape_by", func(c *Config) { c.ShapeBy.Query = "c" }},
		{"a shape without legs", "shape", func(c *Config) { c.Legs, c.Upstream, c.Shape = nil, "http://users:9002", "." }},
		{"a value that the path does not have", "compose.me.url", func(c *Config) { c.Legs["me"] = compose.Leg{URL: "http://users/{id}", Timeout: 1e9, MaxBody: 1} }},
		{"a leg of no upstream", "compose.me.url", func(c *Config) { c.Legs["me"] = compose.Leg{URL: "http://users:99999/me", Timeout: 1e9, MaxBody: 1} }},
		{"a leg with a name for nobody", "compose.a-b", func(c *Config) { c.Legs["a-b"] = leg }},
		{"a header that is ours", "compose.me.headers.Authorization", func(c *Config) {
			l := leg
			l.Headers = map[string]secret.String{"Authorization": "Bearer x"}
			c.Legs["me"] = l
		}},
		{"too many legs", "compose", func(c *Config) {
			for i := range 17 {
				c.Legs[fmt.Sprintf("l%d", i)] = leg
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := Config{Path: "/api/home", Auth: "required", Timeout: time.Second, Idle: time.Second, Request: RequestConfig{MaxBody: 1}}
			conf.Legs = map[string]compose.Leg{"me": leg}
			var clean []string
			conf.Validate(func(key, problem string) { clean = append(clean, key+": "+problem) })
			if clean != nil {
				t.Fatal(clean)
			}
			c.change(&conf)
			var keys []string
			conf.Validate(func(key, problem string) {
				if keys = append(keys, key); problem == "" {
					t.Error("no word about it")
				}
			})
			if !slices.Contains(keys, c.key) {
				t.Errorf("complaints about %q, want %s", keys, c.key)
			}
			if _, err := Compile([]Config{conf}, nil, Deps{}, nil); err == nil {
				t.Error("Compile takes it")
			}
		})
	}
}

func TestALegOfAnUnknownUpstreamIsRefused(t *testing.T) {
	c := Config{Path: "/api/home", Auth: "required", Timeout: time.Second, Idle: time.Second, Request: RequestConfig{MaxBody: 1}}
	c.Legs = map[string]compose.Leg{"me": {Upstream: "users", Path: "/me", Timeout: time.Second, MaxBody: 1}}
	if _, err := Compile([]Config{c}, nil, Deps{}, nil); err == nil || !strings.Contains(err.Error(), "compose.me.upstream") {
		t.Errorf("%v", err)
	}
}
