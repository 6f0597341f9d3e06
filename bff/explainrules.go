package bff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"cloakroom/bff/edge"
	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
)

// What an agent is taken to say. Empty: nobody told, and it is taken to allow.
const (
	// OPAAllows is an agent that allows.
	OPAAllows = "allow"
	// OPADenies is one that does not.
	OPADenies = "deny"
)

// wireRules compiles what the routes ask for, as a server does.
func (e *Explainer) wireRules() (err error) {
	if e.policies, err = policy.NewSet(e.cfg.Policy, e.cfg.Rules, e.cfg.CredentialHeaders()...); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	limiter, err := limit.New(e.cfg.Limits, limit.Deps{})
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	e.book, err = compileRules(e.cfg, e.policies, limiter)
	return err
}

// rules holds the request against its route's rules and limits, in the order of site.permit. It goes on after a refusal, so that all of them are seen.
func (q *question) rules() bool {
	to := &q.book[q.route.Index()]
	var steps []policy.Step
	if to.policy != nil {
		steps = to.policy.Explain(context.Background(), q.subject(), q.inquire(), q.sources(to.policy))
	}
	var refusal *policy.Step
	limited := false
	for i := range steps {
		s := &steps[i]
		if s.Outside && !limited {
			limited = true
			q.limits(to)
			q.lookUp(to.policy)
		}
		q.rule(s)
		if refusal == nil && s.Enforced && !s.Asked && !s.Passes {
			refusal = s
		}
	}
	if !limited {
		q.limits(to)
	}
	if refusal == nil {
		return true
	}
	return q.denied(refusal.Verdict)
}

// inquire is the request as rules see it.
func (q *question) inquire() *policy.Request {
	r := &policy.Request{Route: q.route.Config.Path, ID: requestID, HTTP: q.r, Client: q.Client, Now: q.Now}
	if q.route.HasValues() {
		r.Value = q.route.Value
	}
	return r
}

// sources are what was told of others' answers.
func (q *question) sources(p *policy.Policy) (src policy.Sources) {
	if p.WantsResource() {
		_, err := q.resourceRequest()
		switch {
		case err != nil:
			src.Resource = func(context.Context) (map[string]any, error) { return nil, err }
		case q.NoResource:
			src.Resource = func(context.Context) (map[string]any, error) { return nil, policy.ErrNoResource }
		case q.Resource != nil:
			src.Resource = func(context.Context) (map[string]any, error) { return q.Resource, nil }
		}
	}
	if q.OPA != "" {
		src.OPA = policy.NewOPAClient(policy.OPADeps{Transport: agentThat(q.OPA == OPAAllows)})
	}
	return src
}

// agentThat is an agent which always says the same.
type agentThat bool

// RoundTrip answers without a question.
func (a agentThat) RoundTrip(r *http.Request) (*http.Response, error) {
	body := fmt.Appendf(nil, `{"result":%v}`, bool(a))
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}, nil
}

// resourceRequest is what the route's upstream is asked about.
func (q *question) resourceRequest() (*http.Request, error) {
	caller := q.caller
	caller.TokenFor = q.legToken
	return q.route.ResourceRequest(q.r, caller)
}

// lookUp notes what the resource is.
func (q *question) lookUp(p *policy.Policy) {
	if !p.WantsResource() {
		return
	}
	r, err := q.resourceRequest()
	if err != nil {
		return // the first rule that wants it says so
	}
	s := Step{Name: "resource", Passes: true, URL: r.URL.String(), Reason: "GET " + r.URL.String()}
	switch {
	case q.NoResource:
		s.Reason += " is taken to find nothing"
	case q.Resource != nil:
		s.Reason += " is taken to find what was told"
	default:
		s.Asked = true
		s.Reason += " would be asked, and is taken to find what the rules want"
	}
	q.out.Steps = append(q.out.Steps, s)
}

// limits says what is counted.
func (q *question) limits(to *rules) {
	if all := to.limits.Limits(); len(all) > 0 {
		q.pass("limit", "%s", strings.Join(all, "; "))
	}
}

// rule notes what a rule says.
func (q *question) rule(s *policy.Step) {
	name := s.Rule
	if s.Key != s.Rule {
		name += " (" + s.Key + ")"
	}
	out := Step{
		Name: "rule", Passes: s.Passes || s.Asked || !s.Enforced, Reason: name + ": " + s.Text, Rule: s.Rule, Code: s.Reason,
		Reported: !s.Enforced && !s.Passes && !s.Asked, Asked: s.Asked, URL: s.URL, Input: s.Input,
	}
	if s.Reason != "" {
		out.Reason += " (" + s.Reason + ")"
	}
	switch {
	case out.Reported:
		out.Reason += "; report only: it goes through"
	case !s.Enforced:
		out.Reason += "; report only"
	case s.Asked:
		out.Reason += "; taken to pass"
	}
	q.out.Steps = append(q.out.Steps, out)
}

// denied is the end for a request that a rule refuses, as site.turnedAway answers it.
func (q *question) denied(v policy.Verdict) bool {
	q.out.Rule, q.out.Reason = v.Rule, v.Reason
	err := denial(v, q.sess, q.usual())
	if v.Reason == policy.ReasonNobody {
		err = signInMayHelp(missing(&q.route.Config, nil), v.StepUp)
	}
	if _, help := errors.AsType[signInHelps](err); help && edge.Navigation(q.r) {
		q.out.Status, q.out.Verdict = http.StatusSeeOther, SignIn
		return false
	}
	if p, ok := errors.AsType[*edge.Problem](err); ok {
		q.answered(p)
	}
	return false
}

// ParseResource reads a resource as a route's upstream would answer it: a JSON object, in which no member comes twice.
func ParseResource(body []byte) (map[string]any, error) { return policy.ParseResource(body) }
