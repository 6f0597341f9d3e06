package bff

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/bff/inbound"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/proxy"
)

// Explainer tells what a server with a configuration would do with a request, and why, without a server: no session is
// read, no provider asked, nothing sent. It decides by the functions by which the server decides.
type Explainer struct {
	cfg      *configs.Config
	origin   edge.Origin
	table    *proxy.Table
	callers  *inbound.Inbound // nil without callers
	policies *policy.Set
	book     []rules // by the number of the route
}

// NewExplainer compiles the routes as a server does. Close it when it is no longer needed.
func NewExplainer(cfg *configs.Config) (*Explainer, error) {
	origin, err := edge.ParseOrigin(cfg.Server.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("server.public_url: %w", err)
	}
	e := &Explainer{cfg: cfg, origin: origin}
	if err := e.wireCallers(); err != nil {
		return nil, fmt.Errorf("callers: %w", err)
	}
	if err := e.wireRules(); err != nil {
		return nil, err
	}
	e.table, err = proxy.Compile(cfg.Proxied(), cfg.Upstreams, proxy.Deps{
		Via: origin.Host, Credentials: cfg.CredentialHeaders(), OnError: func(http.ResponseWriter, *http.Request, error) {},
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return e, nil
}

// Close lets go of what the routes hold.
func (e *Explainer) Close() { e.table.Close() }

// Request is what is to be explained.
type Request struct {
	// Method is the HTTP method; empty: GET.
	Method string
	// Target is path and query as a client sends them.
	Target string
	// Header are the request's headers. What browsers say about where a request comes from is [From].
	Header http.Header
	// Body is the request's; nil is one that is not known: of a GET or HEAD none, of another method any that may be there. An empty one is none.
	Body []byte
	// Claims are those of the ID token of the user who is signed in; nil: nobody is. `scope` is what the token endpoint granted with it, and `auth_time` may be a time in words.
	Claims map[string]any
	// Caller is who brings a credential of its own, which is good; nil: nobody does.
	Caller *inbound.Description
	// Resource is what the route's resource is; nil: nobody knows, and rules about it are taken to hold. NoResource is that there is none.
	Resource   map[string]any
	NoResource bool
	// OPA is what agents say, OPAAllows or OPADenies; empty: nobody knows, and they are taken to allow.
	OPA string
	// Now is the time of the request; zero: this moment.
	Now time.Time
	// Client is the client's address; invalid: 192.0.2.1.
	Client netip.Addr
}

// Verdicts on a request.
const (
	// Forwarded goes to the upstream, whose answer it gets.
	Forwarded = "forwarded"
	// Refused is answered with a problem.
	Refused = "refused"
	// SignIn is a navigation that is sent to sign in first.
	SignIn = "sign_in"
	// Bounced is a navigation from another site that arrives again from this origin.
	Bounced = "bounced"
	// Answered is a request that is answered here because it may go no further (Max-Forwards).
	Answered = "answered"
	// Preflight is a CORS preflight request, which is answered here.
	Preflight = "preflight"
	// App is answered from the app's own files.
	App = "app"
	// Endpoint is one of Cloakroom's own.
	Endpoint = "endpoint"
)

// Explanation is what becomes of a request, and why.
type Explanation struct {
	// Request is method and target.
	Request string `json:"request"`
	// Verdict is one of the verdicts above.
	Verdict string `json:"verdict"`
	// Status is that of the answer, where it is not the upstream's or the app's; Code is the problem's.
	Status int    `json:"status,omitempty"`
	Code   string `json:"code,omitempty"`
	// Rule is the rule that refuses, and Reason why, as the log has them.
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Route is the route that the request belongs to; nil for none.
	Route *ExplainedRoute `json:"route,omitempty"`
	// Others are the routes whose pattern matches the path too, and why they are not it.
	Others []ExplainedRoute `json:"others,omitempty"`
	// Steps are what was decided on the way, in this order.
	Steps []Step `json:"steps"`
	// Method, Upstream and Headers are the request as the upstream gets it; of several servers the first is named. Tokens are placeholders in brackets.
	Method   string      `json:"method,omitempty"`
	Upstream string      `json:"upstream,omitempty"`
	Headers  http.Header `json:"headers,omitempty"`
	// Legs are the requests of a composed route instead, by leg.
	Legs map[string]ExplainedLeg `json:"legs,omitempty"`
}

// ExplainedLeg is the request of one leg of a composed answer, as its upstream gets it.
type ExplainedLeg struct {
	Upstream string      `json:"upstream"`
	Headers  http.Header `json:"headers"`
}

// ExplainedRoute is a route and where it stands.
type ExplainedRoute struct {
	Path string `json:"path"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Why is why this route is not the request's.
	Why string `json:"why,omitempty"`
}

// Step is one decision.
type Step struct {
	// Name is what it is about: path, route, cross_site, session, rule, …
	Name string `json:"name"`
	// Passes is whether the request goes on.
	Passes bool `json:"passes"`
	// Reason is in words.
	Reason string `json:"reason"`
	// Rule is the rule that it is about, and Code its reason to refuse. Reported is that it refuses, and only reports.
	Rule     string `json:"rule,omitempty"`
	Code     string `json:"code,omitempty"`
	Reported bool   `json:"reported,omitempty"`
	// Asked is that others would be asked, whose answer is not known and taken to be yes; URL is where, and Input what an agent is told.
	Asked bool            `json:"asked,omitempty"`
	URL   string          `json:"url,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
}

// question is a request on its way through the steps.
type question struct {
	*Explainer
	Request
	r     *http.Request
	route *proxy.Route
	// anonymous is a request that goes on without a session whoever sends it.
	anonymous bool
	visitor
	caller  proxy.Caller
	preview *proxy.Preview
	out     *Explanation
}

// Explain says what becomes of a request.
func (e *Explainer) Explain(req Request) Explanation {
	if req.Method == "" {
		req.Method = http.MethodGet
	}
	if req.Now.IsZero() {
		req.Now = time.Now()
	}
	if !req.Client.IsValid() {
		req.Client = someone
	}
	out := Explanation{Request: req.Method + " " + req.Target}
	q := &question{Explainer: e, Request: req, out: &out}
	// The order is the server's: see Server.Handler and site.proxied. Each step says whether the request goes on.
	for _, step := range []func() bool{
		q.readPath,
		q.findRoute,
		q.credential,
		q.crossSite,
		q.session,
		q.rules,
		q.token,
		q.admission,
		q.validation,
		q.forward,
	} {
		if !step() {
			break
		}
	}
	return out
}

// pass notes a step after which the request goes on.
func (q *question) pass(name, format string, args ...any) bool {
	q.out.Steps = append(q.out.Steps, Step{Name: name, Passes: true, Reason: fmt.Sprintf(format, args...)})
	return true
}

// stop notes the step at which the request has its answer.
func (q *question) stop(name, verdict, format string, args ...any) bool {
	q.out.Steps = append(q.out.Steps, Step{Name: name, Reason: fmt.Sprintf(format, args...)})
	q.out.Verdict = verdict
	return false
}

// refuse is stop with a problem.
func (q *question) refuse(name string, p *edge.Problem, format string, args ...any) bool {
	q.answered(p)
	return q.stop(name, Refused, format, args...)
}

// answered is that a problem is the answer.
func (q *question) answered(p *edge.Problem) {
	q.out.Verdict, q.out.Code, q.out.Status = Refused, p.Code, p.Status
	if entry, ok := edge.Lookup(p.Code); ok && p.Status == 0 {
		q.out.Status = entry.Status
	}
}

// readPath makes the request that net/http and the edge would make of it.
func (q *question) readPath() bool {
	r, err := http.NewRequestWithContext(context.Background(), q.Method, "http://"+q.origin.Host, http.NoBody)
	if err != nil {
		return q.refuse("path", &edge.Problem{Code: "bad_request"}, "%q is no method", q.Method)
	}
	if r.URL, err = url.ParseRequestURI(q.Target); err != nil || r.URL.Host != "" || strings.ContainsAny(q.Target, " \t\r\n") {
		return q.refuse("path", &edge.Problem{Code: "bad_request"}, "a request's target is a path, perhaps with a query, as browsers send it: without spaces, and without a host")
	}
	r.RequestURI, r.ContentLength = q.Target, int64(len(q.Body))
	for name, values := range q.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	if host := r.Header["Host"]; len(host) > 0 {
		r.Host = host[0]
		delete(r.Header, "Host")
	}
	q.r = r
	q.bring()
	if edge.Unanswerable(r.Method) {
		return q.refuse("path", &edge.Problem{Code: "method_not_allowed"}, "%s never reaches anything", r.Method)
	}
	if reason := edge.Misdirected(q.origin, r); reason != "" {
		return q.refuse("path", &edge.Problem{Code: "misdirected"}, "the request is for another host than public_url's: %s", words(reason))
	}
	r.Host = q.origin.Host
	if code, reason := edge.Canonicalize(r); reason != "" {
		return q.refuse("path", &edge.Problem{Code: code}, "%s", words(reason))
	}
	return q.pass("path", "%s has one reading", r.URL.EscapedPath())
}

// words makes a reason code readable.
func words(reason string) string { return strings.ReplaceAll(reason, "_", " ") + " (" + reason + ")" }
