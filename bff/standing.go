package bff

import (
	"net/http"

	"cloakroom/bff/edge"
	"cloakroom/proxy"
)

// standing is what a request to a route may have of the session of the browser that sends it.
type standing int

const (
	// anonymous goes on without a session, which is not even read.
	anonymous standing = iota
	// personal has what the session allows.
	personal
	// foreign is refused: it did not prove to come from this origin.
	foreign
)

// stand decides on a request by where it comes from, and says which rule did. shared is that the route lets the pages of that origin use the session ([proxy.Route.Share]).
func stand(cfg *proxy.Config, c edge.Crossing, own edge.Origin, laxCookie, shared bool) (standing, string) {
	if cfg.Auth == "none" && !c.Upgrade {
		return anonymous, "auth_none" // the answer does not depend on the session
	}
	ok, reason := edge.SameOrigin(c, own, edge.CrossSiteRule{
		WithoutMetadataSafe: cfg.WithoutFetchMetadata == "safe",
		CrossSiteNavigation: cfg.CrossSiteNavigation && laxCookie,
		Shared:              shared,
	})
	switch {
	case ok && cfg.Auth == "none":
		return anonymous, reason // a socket of our own origin
	case ok:
		return personal, reason // the request shows that a page of ours makes it, or the user by hand
	case cfg.Auth == "optional" && !c.Upgrade:
		return anonymous, reason // from another site everybody is anonymous
	}
	return foreign, reason
}

// lack is what becomes of a request that may have a session, and has none.
type lack int

const (
	lackRefused lack = iota // 401
	lackPasses              // without a bearer
	lackSignsIn             // is sent to sign in
)

// withoutSession decides what becomes of a request that may have a session, and has none.
func withoutSession(cfg *proxy.Config, r *http.Request) lack {
	switch {
	case cfg.Auth == "optional":
		return lackPasses // the route wants it so: the upstream gets no bearer
	case edge.Navigation(r):
		return lackSignsIn
	}
	return lackRefused
}

// bounces reports whether a navigation that another site has made goes to its target by way of a page of ours, so that it arrives
// again from our own origin, with the Strict cookie.
func bounces(cfg *proxy.Config, r *http.Request) (target string, ok bool) {
	target, bad := returnTo(r.URL.RequestURI())
	return target, cfg.CrossSiteNavigation && bad == "" && r.Method == http.MethodGet && edge.Navigation(r) && r.Header.Get("Sec-Fetch-Site") != ""
}
