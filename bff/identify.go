package bff

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"cloakroom/bff/edge"
	"cloakroom/bff/inbound"
	"cloakroom/bff/limit"
	"cloakroom/proxy"
	"cloakroom/session"
)

// identify finds out who makes a request to a route, or why it goes no further: by a credential of the caller's own where the route takes such, else by the session.
func (s *site) identify(w http.ResponseWriter, r *http.Request, route *proxy.Route) (visitor, error) {
	crossing := edge.CrossingOf(r)
	shared := route.Share(w.Header(), r) // also for an answer of ours: a script that may read its API's answers may read why there is none
	cfg := &route.Config
	if cfg.Auth != "none" || crossing.Upgrade {
		w.Header().Add("Vary", edge.VaryCrossing)
	}
	if vary := s.rules[route.Index()].vary; vary != "" {
		w.Header().Add("Vary", vary)
	}
	if len(r.Header["Authorization"]) > 1 {
		return visitor{}, s.badCredential(w, r, &inbound.Refusal{Status: http.StatusBadRequest, Reason: inbound.ReasonTwo})
	}
	if s.callers != nil {
		kind, err := s.callers.Present(r, s.rules[route.Index()].callers)
		if err != nil {
			return visitor{}, s.badCredential(w, r, err)
		}
		if kind != "" {
			return s.caller(w, r, route, kind, crossing, shared)
		}
	}
	switch standing, reason := stand(cfg, crossing, s.origin, s.laxCookie, shared); standing {
	case anonymous:
		return visitor{}, nil
	case foreign:
		if empty(s.rules[route.Index()].callers, crossing, len(s.sessions.CookieIDs(r)) > 0) {
			return visitor{}, s.uninvited(w, r, route, session.ErrNone) // a program that should have brought something
		}
		return visitor{}, s.crossSite(w, r, cfg, reason)
	}
	sess, err := s.sessions.FromRequest(r)
	if err == nil {
		s.note(r, sess)
		sess, err = s.fresh(r.Context(), sess, route)
	}
	switch {
	case err == nil:
		return visitor{sess: sess, known: s.meet(sess)}, nil
	case !errors.Is(err, session.ErrNone):
		return visitor{}, s.lost(w, r, err)
	}
	s.dropSpent(w, r, err)
	switch withoutSession(cfg, r) {
	case lackPasses:
		return visitor{}, nil
	case lackSignsIn:
		return visitor{}, s.signInFirst(w, r, "", s.rules[route.Index()].policy.StepUp()) // all at once, and not a second time for what the rules want of it
	}
	return visitor{}, s.uninvited(w, r, route, err)
}

// empty tells whether a request is that of a program which should have brought a credential, and not one that a browser was made to send.
func empty(callers []string, c edge.Crossing, cookie bool) bool {
	return len(callers) > 0 && c.Site == "" && c.Origin == "" && !cookie
}

// lost is the answer to a request whose session, or token, cannot be had.
func (s *site) lost(w http.ResponseWriter, r *http.Request, err error) error {
	s.dropSpent(w, r, err)
	return s.tokenProblem(err)
}

// dropSpent takes the cookie along of a session that was ended on the way to this request's token. That of one which was gone already stays, because the browser may
// have a new one by now.
func (s *site) dropSpent(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, session.ErrSpent) {
		s.sessions.ClearCookie(w)
		s.logins.clearDone(w, r)
	}
}

// uninvited is the answer to a request that nobody is known of: it counts against its address, and programs learn what the route would take.
func (s *site) uninvited(w http.ResponseWriter, r *http.Request, route *proxy.Route, err error) error {
	over, limited := s.take(w, r, s.limiter.Callers(), limit.Who{Client: edge.From(r.Context()).ClientIP})
	over()
	if limited != nil {
		return limited
	}
	p := missing(&route.Config, err)
	if kinds := s.rules[route.Index()].callers; len(kinds) > 0 {
		if all := s.callers.Challenges(r, kinds); len(all) > 0 {
			p.Header = http.Header{"Www-Authenticate": all}
		}
	}
	return p
}

// missing is that a route wants to know who asks, and does not.
func missing(cfg *proxy.Config, err error) *edge.Problem {
	if cfg.Auth == "none" { // nobody who signs in would be known here
		return &edge.Problem{Code: "credential_required", Err: err}
	}
	return &edge.Problem{Code: "signed_out", Login: loginPath, Err: err}
}

// caller is who a credential of its own belongs to.
func (s *site) caller(w http.ResponseWriter, r *http.Request, route *proxy.Route, kind string, c edge.Crossing, shared bool) (visitor, error) {
	switch mayBring(kind, &route.Config, c, s.origin, shared, len(s.sessions.CookieIDs(r)) > 0) {
	case bringsTwo:
		return visitor{}, s.badCredential(w, r, &inbound.Refusal{Status: http.StatusBadRequest, Reason: inbound.ReasonTwo})
	case bringsFromElsewhere:
		return visitor{}, s.refuseCrossSite(r, "credential_cross_site", "")
	}
	address := limit.Who{Client: edge.From(r.Context()).ClientIP}
	if v := s.limiter.Callers().Peek(address); !v.Allow { // before a password costs a hash
		return visitor{}, s.limited(w, r, &v)
	}
	found, err := s.callers.Identify(r.Context(), r, kind)
	if err != nil {
		if _, refused := errors.AsType[*inbound.Refusal](err); refused {
			over, limited := s.take(w, r, s.limiter.Callers(), address)
			over()
			if limited != nil {
				return visitor{}, limited
			}
		}
		return visitor{}, s.badCredential(w, r, err)
	}
	rec := edge.From(r.Context())
	rec.Caller, rec.Subject = kind, edge.Pseudonym(kind+" "+found.Issuer, found.ID)
	return visitor{caller: found, known: meetCaller(s.cfg, s.policies, found)}, nil
}

// bringing is what a request with a credential brings besides.
type bringing int

const (
	bringsOne bringing = iota
	bringsTwo
	bringsFromElsewhere
)

// mayBring decides whether a credential may be looked at: not beside a session that would count too, since no order should decide whose request it is (AUN-01); and not where another
// site may have made the browser send it, as browsers do with passwords and certificates.
func mayBring(kind string, cfg *proxy.Config, c edge.Crossing, own edge.Origin, shared, cookie bool) bringing {
	if cookie && (cfg.Auth != "none" || c.Upgrade) {
		return bringsTwo
	}
	if kind != inbound.KindBasic && kind != inbound.KindCertificate {
		return bringsOne // no browser adds it by itself
	}
	if shared && (c.Mode == "" || c.Mode == "cors") {
		return bringsOne // the operator trusts this origin's scripts. A form or an image of it is none of them
	}
	if !slices.Contains([]string{"", "same-origin", "none"}, c.Site) || c.Origin != "" && c.Origin != own.String() {
		return bringsFromElsewhere
	}
	return bringsOne
}

// badCredential is the answer to a request whose credential is refused, or cannot be checked.
func (s *site) badCredential(w http.ResponseWriter, r *http.Request, err error) error {
	refusal, ok := errors.AsType[*inbound.Refusal](err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			return err
		}
		s.metrics.callerRefused("unavailable")
		return &edge.Problem{Code: "callers_unavailable", RetryAfter: retryAfter, Err: err}
	}
	s.metrics.callerRefused(refusal.Reason)
	rec := edge.From(r.Context())
	rec.Reason = refusal.Reason
	if refusal.Caller != "" {
		rec.Subject = edge.Pseudonym("", refusal.Caller)
	}
	return credentialProblem(refusal)
}

// credentialProblem is what whoever brought a credential is told that is refused.
func credentialProblem(refusal *inbound.Refusal) *edge.Problem {
	p := &edge.Problem{Code: "bad_credential", Err: refusal, RetryAfter: refusal.RetryAfter}
	switch refusal.Status {
	case http.StatusBadRequest:
		p.Code = "bad_credentials"
	case http.StatusTooManyRequests:
		p.Code = "too_many_requests"
	default:
		p.Header = http.Header{"Www-Authenticate": refusal.Challenge}
	}
	return p
}
