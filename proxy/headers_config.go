package proxy

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloakroom/configs/secret"
)

// HeadersConfig is what an upstream's requests have in their headers beside what the client sent. A name that is given here never passes from the client, also where
// there is nothing to put in its place.
type HeadersConfig struct {
	// Set are headers by name. Their text may have ${user.sub}, ${user.iss}, ${user.name}, ${user.email}, ${user.roles} and ${user.claims.NAME}, a dotted path into the
	// provider's `claims`. A header of which a part is missing is not sent.
	Set map[string]string `yaml:"set" default:"{}" template:"user"`
	// Secrets are headers by name whose value is fixed and nobody's business, such as an API key. They are shown nowhere, and not let back to the client.
	Secrets map[string]secret.String `yaml:"secrets" default:"{}"`
	// Required are those of `set` without which the request is not sent on, but answered 403.
	Required []string `yaml:"required" default:"[]"`
	// Remove are further names of the client's headers that the upstream does not get. X-Debug-* stands for all that begin so.
	Remove []string `yaml:"remove" default:"[]"`
	// Assertion says who the user is in a form that the upstream can verify, instead of believing whoever reaches it.
	Assertion AssertionConfig `yaml:"assertion"`
}

// AssertionConfig is a signed statement about the user: a JWT that lives for a moment, with iss (public_url), sub, idp (the provider's issuer), roles, aud, iat, exp and
// jti. Needs assertions.keys; the public ones are at /.well-known/jwks.json.
type AssertionConfig struct {
	// Audience is whom it is for, the JWT's `aud`. Without it there is no assertion.
	Audience string `yaml:"audience" default:""`
	// Header carries it.
	Header string `yaml:"header" default:"X-Identity"`
	// TTL is how long it is valid. One is used for several requests, of which each has at least half of this left. Between 10s and 10m.
	TTL time.Duration `yaml:"ttl" default:"60s"`
	// Claims are those of the provider's `claims` that it has besides.
	Claims []string `yaml:"claims" default:"[]"`
}

// defaultAssertionHeader is that of a Config that was made without the loader.
const defaultAssertionHeader = "X-Identity"

// never are the names that a configuration may not set: what Cloakroom says itself, what frames or describes the body, what only a
// browser says, and what a server takes for another request than the one that was judged.
var never = newRule(
	"Authorization", "Cookie", "Cookie2", "Host", "Proxy", "Proxy-*", "DPoP", "X-CSRF",
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Scheme", "X-Forwarded-Ssl",
	"X-Forwarded-Server", "X-Forwarded-By", "X-Forwarded-Uri", "X-Forwarded-Method", "Via", "Max-Forwards", "X-Request-Id", "X-Cloakroom*",
	"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Expect", "Date",
	"Content-*", "Accept-Encoding", "Range", "If-*", "Origin", "Sec-*", "Access-Control-*",
	"X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "X-Original-*", "X-Rewrite-*", "X-Accel-*", "X-Sendfile-*", "X-Middleware-*",
)

// kept are the client's headers that cannot be removed: the request would be another one without.
var kept = newRule("Host", "Content-*", "Connection", "Upgrade", "TE", "Transfer-Encoding", "Expect", "Sec-Websocket-*", "Origin")

// reservedClaims are those that the assertion has by itself, or that mean something else to who reads it.
var reservedClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "roles", "idp", "cnf", "act", "azp", "client_id", "scope", "nonce", "at_hash", "c_hash", "sid", "auth_time", "acr", "amr"}

// headerName is what may be set: no other character means the same to all servers (header.go).
var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$`)

// headerPattern is what may be removed.
var headerPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*(-\*)?$`)

func (c Config) validateHeaders(report func(key, problem string)) {
	h := c.Headers
	seen := map[string]string{}
	name := func(key, name string) {
		canonical := http.CanonicalHeaderKey(name)
		switch other := seen[canonical]; {
		case !headerName.MatchString(name):
			report(key, fmt.Sprintf("%q is no name that every server reads alike; use letters, digits and single hyphens, such as X-User-ID", name))
		case never.refuses(canonical):
			report(key, name+" is said by Cloakroom or by the client alone; take another name, such as X-User-ID")
		case other != "":
			report(key, fmt.Sprintf("is %s once more; a header is said once", other))
		}
		seen[canonical] = name
	}
	for _, n := range sortedKeys(h.Set) {
		name("headers.set."+n, n)
		c.validateTemplate("headers.set."+n, h.Set[n], report)
	}
	for _, n := range sortedKeys(h.Secrets) {
		name("headers.secrets."+n, n)
		switch v := h.Secrets[n].Reveal(); {
		case !sendable(v):
			report("headers.secrets."+n, "must be visible ASCII without blanks at its ends, or it would not arrive as it is")
		case len(v) < 8: // every header of an answer that has it is taken out
			report("headers.secrets."+n, "is shorter than 8 characters, which is no secret; write it under headers.set")
		}
	}
	if h.Assertion.Audience != "" {
		name("headers.assertion.header", h.Assertion.header())
	}
	c.validateRequired(report)
	for i, p := range h.Remove {
		c.validateRemove(fmt.Sprintf("headers.remove[%d]", i), p, report)
	}
	c.validateAssertion(report)
	if c.On() && len(h.Secrets) > 0 {
		report("headers.secrets", "would go to every leg of compose; give the leg that needs it `headers` of its own")
	}
}

func (c Config) validateTemplate(key, text string, report func(key, problem string)) {
	t, problem := readTemplate(text)
	switch {
	case problem != "":
		report(key, problem)
	case c.Auth == "none" && t.personal():
		report(key, "names the user, and with auth: none there is none; say auth: optional or required")
	}
}

func (c Config) validateRequired(report func(key, problem string)) {
	set := sortedKeys(c.Headers.Set)
	for i, n := range c.Headers.Required {
		key := fmt.Sprintf("headers.required[%d]", i)
		switch {
		case !slices.ContainsFunc(set, func(s string) bool { return strings.EqualFold(s, n) }):
			report(key, fmt.Sprintf("%q is not among headers.set", n))
		case c.Auth == "optional" || c.Auth == "none":
			report(key, "needs auth: required; without a user there is nothing to say")
		}
	}
}

func (c Config) validateRemove(key, pattern string, report func(key, problem string)) {
	one := http.CanonicalHeaderKey(strings.Replace(pattern, "*", "X", 1)) // of those that it stands for
	switch {
	case !headerPattern.MatchString(pattern):
		report(key, fmt.Sprintf("%q is neither a header's name nor the beginning of some; write X-Debug or X-Debug-*", pattern))
	case kept.refuses(one):
		report(key, pattern+" belongs to the request itself, which would be another one without it")
	}
}

func (c Config) validateAssertion(report func(key, problem string)) {
	a := c.Headers.Assertion
	if a.Audience == "" {
		if len(a.Claims) > 0 {
			report("headers.assertion.audience", "is missing; name whom the assertion is for, such as orders")
		}
		return
	}
	switch {
	case !sendable(a.Audience) || len(a.Audience) > 256:
		report("headers.assertion.audience", "must be up to 256 visible ASCII characters")
	case c.Auth == "none":
		report("headers.assertion.audience", "is for a statement about the user, and with auth: none there is none; say auth: optional or required")
	case c.On():
		report("headers.assertion.audience", "is for one upstream, and every leg of compose would get what was meant for another; use routes without compose")
	}
	if a.TTL != 0 && (a.TTL < 10*time.Second || a.TTL > 10*time.Minute) {
		report("headers.assertion.ttl", fmt.Sprintf("%v is not between 10s and 10m", a.TTL))
	}
	for i, n := range a.Claims {
		key := fmt.Sprintf("headers.assertion.claims[%d]", i)
		switch {
		case slices.Contains(reservedClaims, n):
			report(key, n+" has a meaning of its own in a JWT; it is there already, or would mislead")
		case slices.Index(a.Claims, n) < i:
			report(key, n+" is there twice")
		}
	}
}

// header is the name of the header that carries the assertion.
func (a AssertionConfig) header() string {
	if a.Header == "" {
		return defaultAssertionHeader
	}
	return a.Header
}

// ClaimsUsed are the paths of the claims that the route's headers have, by the key that names each.
func (c Config) ClaimsUsed() map[string]string {
	used := map[string]string{}
	for name, text := range c.Headers.Set {
		t, _ := readTemplate(text)
		for _, p := range t {
			if path, ok := p.claim(); ok {
				used["headers.set."+name] = path
			}
		}
	}
	for i, name := range c.Headers.Assertion.Claims {
		if slices.Contains(reservedClaims, name) {
			continue // refused, whoever has it
		}
		used[fmt.Sprintf("headers.assertion.claims[%d]", i)] = name
	}
	return used
}

func sortedKeys[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
