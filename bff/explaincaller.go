package bff

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/bff/inbound"
)

// noKeys is where an explainer has API keys: they are in Redis, which nobody asks here.
type noKeys struct{}

// Find implements inbound.Keys.
func (noKeys) Find(context.Context, string) (inbound.Key, error) {
	return inbound.Key{}, inbound.ErrNoKey
}

// wireCallers makes what knows callers without a session, where there are such.
func (e *Explainer) wireCallers() (err error) {
	if len(e.cfg.Callers.Kinds()) > 0 {
		e.callers, err = inbound.New(e.cfg.Callers, inbound.Deps{Keys: noKeys{}})
	}
	return err
}

// bring puts a stand-in for the caller's credential into the request.
func (q *question) bring() {
	if q.callers != nil && q.Caller != nil {
		q.callers.StandIn(q.r, q.Caller.Kind)
	}
}

// credential decides by what a caller brings, as site.identify does.
func (q *question) credential() bool {
	kinds := q.book[q.route.Index()].callers
	if q.callers == nil {
		return q.unknownCaller("nobody", kinds)
	}
	kind, err := q.callers.Present(q.r, kinds)
	if err != nil {
		return q.badCredential(err)
	}
	if kind == "" {
		return q.unknownCaller("those that come by "+strings.Join(kinds, ", "), kinds)
	}
	cfg, crossing := &q.route.Config, edge.CrossingOf(q.r)
	switch mayBring(kind, cfg, crossing, q.origin, q.route.Share(http.Header{}, q.r), q.Claims != nil) {
	case bringsTwo:
		return q.badCredential(&inbound.Refusal{Status: http.StatusBadRequest, Reason: inbound.ReasonTwo})
	case bringsFromElsewhere:
		q.out.Reason = "credential_cross_site"
		return q.refuse("caller", &edge.Problem{Code: "cross_site"}, "another site may have made the browser send the %s credential", kind)
	}
	if q.Caller == nil || q.Caller.Kind != kind {
		return q.refuse("caller", &edge.Problem{Code: "bad_credential"}, "there is a credential for %s, and nobody said whose it is", kind)
	}
	found, refusal := q.callers.Describe(*q.Caller)
	if refusal != nil {
		return q.badCredential(refusal)
	}
	q.visitor = visitor{caller: found, known: meetCaller(q.cfg, q.policies, found)}
	return q.pass("caller", "%s %s comes without a session%s%s", found.Kind, found.Subject, listed("roles", q.known.roles), listed("scopes", found.Scopes))
}

// unknownCaller goes on without a caller.
func (q *question) unknownCaller(taken string, kinds []string) bool {
	switch {
	case q.Caller != nil && len(kinds) == 0:
		return q.pass("caller", "the route takes no callers without a session: a credential for %s opens nothing", q.Caller.Kind)
	case q.Caller != nil:
		return q.pass("caller", "the route takes %s: a credential for %s opens nothing", taken, q.Caller.Kind)
	case len(kinds) > 0:
		return q.pass("caller", "%s may come without a session; there is no such credential", strings.Join(kinds, ", "))
	}
	return true
}

// badCredential is the end for a request whose credential is refused.
func (q *question) badCredential(err error) bool {
	refusal, ok := errors.AsType[*inbound.Refusal](err)
	if !ok {
		return q.refuse("caller", &edge.Problem{Code: "callers_unavailable"}, "%v", err)
	}
	q.out.Reason = refusal.Reason
	return q.refuse("caller", credentialProblem(refusal), "the credential is refused: %s", words(refusal.Reason))
}

// listed is a list in words, or nothing.
func listed(what string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", with the " + what + " " + strings.Join(names, ", ")
}

// instant reads a time as ID tokens have it, in seconds, or as people write it.
func instant(v any) time.Time {
	switch v := v.(type) {
	case float64:
		return time.Unix(int64(v), 0)
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return at
		}
	}
	return time.Time{}
}
