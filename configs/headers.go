package configs

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"cloakroom/proxy"
)

// keySetPath is Cloakroom's own where there are keys.
const keySetPath = "/.well-known/jwks.json"

// validateHeaders holds what routes say about users, and let other origins read, against the rest of the configuration.
func (c Config) validateHeaders(report func(key, problem string)) {
	for i, r := range c.Routes {
		key := fmt.Sprintf("routes[%d].", i)
		used := r.ClaimsUsed()
		for _, where := range slices.Sorted(maps.Keys(used)) {
			if problem := c.noClaim(used[where], strings.HasPrefix(where, "headers.assertion.")); problem != "" {
				report(key+where, problem)
			}
		}
		if r.Headers.Assertion.Audience != "" && len(c.Assertions.Keys) == 0 {
			report(key+"headers.assertion.audience", "needs a key to sign with: assertions: {keys: ['${file:assertion.pem}']}, made with openssl genpkey -algorithm ed25519")
		}
		if len(c.Assertions.Keys) > 0 && r.Path == keySetPath {
			report(key+"path", "is where the keys of assertions are published; leave it to Cloakroom")
		}
		c.validateOrigins(key, r, report)
	}
}

// noClaim says that no session has a claim, because no provider's `claims` has it. whole is for names that are no paths.
func (c Config) noClaim(path string, whole bool) string {
	all := slices.Sorted(maps.Keys(c.Providers))
	for _, name := range all {
		for _, claim := range append([]string{"sub"}, c.Providers[name].Claims...) {
			if path == claim || !whole && strings.HasPrefix(path, claim+".") {
				return ""
			}
		}
	}
	return fmt.Sprintf("names the claim %s, which no session has; add it to %s.claims", path, c.anyProvider())
}

// validateOrigins refuses origins that could never do what the route lets them.
func (c Config) validateOrigins(key string, r Route, report func(key, problem string)) {
	if len(r.CORS.Origins) > 0 && !r.CORS.Credentials && r.Auth == "required" && len(r.Callers) == 0 {
		report(key+"cors.origins", "would let nobody in: auth: required wants the session, and other origins may use it with credentials: true only; or say auth: optional or none, or let callers in")
	}
	for i, origin := range r.CORS.Origins {
		key := fmt.Sprintf("%scors.origins[%d]", key, i)
		switch {
		case !proxy.IsOrigin(origin): // the route says so itself
		case origin == c.Server.PublicURL:
			report(key, "is public_url itself, whose pages read everything as it is; leave it out")
		case r.CORS.Credentials && !sameSite(origin, c.Server.PublicURL):
			report(key, fmt.Sprintf("%s is of another site than public_url (%s), so browsers leave the session cookie at home there, and credentials: true would promise what cannot be; "+
				"make a route for it without credentials", origin, c.Server.PublicURL))
		}
	}
}

// sameSite reports whether browsers take two origins for one site: the same scheme, and the same domain below a public suffix. They do not compare ports.
func sameSite(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	if errX != nil || errY != nil || x.Scheme != y.Scheme {
		return false
	}
	if x.Hostname() == y.Hostname() {
		return true
	}
	if _, err := netip.ParseAddr(x.Hostname()); err == nil {
		return false // addresses have no domain
	}
	siteX, errX := publicsuffix.EffectiveTLDPlusOne(x.Hostname())
	siteY, errY := publicsuffix.EffectiveTLDPlusOne(y.Hostname())
	return errX == nil && errY == nil && siteX == siteY
}
