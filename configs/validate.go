package configs

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"cloakroom/configs/secret"
	"cloakroom/proxy"
)

// validator is a part of the configuration that can judge itself. It reports by keys relative to its own.
type validator interface {
	Validate(report func(key, problem string))
}

// validate asks v and everything below it. An inline part is not asked by itself: the struct that it
// lies in has its method.
func (d *decoder) validate(v reflect.Value, key string) {
	if part, ok := v.Interface().(validator); ok {
		part.Validate(func(sub, problem string) { d.judge(join(key, sub), problem) })
	}
	d.below(v, key)
}

func (d *decoder) below(v reflect.Value, key string) {
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range fields(v.Type()) {
			if f.inline {
				d.below(v.Field(f.index), key)
				continue
			}
			d.validate(v.Field(f.index), join(key, f.key))
		}
	case reflect.Map:
		for _, k := range slices.Sorted(maps.Keys(names(v))) {
			d.validate(v.MapIndex(reflect.ValueOf(k)), join(key, k))
		}
	case reflect.Slice:
		for i := range v.Len() {
			d.validate(v.Index(i), fmt.Sprintf("%s[%d]", key, i))
		}
	}
}

func names(v reflect.Value) map[string]bool {
	out := map[string]bool{}
	for _, k := range v.MapKeys() {
		out[k.String()] = true
	}
	return out
}

// judge reports what a part thinks of its value. The place is the key's, or that of what it lies in.
func (d *decoder) judge(key, problem string) {
	d.report(key, d.nearestPlace(key), d.redact(key, plainDurations(problem)))
}

// zeros are what time.Duration prints behind the last unit that counts.
var zeros = regexp.MustCompile(`([0-9]h)0m0s|([0-9]m)0s`)

// plainDurations writes 12h0m0s as people do: 12h.
func plainDurations(s string) string { return zeros.ReplaceAllString(s, "$1$2") }

// nearestPlace is where key stands, or the mapping that it would stand in.
func (d *decoder) nearestPlace(key string) place {
	for {
		if p, ok := d.places[key]; ok {
			return p
		}
		cut := strings.LastIndexAny(key, ".[")
		if cut < 0 {
			return d.places[""]
		}
		key = key[:cut]
	}
}

// providerName is what may name a provider: it stands in URLs, logs and metrics.
var providerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)

// Validate reports what no part can see by itself: rules between the parts.
func (c Config) Validate(report func(key, problem string)) {
	c.validateProviders(report)
	c.validateUpstreams(report)
	c.validateRoutes(report)
	c.validateHeaders(report)
	c.validateTokens(report)
	c.validateRules(report)
	c.validateLimits(report)
	c.validateCallers(report)
	c.validateSecrets(report)
}

func (c Config) validateProviders(report func(key, problem string)) {
	all := slices.Sorted(maps.Keys(c.Providers))
	clients := map[[2]string]string{}
	for _, name := range all {
		p := c.Providers[name]
		if !providerName.MatchString(name) {
			report("providers."+name, "is no name for a provider; use up to 64 of a-z, 0-9, - and _")
		}
		if other, ok := clients[[2]string{p.Issuer, p.ClientID}]; ok {
			report("providers."+name+".client_id", fmt.Sprintf("is the same client of the same issuer as providers.%s; one of them is enough", other))
		}
		clients[[2]string{p.Issuer, p.ClientID}] = name
	}
	_, exists := c.Providers[c.DefaultProvider]
	switch {
	case c.DefaultProvider == "" && len(all) > 1:
		report("default_provider", "is needed with two or more providers; name one of "+strings.Join(all, ", "))
	case c.DefaultProvider != "" && !exists && len(all) > 0:
		report("default_provider", fmt.Sprintf("%q is no provider of this file; name one of %s", c.DefaultProvider, strings.Join(all, ", ")))
	}
}

// validateUpstreams holds the names that routes use against those that there are.
func (c Config) validateUpstreams(report func(key, problem string)) {
	all := slices.Sorted(maps.Keys(c.Upstreams))
	for _, name := range all {
		if !proxy.IsUpstreamName(name) {
			report("upstreams."+name, "is no name for an upstream; use up to 64 of a-z, 0-9, - and _")
		}
	}
	all = slices.DeleteFunc(all, func(name string) bool { return !proxy.IsUpstreamName(name) }) // no route can have meant them
	for i, r := range c.Routes {
		if name := r.UpstreamName(); name != "" {
			if _, ok := c.Upstreams[name]; !ok {
				report(fmt.Sprintf("routes[%d].upstream", i), noUpstream(name, all))
			}
		}
		if name := r.Resource.Upstream; name != "" {
			if _, ok := c.Upstreams[name]; !ok {
				report(fmt.Sprintf("routes[%d].resource.upstream", i), noUpstream(name, all))
			}
		}
		for _, leg := range slices.Sorted(maps.Keys(r.Legs)) {
			name := r.Legs[leg].Upstream
			if _, ok := c.Upstreams[name]; name != "" && !ok {
				report(fmt.Sprintf("routes[%d].compose.%s.upstream", i, leg), noUpstream(name, all))
			}
		}
	}
}

// noUpstream says what is wrong with the name of an upstream that nobody has given.
func noUpstream(name string, all []string) string {
	problem := fmt.Sprintf("%q is no upstream", name)
	switch best := nearest(name, all); {
	case best != "":
		return problem + fmt.Sprintf(", did you mean %q?", best)
	case len(all) == 0:
		return problem + "; write a URL such as http://orders:9001/v2, or give it this name under `upstreams`"
	case len(all) > 20:
		return problem + "; give it this name under `upstreams`"
	}
	return problem + "; there are " + strings.Join(all, ", ")
}

func (c Config) validateRoutes(report func(key, problem string)) {
	for i, r := range c.Routes {
		key := fmt.Sprintf("routes[%d].", i)
		if r.WithoutFetchMetadata == "safe" && c.Session.Cookie.SameSite != "strict" {
			report(key+"without_fetch_metadata", "safe needs session.cookie.same_site: strict, which then is all that keeps other sites out")
		}
	}
}

// validateSecrets refuses a value that serves two ends: whoever learns it at one has the other.
func (c Config) validateSecrets(report func(key, problem string)) {
	check := func(key string, s secret.String) {
		if i := slices.Index(c.Session.Secrets, s); i >= 0 && s != "" { // both empty where neither could be read, which is said already
			report(key, fmt.Sprintf("is the same value as session.secrets[%d]; give each its own", i))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		check("providers."+name+".client_secret", c.Providers[name].ClientSecret)
	}
	check("session.redis.password", c.Session.Redis.Password)
	check("session.redis.sentinel.password", c.Session.Redis.Sentinel.Password)
	if u, err := url.Parse(c.Session.Redis.URL); err == nil && u.User != nil {
		password, _ := u.User.Password()
		check("session.redis.url", secret.String(password))
	}
}
