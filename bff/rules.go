package bff

import (
	"fmt"
	"net/http"
	"strings"

	"cloakroom/bff/edge"
	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/proxy"
)

// rules are what a route asks for beside `auth`, compiled.
type rules struct {
	policy  *policy.Policy // nil: nothing
	limits  *limit.Set     // nil: none
	callers []string       // the kinds that may come without a session
	vary    string         // where such a caller brings what it is known by
	pass    bool           // the caller's own token goes on to the upstream

	value func(path, name string) (string, bool) // of the route; once for all requests, because a method's value is an allocation
}

// wireRules compiles what the routes ask for.
func (s *site) wireRules() (err error) {
	if s.policies, err = policy.NewSet(s.cfg.Policy, s.cfg.Rules, s.cfg.CredentialHeaders()...); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	if s.limiter, err = s.newLimiter(); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	if s.rules, err = compileRules(s.cfg, s.policies, s.limiter); err != nil {
		return err
	}
	for i := range s.rules {
		if len(s.rules[i].callers) > 0 {
			s.rules[i].vary = s.credentialsIn
		}
	}
	return nil
}

// compileRules compiles those of all routes, in their order.
func compileRules(cfg *configs.Config, policies *policy.Set, limiter *limit.Limiter) (all []rules, err error) {
	all = make([]rules, len(cfg.Routes))
	for i, r := range cfg.Routes {
		if all[i], err = rulesOf(r, policies, limiter); err != nil {
			return nil, fmt.Errorf("route %d (%q): %w", i, r.Path, err)
		}
	}
	return all, nil
}

func rulesOf(r configs.Route, policies *policy.Set, limiter *limit.Limiter) (out rules, err error) {
	out.callers, out.pass = r.Callers, r.PassCredentials
	if out.policy, err = policies.Compile(r.Allow, r.Resource.On()); err != nil {
		return out, fmt.Errorf("allow: %w", err)
	}
	if out.policy.Empty() {
		out.policy = nil
	}
	if len(r.Limit) > 0 {
		if out.limits, err = limiter.Compile(limitName(r.Config), r.Limit); err != nil {
			return out, fmt.Errorf("limit: %w", err)
		}
	}
	return out, nil
}

// limitName is what a route's limits count under: routes of one path that differ in their methods count apart, and a reload that changes nothing about
// a route frees nobody.
func limitName(c proxy.Config) string { return strings.Join(c.Methods, ",") + " " + c.Path }

// nothingLeft is what is to be done after a request that nobody counts.
func nothingLeft() {}

// permit holds a request against its route's rules and limits, in the order of what each costs: what memory can tell, the limits, then what others must be
// asked. over must be called when the request is over, also after an error.
func (s *site) permit(w http.ResponseWriter, r *http.Request, route *proxy.Route, v visitor) (over func(), err error) {
	to := &s.rules[route.Index()]
	if to.policy == nil && to.limits == nil {
		return nothingLeft, nil
	}
	q := s.inquire(w, r, route, v)
	if to.policy != nil {
		if err := q.judge(to.policy.Decide(v.subject(), &q.Request)); err != nil {
			return nothingLeft, err
		}
	}
	over, err = s.take(w, r, to.limits, v.who(edge.From(r.Context())))
	if err != nil || !to.policy.Asks() {
		return over, err
	}
	return over, q.judge(to.policy.Ask(r.Context(), v.subject(), &q.Request, policy.Sources{Resource: q.resource, OPA: s.agents}))
}
