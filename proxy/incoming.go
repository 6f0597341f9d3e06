package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// incoming makes the client's headers of the upstream's.
func (x *exchange) incoming(res *http.Response) error {
	h := res.Header
	if err := x.relocate(res); err != nil {
		return err
	}
	responseRule.filter(h)
	if b := x.caller.Bearer; b != "" {
		dropEchoes(h, b)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		x.caching(h)
		x.untyped(h)
	}
	return nil
}

// deliver puts the upstream's headers beside those that the chain has set for the client. ReverseProxy would do it after us, with a copy of
// each value. It is left the type: by that it knows what to flush.
func (x *exchange) deliver(h http.Header) {
	out := x.w.Header()
	for name, values := range h {
		if name == "Content-Type" {
			continue
		}
		if before := out[name]; len(before) > 0 {
			values = slices.Concat(before, values)
		}
		out[name] = values
		delete(h, name)
	}
}

// dropEchoes takes out headers in which an upstream hands the token back (law 1).
func dropEchoes(h http.Header, bearer string) {
	for name, values := range h {
		for _, v := range values {
			if strings.Contains(v, bearer) {
				delete(h, name)
				break
			}
		}
	}
}

// untyped leaves an answer without a type as it is. net/http would look for one in the body, and what a user has uploaded could
// become a page of this origin by it, past the browser's own nosniff.
func (x *exchange) untyped(h http.Header) {
	if len(h["Content-Type"]) == 0 {
		x.w.Header()["Content-Type"] = nil
	}
}

// caching keeps what is about a user out of caches (law 6). An upstream may choose a policy of its own for the browser's
// cache, with `private`; then the answer varies with the cookie, so that the next user of the browser does not see it.
func (x *exchange) caching(h http.Header) {
	delete(x.w.Header(), "Cache-Control")    // ReverseProxy adds to what the chain has set for its own answers
	if len(x.w.Header()["Set-Cookie"]) > 0 { // ours: the upstream's are gone
		h["Cache-Control"] = noStore
		return
	}
	if x.route.Config.Auth == "none" && x.caller.Bearer == "" {
		return
	}
	if personal := x.route.Config.Auth != "optional" || x.caller.Bearer != ""; personal && !ownPrivatePolicy(h["Cache-Control"]) {
		h["Cache-Control"] = noStore
		return
	}
	h.Add("Vary", "Cookie")
}

var noStore = []string{"no-store"}

// ownPrivatePolicy reports whether Cache-Control says private for the whole answer, and nothing for shared caches.
func ownPrivatePolicy(lines []string) bool {
	private := false
	for _, line := range lines {
		for d := range strings.SplitSeq(line, ",") {
			name, _, qualified := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
			switch {
			case name == "public", name == "s-maxage", name == "private" && qualified:
				return false
			case name == "private":
				private = true
			}
		}
	}
	return private
}
