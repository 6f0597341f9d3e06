package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Step is what one term of one rule says about a request.
type Step struct {
	// Rule is the rule's name, or the key of the route's own.
	Rule string `json:"rule"`
	// Key is the term: roles, scopes, when, opa, acr or max_auth_age.
	Key string `json:"key"`
	// Passes is whether it holds. It is false for one that would be asked.
	Passes bool `json:"passes"`
	// Enforced is false for a report-only one.
	Enforced bool `json:"enforced"`
	// Outside is that an answer from elsewhere is needed, and Asked that it is not known.
	Outside bool `json:"outside,omitempty"`
	Asked   bool `json:"asked,omitempty"`
	// Reason is the verdict's; empty where it passes or would be asked.
	Reason string `json:"reason,omitempty"`
	// Text is in words.
	Text string `json:"text"`
	// URL and Input are the question to an agent. A resource that is not known is not in it.
	URL   string          `json:"url,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	// Verdict is the whole of it, where it is known.
	Verdict Verdict `json:"-"`
}

// Explain says what every term of every rule says, in the order in which Decide and Ask look at them, also after the first refusal. What src knows is asked there. Without a source
// the step says what would be asked.
func (p *Policy) Explain(ctx context.Context, u *Subject, r *Request, src Sources) []Step {
	if p == nil || r == nil || r.HTTP == nil {
		return []Step{{Reason: ReasonNoPolicy, Text: "there is no policy to decide by", Enforced: true}}
	}
	a := &activation{set: p.set, u: u, r: r}
	var out []Step
	for i := range p.memory {
		out = append(out, p.explain(&p.memory[i], a))
	}
	q := &question{ctx: ctx, src: src, a: &activation{set: p.set, u: u, r: r}}
	for i := range p.asked {
		out = append(out, q.explain(&p.asked[i]))
	}
	return out
}

func (p *Policy) explain(c *check, a *activation) Step {
	v := p.judge(c, a, nil)
	return Step{Rule: c.rule, Key: string(c.term), Passes: v.Allow, Enforced: !c.report, Reason: v.Reason, Text: c.words(v, a), Verdict: v}
}

// explain is the step of what others must be asked for.
func (q *question) explain(c *check) Step {
	v, known := q.told(c)
	s := Step{Rule: c.rule, Key: string(c.term), Passes: known && v.Allow, Enforced: !c.report, Outside: true, Asked: !known, Reason: v.Reason, Verdict: v}
	if c.term == termOPA {
		s.URL = c.opa.url
		s.Input, _ = json.Marshal(map[string]any{"input": c.opa.input(q.a, q.raw)})
	}
	s.Text = c.saidElsewhere(v, known, q.a)
	return s
}

// told is the verdict of a check, or false where no source knows it.
func (q *question) told(c *check) (Verdict, bool) {
	there := c.wantsIt && q.src.Resource != nil
	if there {
		if v := q.look(c); !v.Allow {
			return v, true
		}
	}
	if c.term == termWhen {
		if !there {
			return Verdict{}, false
		}
		return c.evaluate(q.a), true
	}
	if v := c.unclear(q.a); !v.Allow || q.src.OPA == nil {
		return v, !v.Allow
	}
	return q.agent(c), true
}

// saidElsewhere says what others were asked, and what came of it.
func (c *check) saidElsewhere(v Verdict, known bool, a *activation) string {
	switch {
	case v.Reason == ReasonResource:
		return "the resource is not there, or not for this user"
	case v.Reason == ReasonResourceUnavailable:
		return fmt.Sprintf("the resource cannot be looked up: %v", v.Err)
	case v.Reason == ReasonRequest:
		return fmt.Sprintf("no agent is asked: %v", v.Err)
	case c.term == termWhen && known:
		return c.words(v, a)
	case c.term == termWhen:
		return "would be asked when the resource is there: " + c.when.source
	case known:
		return fmt.Sprintf("%s says %v", c.opa.url, v.Allow)
	}
	return "would be asked: " + c.opa.url
}

// words say what was compared with what.
func (c *check) words(v Verdict, a *activation) string {
	if v.Reason == ReasonNobody {
		return "is about the user, and nobody is signed in"
	}
	switch c.term {
	case termRoles:
		return fmt.Sprintf("wants one of %s; %s", strings.Join(c.names, ", "), has(a.u.roles, "roles"))
	case termScopes:
		return fmt.Sprintf("wants all of %s; %s", strings.Join(c.names, ", "), has(a.u.scopes, "scopes"))
	case termACR:
		if a.u.id.ACR == "" {
			return fmt.Sprintf("wants a sign-in by %s; the provider did not say how it was", strings.Join(c.names, " or "))
		}
		return fmt.Sprintf("wants a sign-in by %s; it was by %s", strings.Join(c.names, " or "), a.u.id.ACR)
	case termAuthAge:
		age, known := a.u.authAge(a.r.Now)
		if !known {
			return fmt.Sprintf("wants a sign-in within %v; nobody knows when it was", c.age)
		}
		return fmt.Sprintf("wants a sign-in within %v; it was %v ago", c.age, age.Round(time.Second))
	}
	if v.Err != nil {
		return fmt.Sprintf("%s: has no value: %v", c.when.source, v.Err)
	}
	return fmt.Sprintf("%s: is %v", c.when.source, v.Allow)
}

func has(names []string, what string) string {
	if len(names) == 0 {
		return "the user has no " + what
	}
	return "the user has " + strings.Join(names, ", ")
}
