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
	x.dropCredentials(h)
	if res.StatusCode != http.StatusSwitchingProtocols {
		x.caching(res)
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
