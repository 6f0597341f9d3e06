package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"cloakroom/bff/edge"
	"cloakroom/bff/policy"
	"cloakroom/proxy"
	"cloakroom/session"
)

// inquiry is a request and who makes it, as rules see them.
type inquiry struct {
	policy.Request
	w     http.ResponseWriter
	site  *site
	route *proxy.Route
	visitor
}

func (s *site) inquire(w http.ResponseWriter, r *http.Request, route *proxy.Route, v visitor) *inquiry {
	rec := edge.From(r.Context())
	q := &inquiry{w: w, site: s, route: route, visitor: v}
	q.Request = policy.Request{Route: route.Config.Path, ID: rec.ID, HTTP: r, Client: rec.ClientIP, Now: s.now()}
	if route.HasValues() {
		q.Value = s.rules[route.Index()].value
	}
	return q
}

// resource asks the route's upstream for what the request is about, and proves who asks as the request itself will (AUZ-08).
func (q *inquiry) resource(ctx context.Context) (_ map[string]any, err error) {
	rec := edge.From(q.HTTP.Context())
	caller := q.site.introduce(rec, q.visitor)
	caller.TokenFor = q.site.legTokens(q.HTTP, q.route, q.visitor)
	if q.known != nil {
		if caller.Assertion, err = q.site.assert(q.visitor, &q.route.Config); err != nil {
			return nil, err
		}
	}
	who := q.who(rec)
	found, err := q.route.Resource(ctx, q.HTTP, caller, who.User+" "+who.Session+" "+who.Caller)
	if leg, ok := errors.AsType[*proxy.LegFailure](err); ok {
		switch leg.Status {
		case http.StatusNotFound, http.StatusGone, http.StatusForbidden:
			return nil, fmt.Errorf("%w: %w", policy.ErrNoResource, err)
		}
	}
	return found, err
}

// judge counts and logs a verdict, and makes an answer of one that refuses.
func (q *inquiry) judge(v policy.Verdict) error {
	s, rec := q.site, edge.From(q.HTTP.Context())
	if v.DecisionID != "" {
		rec.Decision = v.DecisionID
	}
	for _, would := range v.Reports {
		s.metrics.denied(q.route, would.Rule, would.Reason, "reported")
		s.event(q.HTTP, edge.EventReported, slog.String("route", q.route.Config.Path), slog.String("rule", would.Rule), slog.String("reason", would.Reason))
	}
	if v.Allow {
		return nil
	}
	s.metrics.denied(q.route, v.Rule, v.Reason, "refused")
	rec.Rule, rec.Reason = v.Rule, v.Reason
	if v.Reason == policy.ReasonNobody {
		return q.nobody(v)
	}
	return q.answerTo(denial(v, q.sess, s.defaultProvider))
}

// answerTo completes a denial by what is known of this browser and of who sits in front of it.
func (q *inquiry) answerTo(err error) error {
	help, helps := errors.AsType[signInHelps](err)
	switch p, _ := errors.AsType[*edge.Problem](err); {
	case helps && q.sess != nil:
		return q.site.stepUp(q.HTTP, q.sess, help)
	case p != nil && p.Code == "forbidden" && q.sess != nil:
		return q.site.notThisUser(q.HTTP, p.Code, p.Err)
	}
	return err
}

// nobody is the answer where a rule is about who asks, and nobody is known. A session helps where one is read: elsewhere a browser that was sent to sign in
// would come back as nobody, and be sent again.
func (q *inquiry) nobody(v policy.Verdict) error {
	return signInMayHelp(q.site.uninvited(q.w, q.HTTP, q.route, v.Err), v.StepUp)
}

// signInMayHelp spares a navigation the problem of who is signed out. The sign-in asks at once for what the rules want of it.
func signInMayHelp(err error, needs *policy.StepUp) error {
	if p, ok := errors.AsType[*edge.Problem](err); ok && p.Code == "signed_out" {
		p.Login = signInURL("", "", needs)
		return signInHelps{Problem: p, needs: needs}
	}
	return err
}

// denial is the answer to a request that a rule refuses; usual is the default provider. It says no more than that (AUZ-06), and where to sign in if that would help.
func denial(v policy.Verdict, sess *session.Session, usual string) error {
	if p, ok := errors.AsType[*edge.Problem](v.Err); ok && errors.Is(v.Err, proxy.ErrEnded) {
		return p // the session ended while its token was sought: there is nothing to wait for
	}
	switch {
	case v.Unavailable:
		return &edge.Problem{Code: "rules_unavailable", RetryAfter: retryAfter, Err: v.Err}
	case v.StepUp != nil:
		return furtherSignIn(*v.StepUp, sess, usual)
	case v.Reason == policy.ReasonResource:
		return &edge.Problem{Code: "not_found", Err: v.Err} // whether it is there is nobody's business who may not see it
	}
	return &edge.Problem{Code: "forbidden", Err: v.Err}
}
