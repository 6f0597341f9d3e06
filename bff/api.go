package bff

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"cloakroom/bff/edge"
	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/bff/provider"
	"cloakroom/bff/static"
	"cloakroom/proxy"
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

// proxied lets a request through to its route's upstream: who it is, what its rules and limits say, and which token goes along, in the order of what each costs.
func (s *site) proxied(w http.ResponseWriter, r *http.Request, route *proxy.Route) error {
	if preflight(r) {
		return answerPreflight(w)
	}
	v, err := s.identify(w, r, route)
	if err == nil {
		var over func()
		over, err = s.permit(w, r, route, v)
		defer over()
	}
	if err != nil {
		return s.turnedAway(w, r, err)
	}
	caller, err := s.onBehalfOf(r, route, v)
	if err != nil {
		return s.lost(w, r, err)
	}
	if route.Config.CrossSiteNavigation {
		static.Protect(w.Header(), s.cfg.SPA.CSP) // a route of pages: under the policy for data nothing on them would load
	}
	route.Forward(w, r, caller)
	return nil
}

// errAnswered means that the request has its answer already.
var errAnswered = errors.New("answered")

// turnedAway answers a request that goes no further. A navigation that signing in would help is sent there instead of told so.
func (s *site) turnedAway(w http.ResponseWriter, r *http.Request, err error) error {
	if help, ok := errors.AsType[signInHelps](err); ok && edge.Navigation(r) {
		err = s.signInFirst(w, r, help.provider, help.needs)
	}
	if errors.Is(err, errAnswered) {
		return nil
	}
	return err
}

// signInFirst starts the sign-in that a navigation to a page needs. The cross-site check has passed; where it passed only because the
// Strict cookie would have stayed at home, the sign-in must not bring it along to what another site may have asked for. needs is what the sign-in must bring; nil: any will do.
func (s *site) signInFirst(w http.ResponseWriter, r *http.Request, at string, needs *policy.StepUp) error {
	over, err := s.take(w, r, s.limiter.Login(), limit.Who{Client: edge.From(r.Context()).ClientIP})
	over()
	if err != nil {
		return err
	}
	target, reason := returnTo(r.URL.RequestURI())
	if reason != "" || !s.ours(r) && !s.isPage(target) {
		target = "/"
	}
	p, err := s.provider(at)
	if err != nil {
		return err
	}
	signIn := newSignIn()
	if needs != nil {
		if err := provider.ParseSignIn(needs.Query(), &signIn); err != nil {
			return fmt.Errorf("step up: %w", err)
		}
	}
	if err := s.startSignIn(w, r, p, signIn, target); err != nil {
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
