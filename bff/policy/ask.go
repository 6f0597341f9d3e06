package policy

import (
	"context"
	"errors"
)

// Ask says whether u may make the request r, as far as others must be asked: the resource, then agents. It comes after Decide has allowed, and does not repeat it.
func (p *Policy) Ask(ctx context.Context, u *Subject, r *Request, src Sources) Verdict {
	if p == nil || r == nil || r.HTTP == nil {
		return Verdict{Reason: ReasonNoPolicy}
	}
	q := &question{ctx: ctx, src: src, a: &activation{set: p.set, u: u, r: r}}
	return p.run(p.asked, q.a, q.ask)
}

// question is one Ask under way.
type question struct {
	ctx  context.Context
	src  Sources
	a    *activation
	raw  map[string]any
	err  error // of the look-up, which is made once
	done bool
}

// ask is the verdict of a check that wants the resource, or an agent.
func (q *question) ask(c *check) Verdict {
	if c.wantsIt {
		if v := q.look(c); !v.Allow {
			return v
		}
	}
	if c.term == termWhen {
		return c.evaluate(q.a)
	}
	if v := c.unclear(q.a); !v.Allow {
		return v
	}
	if q.src.OPA == nil {
		return Verdict{Rule: c.rule, Reason: ReasonOPAUnavailable, Unavailable: true, Err: errors.New("there is nothing to ask agents with")}
	}
	return q.agent(c)
}

// unclear refuses a request that agents are not asked about.
func (c *check) unclear(a *activation) Verdict {
	if err := c.opa.unclear(a.r.HTTP); err != nil {
		return Verdict{Rule: c.rule, Reason: ReasonRequest, Err: err}
	}
	return Verdict{Allow: true} // the agent will judge what the upstream gets
}

// agent asks the agent of c.
func (q *question) agent(c *check) Verdict {
	v := q.src.OPA.ask(q.ctx, c.opa, c.opa.input(q.a, q.raw))
	v.Rule = c.rule
	return v
}

// look looks the resource up, once. What cannot be looked up lets nobody pass.
func (q *question) look(c *check) Verdict {
	if !q.done {
		q.done = true
		if q.src.Resource == nil {
			q.err = errors.New("there is nothing to look resources up with")
		} else if q.raw, q.err = q.src.Resource(q.ctx); q.err == nil && q.raw == nil {
			q.err = ErrNoResource
		}
		if q.err == nil {
			q.a.resource = boxMap(q.raw, true)
		}
	}
	switch {
	case q.err == nil:
		return Verdict{Allow: true} // it is there; what it says comes next
	case errors.Is(q.err, ErrNoResource):
		return Verdict{Rule: c.rule, Reason: ReasonResource, Err: q.err}
	}
	return Verdict{Rule: c.rule, Reason: ReasonResourceUnavailable, Unavailable: true, Err: q.err}
}
