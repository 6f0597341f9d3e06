package policy

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Policy is all that a route asks for, compiled. It never changes, and can be used by any number of requests at the same time.
type Policy struct {
	set      *Set
	memory   []check // what Decide looks at, in this order
	asked    []check // what Ask looks at, in this order
	resource bool    // whether anything wants the resource
	stepUp   *StepUp // all that the policy asks of a sign-in
}

// term is one of the keys of Terms.
type term string

const (
	termRoles   term = "roles"
	termScopes  term = "scopes"
	termWhen    term = "when"
	termOPA     term = "opa"
	termACR     term = "acr"
	termAuthAge term = "max_auth_age"
)

// check is one term of one rule.
type check struct {
	term   term
	rule   string // the named rule's name, or the term itself
	report bool

	names   []string // roles, scopes or acr
	when    *expression
	age     time.Duration
	opa     *agent
	wantsIt bool // the resource
}

// Sources are what Ask can ask.
type Sources struct {
	// Resource looks the route's resource up, as ParseResource returns it. ErrNoResource is that there is none, or not for this user; any other error is that nobody knows.
	Resource func(ctx context.Context) (map[string]any, error)
	// OPA asks agents.
	OPA *OPAClient
}

// Decide says whether u may make the request r, as far as memory can tell. A nil u is nobody.
func (p *Policy) Decide(u *Subject, r *Request) Verdict {
	if p == nil || r == nil || r.HTTP == nil {
		return Verdict{Reason: ReasonNoPolicy}
	}
	if len(p.memory) == 0 {
		return Verdict{Allow: true} // the route asks for nothing more than its `auth`
	}
	return p.run(p.memory, &activation{set: p.set, u: u, r: r}, nil)
}

// Empty reports whether the route asks for nothing.
func (p *Policy) Empty() bool { return p == nil || len(p.memory)+len(p.asked) == 0 }

// Asks reports whether something is left for Ask after Decide has allowed.
func (p *Policy) Asks() bool { return p != nil && len(p.asked) > 0 }

// WantsResource reports whether Ask will look the route's resource up.
func (p *Policy) WantsResource() bool { return p != nil && p.resource }

// StepUp is all that the policy asks of a sign-in; nil: nothing. A sign-in for a route that nobody is signed in for can ask for it at once.
func (p *Policy) StepUp() *StepUp {
	if p == nil || p.stepUp == nil {
		return nil
	}
	return p.stepUp.clone()
}

// run looks at the checks, the enforced ones first, until one refuses. ask answers those that need more than memory.
func (p *Policy) run(checks []check, a *activation, ask func(*check) Verdict) Verdict {
	out := Verdict{Allow: true} // if nothing below refuses: all that is given must hold
	for i := range checks {
		c := &checks[i]
		v := p.judge(c, a, ask)
		if v.DecisionID != "" {
			out.DecisionID = joinIDs(out.DecisionID, v.DecisionID)
		}
		switch {
		case v.Allow: // this one holds; the others must too
		case c.report:
			out.Reports = append(out.Reports, v)
		default:
			v.DecisionID = out.DecisionID
			return v
		}
	}
	return out
}

// judge is the verdict of one check.
func (p *Policy) judge(c *check, a *activation, ask func(*check) Verdict) Verdict {
	if ask != nil {
		return ask(c)
	}
	if c.term == termWhen {
		return c.evaluate(a)
	}
	if a.u == nil {
		return c.refuse(ReasonNobody, p.stepUp)
	}
	return c.hold(a.u, a.r.Now, p.stepUp)
}

// hold judges what is known of the user.
func (c *check) hold(u *Subject, now time.Time, needs *StepUp) Verdict {
	switch c.term {
	case termRoles:
		for _, role := range c.names {
			if _, ok := u.has[role]; ok {
				return Verdict{Allow: true} // one of them is enough
			}
		}
		return c.refuse(ReasonRole, nil)
	case termScopes:
		for _, scope := range c.names {
			if _, ok := u.may[scope]; !ok {
				return c.refuse(ReasonScope, nil)
			}
		}
		return Verdict{Allow: true} // all of them are there
	case termACR:
		if u.id.ACR != "" && slices.Contains(c.names, u.id.ACR) {
			return Verdict{Allow: true} // the sign-in was of a kind that is good enough
		}
		return c.refuse(ReasonACR, u.canStepUp(needs))
	case termAuthAge:
		if age, known := u.authAge(now); known && age <= c.age {
			return Verdict{Allow: true} // the sign-in is recent enough
		}
		return c.refuse(ReasonAuthAge, u.canStepUp(needs))
	}
	return c.refuse(ReasonNoPolicy, nil)
}

func (c *check) refuse(reason string, needs *StepUp) Verdict {
	v := Verdict{Rule: c.rule, Reason: reason}
	if needs != nil && !c.report {
		v.StepUp = needs.clone()
	}
	return v
}

// evaluate is the verdict of an expression. Only true lets pass: neither an error nor another value does (AUZ-04).
func (c *check) evaluate(a *activation) Verdict {
	ok, err := c.when.eval(a)
	switch {
	case err == nil && ok:
		return Verdict{Allow: true}
	case err == nil:
		return c.refuse(ReasonWhen, nil)
	case errors.Is(err, errCost):
		return Verdict{Rule: c.rule, Reason: ReasonWhenCost, Err: err}
	case a.u == nil && c.when.user:
		v := c.refuse(ReasonNobody, nil)
		v.Err = err
		return v
	}
	return Verdict{Rule: c.rule, Reason: ReasonWhenError, Err: err}
}
