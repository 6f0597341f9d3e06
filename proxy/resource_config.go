package proxy

import (
	"fmt"
	"time"

	"github.com/alecthomas/units"

	"cloakroom/configs/secret"
	"cloakroom/proxy/compose"
	"cloakroom/proxy/tokens"
)

// ResourceConfig is where the attributes are found of what a request is about.
type ResourceConfig struct {
	// URL is what is asked for, with GET: an upstream's URL with its path. {id} stands for the path value that the route's `path` has under that name.
	URL string `yaml:"url" default:"" example:"http://documents:9003/documents/{id}"`
	// Upstream names one of `upstreams`, in place of `url`.
	Upstream string `yaml:"upstream" default:""`
	// Path is what is asked of `upstream`, written like the end of `url`.
	Path string `yaml:"path" default:"" example:"/documents/{id}"`
	// Timeout is how long it may take until the end of the answer. Between 1ms and 1m.
	Timeout time.Duration `yaml:"timeout" default:"1s"`
	// MaxBody is the largest answer that is taken. Between 1B and 16MiB.
	MaxBody units.Base2Bytes `yaml:"max_body" default:"64KiB"`
	// Token is which access token goes along, written like a route's. Where nothing is said it is the route's.
	Token tokens.Config `yaml:"token" short:"method"`
	// Headers are sent along, beside those that every upstream gets.
	Headers map[string]secret.String `yaml:"headers" default:"{}"`
	// Cache is how long an answer is remembered for the same session or credential, the same URL and the same headers of the client. For so long a change of the resource goes unseen. At most 1m.
	Cache time.Duration `yaml:"cache" default:"0s"`
}

// resourceLeg is the name of the resource's leg.
const resourceLeg = "resource"

// On reports whether the route has a resource.
func (c ResourceConfig) On() bool { return c.URL != "" || c.Upstream != "" }

// leg is the same as a leg of a composed answer.
func (c ResourceConfig) leg() compose.Leg {
	return compose.Leg{URL: c.URL, Upstream: c.Upstream, Path: c.Path, Timeout: c.Timeout, MaxBody: c.MaxBody, Token: c.Token, Headers: c.Headers}
}

// composed is a composed answer of nothing but the resource.
func (c ResourceConfig) composed() compose.Config {
	return compose.Config{Legs: map[string]compose.Leg{resourceLeg: c.leg()}}
}

// validateResource reports what is wrong with a route's resource.
func (c Config) validateResource(report func(key, problem string)) {
	r := c.Resource
	if !r.On() {
		if r.Path != "" {
			report("resource.path", "goes with resource.upstream; name it, or write resource.url")
		}
		return
	}
	inside := func(key, problem string) { report("resource."+key, problem) }
	r.leg().Validate(inside)
	r.composed().Validate(valueNames(pathValues(c.Path)), func(key, problem string) {
		report(resourceKey(key), problem)
	})
	validateLeg("resource", r.leg(), report)
	if r.Cache > time.Minute {
		inside("cache", fmt.Sprintf("%v is longer than 1m, and for so long a change of the resource would go unseen", r.Cache))
	}
}

// resourceKey is the key of a route that a fault of the one leg is about.
func resourceKey(key string) string {
	if rest, ok := cutLeg(key); ok {
		return "resource" + rest
	}
	return "resource"
}

// cutLeg takes compose.resource off a key.
func cutLeg(key string) (rest string, ok bool) {
	const prefix = "compose." + resourceLeg
	if len(key) < len(prefix) || key[:len(prefix)] != prefix {
		return "", false
	}
	return key[len(prefix):], true
}
