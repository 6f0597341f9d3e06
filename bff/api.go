package bff

import (
	"errors"
	"net/http"
	"strings"

	"cloakroom/bff/edge"
	"cloakroom/bff/static"
	"cloakroom/proxy"
	"cloakroom/session"
)

// app answers everything outside /bff: a route's upstream, or the app's own files.
func (s *site) app(w http.ResponseWriter, r *http.Request) error {
	if preflight(r) {
		return s.preflight(w, r)
	}
	route, allow := s.table.Match(r)
	switch {
	case route != nil:
		edge.From(r.Context()).Route = route.Config.Path
		return s.proxied(w, r, route)
	case allow != nil:
		return methodNotAllowed(allow)
	case s.files == nil:
		return &edge.Problem{Code: "not_found"}
	}
	edge.From(r.Context()).Route = "app"
	s.files.ServeHTTP(w, r)
	return nil
}

// proxied lets a request through to its route's upstream: cross-site check, session, access token, in the order of what each costs.
func (s *site) proxied(w http.ResponseWriter, r *http.Request, route *proxy.Route) error {
	if preflight(r) {
		return answerPreflight(w)
	}
	caller, err := s.admit(w, r, route)
	if errors.Is(err, errAnswered) {
		return nil
	}
	if err != nil {
		return err
	}
	if route.Config.CrossSiteNavigation {
		static.Protect(w.Header(), s.cfg.SPA.CSP) // a route of pages: under the policy for data nothing on them would load
	}
	rec := edge.From(r.Context())
	caller.Proto, caller.Host, caller.ClientIP, caller.RequestID = s.origin.Scheme, s.origin.Host, rec.ClientIP, rec.ID
	route.Forward(w, r, caller)
	return nil
}

// errAnswered means that the request has its answer already.
var errAnswered = errors.New("answered")

// admit decides on whose behalf a request goes to its route's upstream, or why it does not.
func (s *site) admit(w http.ResponseWriter, r *http.Request, route *proxy.Route) (proxy.Caller, error) {
	crossing := edge.CrossingOf(r)
	shared := route.Share(w.Header(), r) // also for an answer of ours: a script that may read its API's answers may read why there is none
	cfg := &route.Config
	if cfg.Auth != "none" || crossing.Upgrade {
		w.Header().Add("Vary", edge.VaryCrossing)
	}
	switch standing, reason := stand(cfg, crossing, s.origin, s.laxCookie, shared); standing {
	case anonymous:
		return s.nobody(r.Context(), route)
	case foreign:
		return proxy.Caller{}, s.crossSite(w, r, cfg, reason)
	}
	sess, err := s.sessions.FromRequest(r)
	if err == nil {
		s.note(r, sess)
		sess, err = s.fresh(r.Context(), sess, route.Token)
	}
	var b bearer
	if err == nil && !cfg.On() { // legs get their own
		b, err = s.bearer(r.Context(), sess, route.Token)
	}
	if errors.Is(err, session.ErrSpent) {
		s.dropCookies(w, r)
	}
	switch {
	case err == nil:
		c := proxy.Caller{Bearer: b.token, Renew: b.renew, Track: s.streams.tracker(sess, r), User: userOf(sess)}
		if c.Assertion, err = s.assert(sess, cfg); err != nil {
			return proxy.Caller{}, err
		}
		if cfg.On() {
			c.Shown, c.TokenFor = func() any { return shapeUser(sess) }, s.legTokens(sess)
		}
		return c, nil
	case !errors.Is(err, session.ErrNone):
		return proxy.Caller{}, s.tokenProblem(err)
	}
	switch withoutSession(cfg, r) {
	case lackPasses:
		return s.nobody(r.Context(), route)
	case lackSignsIn:
		return proxy.Caller{}, s.signInFirst(w, r)
	}
	return proxy.Caller{}, s.sessionProblem(err)
}

// dropCookies is for a session that was ended on the way to this request's token: it takes its cookie along. One that was gone already
// does not, because the browser may have a new one by now.
func (s *site) dropCookies(w http.ResponseWriter, r *http.Request) {
	s.sessions.ClearCookie(w)
	s.logins.clearDone(w, r)
}

// signInFirst starts the sign-in that a navigation to a page needs. The cross-site check has passed; where it passed only because the
// Strict cookie would have stayed at home, the sign-in must not bring it along to what another site may have asked for.
func (s *site) signInFirst(w http.ResponseWriter, r *http.Request) error {
	target, reason := returnTo(r.URL.RequestURI())
	if reason != "" || !s.ours(r) && !s.isPage(target) {
		target = "/"
	}
	p, err := s.provider("")
	if err != nil {
		return err
	}
	if err := s.startSignIn(w, r, p, newSignIn(), target); err != nil {
		return err
	}
	return errAnswered
}

// crossSite answers a request that another site made. A navigation to a route of pages is bounced once, so that it arrives
// again from our own origin, with the Strict cookie; everything else is refused, and a navigation gets a link to go on by the user's own hand.
func (s *site) crossSite(w http.ResponseWriter, r *http.Request, cfg *proxy.Config, reason string) error {
	target, ok := bounces(cfg, r)
	if ok {
		if err := s.bounce(w, r, target); err != nil {
			return err
		}
		return errAnswered
	}
	return s.refuseCrossSite(r, reason, target)
}

// refuseCrossSite is the answer to a request that did not prove to come from this origin.
func (s *site) refuseCrossSite(r *http.Request, reason, target string) error {
	edge.From(r.Context()).Reason = reason
	p := &edge.Problem{Code: "cross_site"}
	if target != "" && edge.Navigation(r) && r.Header.Get("Sec-Fetch-Site") != "" { // without metadata the next try would look the same
		p.Continue = target
	}
	return p
}

// own guards an endpoint of ours whose answer depends on the session.
func (s *site) own(next func(http.ResponseWriter, *http.Request) error) http.Handler {
	return edge.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if preflight(r) {
			return answerPreflight(w)
		}
		w.Header().Add("Vary", edge.VaryCrossing)
		if ok, reason := edge.SameOrigin(edge.CrossingOf(r), s.origin, edge.CrossSiteRule{}); !ok {
			return s.refuseCrossSite(r, reason, "")
		}
		return next(w, r)
	})
}

func methodNotAllowed(allow []string) error {
	return &edge.Problem{Code: "method_not_allowed", Header: http.Header{"Allow": {strings.Join(allow, ", ")}}}
}
