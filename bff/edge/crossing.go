package edge

import (
	"net/http"
	"strings"
)

// Crossing is what a request says about the page that it comes from. An empty field was not sent.
type Crossing struct {
	Site, Mode, Dest string // Sec-Fetch-Site, -Mode, -Dest: written by browsers alone
	Origin           string
	CSRF             string // X-CSRF
	Method           string
	Upgrade          bool // asks for another protocol, such as WebSocket
}

// VaryCrossing names the request headers that [SameOrigin] looks at, for the Vary header of answers that depend on it.
const VaryCrossing = "Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest, Origin, X-CSRF"

// CrossingOf reads a request. A header that was sent twice becomes one value that is none of the allowed ones.
func CrossingOf(r *http.Request) Crossing {
	h := r.Header
	return Crossing{
		Site:    only(h["Sec-Fetch-Site"]),
		Mode:    only(h["Sec-Fetch-Mode"]),
		Dest:    only(h["Sec-Fetch-Dest"]),
		Origin:  only(h["Origin"]),
		CSRF:    only(h["X-Csrf"]),
		Method:  r.Method,
		Upgrade: len(h["Upgrade"]) > 0 || r.Method == http.MethodConnect, // RFC 8441 upgrades by CONNECT
	}
}

// only returns a header's single value. Sent but empty is not the same as not sent.
func only(values []string) string {
	switch {
	case len(values) == 0:
		return ""
	case len(values) == 1 && values[0] != "":
		return values[0]
	}
	return "(" + strings.Join(values, ", ") + ")"
}

// CrossSiteRule is what a route may allow beyond the rule for all.
type CrossSiteRule struct {
	// WithoutMetadataSafe lets GET and HEAD through that come with neither fetch metadata nor Origin nor X-CSRF, as old
	// web views send them. Only with a Strict cookie, which does not come along from elsewhere.
	WithoutMetadataSafe bool
	// CrossSiteNavigation lets top-level GET navigations from other sites in, for routes of pages.
	CrossSiteNavigation bool
	// Shared is that the route names the request's Origin, and its method, among those whose scripts may use the session (CORS).
	Shared bool
}

// SameOrigin reports whether a request comes from our own origin, so that it may use the session, and
// the rule that said so. It holds for every method: a GET, too, can be read, timed or have effects.
//
// Forms, images, links and plain fetches of other sites come with the cookie that the browser holds for us, but they cannot
// write Sec-Fetch-Site or Origin, and cannot add a header of their own choice without asking us (a preflight).
func SameOrigin(c Crossing, own Origin, rule CrossSiteRule) (ok bool, reason string) {
	switch {
	case c.Upgrade:
		return upgradeFrom(c, own)
	case c.Site != "":
		return siteSays(c, own, rule)
	case c.Origin != "":
		return originSays(c, own, rule)
	case c.CSRF == "1":
		// Only a page of ours can add this header: other origins' would need our leave by CORS, which nobody gets for it.
		return true, "csrf_header"
	case rule.WithoutMetadataSafe && safe(c.Method) && c.Mode == "" && c.Dest == "":
		// The Strict cookie stays at home when another site asks; the route chose to rely on that alone.
		return true, "safe_without_metadata"
	}
	return false, "no_evidence"
}

// upgradeFrom wants the Origin, always: Chromium sends no fetch metadata with a WebSocket handshake, and a page
// can add no header to it.
func upgradeFrom(c Crossing, own Origin) (bool, string) {
	if c.Site != "" && c.Site != "same-origin" {
		return false, "upgrade_cross_site"
	}
	if !own.isOrigin(c.Origin) {
		return false, "upgrade_foreign_origin"
	}
	return true, "upgrade_own_origin" // written by the browser, and it is ours
}

// siteSays believes the browser's Sec-Fetch-Site.
func siteSays(c Crossing, own Origin, rule CrossSiteRule) (bool, string) {
	switch c.Site {
	case "same-origin":
		// Origin may be "null" here: a page under Referrer-Policy no-referrer posts its forms so. But a browser that names
		// another origin contradicts itself, so it is none.
		if c.Origin != "" && c.Origin != "null" && !own.isOrigin(c.Origin) {
			return false, "origin_contradicts_metadata"
		}
		return true, "same_origin" // the browser compared scheme, host and port of the asking page, redirects included
	case "none":
		if !safe(c.Method) || c.Mode != "navigate" || c.Origin != "" {
			return false, "none_not_a_navigation"
		}
		return true, "user_navigation" // typed, or from a bookmark: no page asked
	case "same-site", "cross-site":
		if rule.CrossSiteNavigation && c.Method == http.MethodGet && c.Mode == "navigate" && c.Dest == "document" {
			return true, "cross_site_navigation" // a link: the page that shows it cannot read what comes, and the route asked for it
		}
		if rule.Shared && c.Site == "same-site" && c.Mode == "cors" {
			return true, "shared_origin" // the operator trusts this sibling's scripts. A form or an image of it is none of them
		}
		if c.Site == "same-site" {
			return false, "same_site" // a sibling host or another scheme or port is not us
		}
		return false, "cross_site"
	}
	return false, "unknown_site"
}

// safe reports whether a method only reads (RFC 9110, section 9.2.1), and is one that navigations use.
func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// originSays decides for browsers and web views without fetch metadata.
func originSays(c Crossing, own Origin, rule CrossSiteRule) (bool, string) {
	switch {
	case own.isOrigin(c.Origin):
		return true, "own_origin" // written by the browser, and it is ours
	case rule.Shared && (c.Mode == "" || c.Mode == "cors"):
		return true, "shared_origin" // written by the browser, and the operator trusts it with this route
	case c.Origin == "null":
		return false, "null_origin" // a sandboxed frame, a file, or a redirect: anybody
	}
	return false, "foreign_origin"
}
