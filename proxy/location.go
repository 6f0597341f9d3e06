package proxy

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Redirects of an upstream, the rule:
//
//   - We never follow one: the bearer goes where the configuration says.
//   - A Location on the upstream itself, relative or absolute, is turned into the path that leads there through us. One
//     that does not (outside the base path) is refused.
//   - A Location on our own origin passes: the upstream knows it from X-Forwarded-Host.
//   - Elsewhere, only https to a public DNS name passes, such as a signed download link. IP addresses, names without a
//     public suffix (http://internal:8080, orders.svc.cluster.local) and other schemes are refused: they would tell
//     what is inside, and lead nowhere from outside.
//
// A refused Location makes a redirect a 502; from a 201 it is dropped, because the thing was created all the same.

var errLocation = errors.New("redirect to a place that clients must not see")

// relocate applies the rule to a response's headers.
func (x *exchange) relocate(res *http.Response) error {
	h := res.Header
	delete(h, "Content-Location") // where the upstream keeps the thing; ours is the request's own URL
	raw := h["Location"]
	if len(raw) == 0 {
		return nil
	}
	if len(raw) == 1 {
		if out, ok := x.route.location(raw[0], res.Request.URL, x.caller); ok {
			h["Location"] = []string{out}
			return nil
		}
	}
	delete(h, "Location")
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return errLocation
	}
	return nil
}

// location decides on one Location. asked is the URL that the upstream was asked for.
func (rt *Route) location(raw string, asked *url.URL, c Caller) (string, bool) {
	if strings.ContainsAny(raw, "\\\t\r\n\x00") || strings.TrimSpace(raw) != raw { // browsers read these their own way
		return "", false
	}
	u, err := asked.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" {
		return "", false
	}
	there, host := rt.up.isAt(u)
	switch {
	case there: // on whichever of the servers: they do the same
		path, ok := rt.target.outward(u)
		return withRest(path, u), ok
	case u.Scheme == c.Proto && strings.EqualFold(u.Host, c.Host):
		return u.String(), true
	case host: // not before: in development both are on localhost
		return "", false // another door of the same inner host
	}
	return u.String(), u.Scheme == "https" && public(strings.ToLower(u.Hostname()))
}

// withRest puts u's query and fragment behind a path that is escaped already.
func withRest(escapedPath string, u *url.URL) string {
	out := escapedPath
	if u.RawQuery != "" || u.ForceQuery {
		out += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		out += "#" + u.EscapedFragment()
	}
	return out
}

// public reports whether host is a DNS name under a suffix that ICANN's tree has.
func public(host string) bool {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return false
	}
	if host = strings.TrimSuffix(host, "."); strings.HasSuffix(host, ".arpa") { // home.arpa among them
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(host)
	if !icann && strings.Contains(suffix, ".") { // a privately managed suffix, such as s3.amazonaws.com, stands below a public one
		suffix, icann = publicsuffix.PublicSuffix(suffix[strings.IndexByte(suffix, '.')+1:])
		icann = icann || strings.Contains(suffix, ".")
	}
	return icann && host != suffix && strings.Contains(host, ".")
}

// port is a URL's port, also where it is the scheme's own.
func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
