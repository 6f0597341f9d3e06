package policy

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// Check reports what is wrong with a together with the rest of the configuration: names that nobody gave, a resource that is not looked up, an acr that cannot be.
func (s *Set) Check(a Allow, hasResource bool, report func(key, problem string)) {
	for i, name := range a.Rules {
		key := fmt.Sprintf("rules[%d]", i)
		r, ok := s.rules[name]
		if !ok {
			report(key, s.noRule(name))
			continue
		}
		s.checkTerms(r.Terms, hasResource, func(sub, problem string) { report(key, fmt.Sprintf("rules.%s.%s: %s", name, sub, problem)) })
	}
	s.checkTerms(a.Terms, hasResource, report)
	for i, name := range a.ReportOnly {
		if !slices.Contains(a.Rules, name) && !slices.Contains(a.given(), term(name)) {
			report(fmt.Sprintf("report_only[%d]", i), fmt.Sprintf("%q is neither a key that stands beside it nor one of its rules", name))
		}
	}
	if _, problem := s.stepUp(a); problem != "" {
		report("acr", problem)
	}
}

func (s *Set) noRule(name string) string {
	if len(s.rules) == 0 {
		return fmt.Sprintf("%q is no rule; give it this name under `rules`", name)
	}
	return fmt.Sprintf("%q is no rule; there are %s", name, strings.Join(slices.Sorted(maps.Keys(s.rules)), ", "))
}

// checkTerms reports what expressions and agents want that is not there for them.
func (s *Set) checkTerms(t Terms, hasResource bool, report func(key, problem string)) {
	for i, name := range t.OPA.Headers {
		if problem := badHeader(name, s.hidden); problem != "" {
			report(fmt.Sprintf("opa.headers[%d]", i), problem)
		}
	}
	if t.When == "" {
		return
	}
	e, err := s.known.parse(t.When)
	if err != nil {
		return // Validate says so
	}
	if e.resource && !hasResource {
		report("when", "asks about the resource, but the route does not look one up; give it `resource`")
	}
	for _, name := range e.headers {
		if _, ok := s.hidden[textproto.CanonicalMIMEHeaderKey(name)]; ok {
			report("when", fmt.Sprintf("header %s is for credentials, which rules do not see", name))
		}
	}
}

// named is a set of terms and what they are called.
type named struct {
	Terms
	rule   string // empty: the route's own, which are called by their keys
	report func(t term) bool
}

// all are the route's own terms, and those of its rules.
func (s *Set) all(a Allow) []named {
	out := []named{{a.Terms, "", func(t term) bool { return slices.Contains(a.ReportOnly, string(t)) }}}
	for _, name := range a.Rules {
		r := s.rules[name]
		only := r.ReportOnly || slices.Contains(a.ReportOnly, name)
		out = append(out, named{r.Terms, name, func(term) bool { return only }})
	}
	return out
}

// stepUp is all that the enforced terms ask of a sign-in. Several acr must all hold, so what is asked for is what they have in common.
func (s *Set) stepUp(a Allow) (*StepUp, string) {
	var needs StepUp
	for _, n := range s.all(a) {
		if len(n.ACR) > 0 && !n.report(termACR) {
			if needs.ACR == nil {
				needs.ACR = slices.Clone(n.ACR)
			}
			needs.ACR = slices.DeleteFunc(needs.ACR, func(v string) bool { return !slices.Contains(n.ACR, v) })
			if len(needs.ACR) == 0 {
				return nil, "no sign-in can be all that the route and its rules ask for: their lists have no value in common"
			}
		}
		if n.MaxAuthAge > 0 && !n.report(termAuthAge) && (needs.MaxAge == nil || n.MaxAuthAge < *needs.MaxAge) {
			needs.MaxAge = new(n.MaxAuthAge)
		}
	}
	if needs.ACR == nil && needs.MaxAge == nil {
		return nil, ""
	}
	return &needs, ""
}

func (s *Set) compile(a Allow, hasResource bool) (*Policy, error) {
	p := &Policy{set: s}
	p.stepUp, _ = s.stepUp(a)
	for _, n := range s.all(a) {
		checks, err := n.compile(s.known.parse, hasResource)
		if err != nil {
			return nil, err
		}
		for _, c := range checks {
			if c.wantsIt || c.term == termOPA {
				p.asked = append(p.asked, c)
				p.resource = p.resource || c.wantsIt
				continue
			}
			p.memory = append(p.memory, c)
		}
	}
	slices.SortStableFunc(p.memory, byOrder)
	slices.SortStableFunc(p.asked, byOrder)
	return p, nil
}

// byOrder puts what is enforced first, so that a report is about a request that would else pass; then what is cheap. A further sign-in is asked for when
// nothing else is in the way: nobody signs in again to be told that they may not.
func byOrder(x, y check) int {
	rank := func(c check) int {
		r := slices.Index(terms, string(c.term))
		if c.report {
			r += len(terms)
		}
		return r
	}
	return rank(x) - rank(y)
}

// compile makes the checks of n.
func (n named) compile(parse parser, hasResource bool) ([]check, error) {
	var out []check
	for _, t := range n.given() {
		c := check{term: t, rule: n.rule, report: n.report(t)}
		if c.rule == "" {
			c.rule = string(t)
		}
		switch t {
		case termRoles:
			c.names = n.Roles
		case termScopes:
			c.names = n.Scopes
		case termACR:
			c.names = n.ACR
		case termAuthAge:
			c.age = n.MaxAuthAge
		case termOPA:
			c.opa, c.wantsIt = newAgent(n.OPA), hasResource
		case termWhen:
			e, err := parse(n.When)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.rule, err)
			}
			c.when, c.wantsIt = e, e.resource
		}
		out = append(out, c)
	}
	return out, nil
}

// clone is a copy that the caller may change.
func (s *StepUp) clone() *StepUp {
	c := StepUp{ACR: slices.Clone(s.ACR)}
	if s.MaxAge != nil {
		c.MaxAge = new(time.Duration)
		*c.MaxAge = *s.MaxAge
	}
	return &c
}

// canStepUp is needs, if u is somebody who signs in.
func (u *Subject) canStepUp(needs *StepUp) *StepUp {
	if u.id.Kind != KindSession {
		return nil
	}
	return needs
}

// PathValues are the names of the route's pattern that expressions ask for. One that the pattern has not would refuse every request.
func (p *Policy) PathValues() []string {
	return p.asks(func(e *expression) []string { return e.values })
}

// Claims are the names of the claims that expressions ask for. One that no provider's `claims` has would refuse every request.
func (p *Policy) Claims() []string {
	return p.asks(func(e *expression) []string { return e.claims })
}

func (p *Policy) asks(names func(*expression) []string) []string {
	var out []string
	for _, c := range slices.Concat(p.memory, p.asked) {
		if c.when != nil {
			out = append(out, names(c.when)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
