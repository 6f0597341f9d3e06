package policy

import (
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
	// Asked is that an answer from elsewhere is needed, which is not asked for here.
	Asked bool `json:"asked,omitempty"`
	// Reason is the verdict's; empty where it passes or would be asked.
	Reason string `json:"reason,omitempty"`
	// Text is in words.
	Text string `json:"text"`
	// URL and Input are the question to an agent. What the resource would be is not in it.
	URL   string          `json:"url,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
}

// Explain says what every term of every rule would say, also after the first refusal, and asks nobody.
func (p *Policy) Explain(u *Subject, r *Request) []Step {
	if p == nil || r == nil || r.HTTP == nil {
		return []Step{{Reason: ReasonNoPolicy, Text: "there is no policy to decide by", Enforced: true}}
	}
	a := &activation{set: p.set, u: u, r: r}
	var out []Step
	for i := range p.memory {
		out = append(out, p.explain(&p.memory[i], a))
	}
	for i := range p.asked {
		out = append(out, p.asked[i].explainAsked(a))
	}
	return out
}

func (p *Policy) explain(c *check, a *activation) Step {
	v := p.judge(c, a, nil)
	return Step{Rule: c.rule, Key: string(c.term), Passes: v.Allow, Enforced: !c.report, Reason: v.Reason, Text: c.words(v, a)}
}

// explainAsked is the step of what would be asked.
func (c *check) explainAsked(a *activation) Step {
	s := Step{Rule: c.rule, Key: string(c.term), Enforced: !c.report, Asked: true}
	if c.term == termWhen {
		s.Text = "would be asked when the resource is there: " + c.when.source
		return s
	}
	s.URL, s.Text = c.opa.url, "would be asked: "+c.opa.url
	s.Input, _ = json.Marshal(map[string]any{"input": c.opa.input(a, nil)})
	return s
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
