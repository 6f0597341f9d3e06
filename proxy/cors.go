package proxy

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// CORS, the rule: what pages of other origins may read, and with which requests, is written in the route, origin by origin, compared as browsers write them. Nothing is reflected
// that is not written there (CORS-01). A preflight is answered from the configuration alone. Its answer binds a browser, not us: the request itself is judged again.

// cors is a route's answer to other origins, ready to be given. nil: none gets one.
type cors struct {
	origins     []string
	methods     []string
	headers     []string // lower case, sorted
	credentials bool

	allowMethods, allowHeaders, expose, maxAge string
}

// newCORS compiles a valid configuration.
func newCORS(c Config) *cors {
	if len(c.CORS.Origins) == 0 {
		return nil
	}
	x := &cors{origins: slices.Clone(c.CORS.Origins), methods: c.CORS.methods(c.Methods), credentials: c.CORS.Credentials,
		expose: strings.Join(c.CORS.Expose, ", "), maxAge: strconv.Itoa(int(c.CORS.MaxAge.Seconds()))}
	for _, h := range c.CORS.Headers {
		x.headers = append(x.headers, strings.ToLower(h))
	}
	slices.Sort(x.headers)
	x.allowMethods, x.allowHeaders = strings.Join(x.methods, ", "), strings.Join(x.headers, ", ")
	return x
}

// methods are those that pages of other origins may use: the route's own, where the configuration names no others.
func (c CORSConfig) methods(route []string) []string {
	switch {
	case len(c.Methods) > 0:
		return withHead(c.Methods)
	case len(route) > 0:
		return withHead(route)
	}
	return []string{"GET", "HEAD", "POST"}
}

// origin returns the one origin that a request names, if it is one of the route's. Nothing is normalised: browsers write one form only (RFC 6454, section 6.2).
func (c *cors) origin(h http.Header) (origin string, ok bool) {
	sent := h["Origin"]
	if len(sent) != 1 || !slices.Contains(c.origins, sent[0]) {
		return "", false
	}
	return sent[0], true
}

// preflight decides on a preflight request: which origin may send what it announces, or why none may.
func (c *cors) preflight(h http.Header) (origin, reason string) {
	origin, ok := c.origin(h)
	if !ok {
		return "", "cors_origin"
	}
	// A page of the internet that asks for a network which its user is in (CORS-06). Nobody who is served here is reached that way.
	for _, name := range []string{"Access-Control-Request-Private-Network", "Access-Control-Request-Local-Network"} {
		if _, asked := h[name]; asked {
			return "", "cors_private_network"
		}
	}
	if method := h["Access-Control-Request-Method"]; len(method) != 1 || !slices.Contains(c.methods, method[0]) {
		return "", "cors_method"
	}
	if !c.takes(h["Access-Control-Request-Headers"]) {
		return "", "cors_header"
	}
	return origin, ""
}

// takes reports whether all announced headers are among those of the route.
func (c *cors) takes(lines []string) bool {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "" {
				continue
			}
			if _, found := slices.BinarySearch(c.headers, strings.ToLower(name)); !found {
				return false
			}
		}
	}
	return true
}

// Preflight says in out, the headers of an answer without a body, whether the page of another origin may send the request that r announces, and why not. It asks neither session nor
// upstream (CORS-03).
func (rt *Route) Preflight(out http.Header, r *http.Request) (reason string) {
	c := rt.cors
	if c == nil {
		return "cors_none"
	}
	out.Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network, Access-Control-Request-Local-Network")
	origin, reason := c.preflight(r.Header)
	if reason != "" {
		return reason
	}
	c.allow(out, origin)
	out.Set("Access-Control-Allow-Methods", c.allowMethods)
	if c.allowHeaders != "" {
		out.Set("Access-Control-Allow-Headers", c.allowHeaders)
	}
	out.Set("Access-Control-Max-Age", c.maxAge)
	return ""
}

// Share says in out whether the page that sent r may read its answer, whatever that will be (CORS-04). shared tells that it is a page of another origin that may, and that the
// route gives it what its user may see: the request's session may be used.
func (rt *Route) Share(out http.Header, r *http.Request) (shared bool) {
	c := rt.cors
	if c == nil {
		return false
	}
	out.Add("Vary", "Origin") // also without one, and with one that is denied (CORS-02)
	origin, ok := c.origin(r.Header)
	if !ok || !slices.Contains(c.methods, r.Method) {
		return false
	}
	c.allow(out, origin)
	if c.expose != "" {
		out.Set("Access-Control-Expose-Headers", c.expose)
	}
	return c.credentials
}

func (c *cors) allow(out http.Header, origin string) {
	out.Set("Access-Control-Allow-Origin", origin)
	if c.credentials {
		out.Set("Access-Control-Allow-Credentials", "true")
	}
}

// IsOrigin reports whether a route's cors can name text.
func IsOrigin(text string) bool { return badOrigin(text) == "" }

// badOrigin says why text is no origin that a route can name.
func badOrigin(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "*":
		return "is everybody; name each origin, such as https://partner.example"
	case text == "null":
		return "is what every sandboxed frame and file says that it is; name an origin, such as https://partner.example"
	case strings.Contains(text, "*"):
		return "has a *; each origin is written out, or anybody who gets a name there would be in"
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "is no web origin; write one such as https://partner.example"
	case u.Scheme == "http" && !loopbackHost(u.Hostname()):
		return "is plain http, as which anybody on the way can speak; write https://" + u.Host
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#"):
		return "has more than scheme, host and port; write " + u.Scheme + "://" + u.Host
	case strings.ToLower(text) != text:
		return "has capitals; write it as browsers do, " + strings.ToLower(text)
	case strings.HasSuffix(u.Hostname(), "."):
		return "has a dot at its end, and is another origin without it; leave it out"
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80", strings.HasSuffix(u.Host, ":"):
		return "has the scheme's own port, which browsers leave out; write " + u.Scheme + "://" + u.Hostname()
	case strings.ContainsFunc(u.Host, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-._:[]", r) }):
		return "has a host of other characters than letters, digits, dots and hyphens; write international names in their xn-- form"
	}
	return ""
}

func loopbackHost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}
