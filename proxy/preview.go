package proxy

import (
	"net/http"
	"net/url"
	"slices"

	"cloakroom/proxy/compose"
)

// Preview is a request on its way through Forward, one decision after the other, by Forward's own code. Nothing is sent.
type Preview struct{ x *exchange }

// Preview decides what Forward decides before it looks at what the request says, or returns the error with which Forward would refuse it.
func (rt *Route) Preview(r *http.Request, c Caller) (*Preview, error) {
	x := &exchange{Context: r.Context(), route: rt, caller: c, in: r}
	if err := x.admit(); err != nil {
		return nil, err
	}
	return &Preview{x}, nil
}

// Judge holds the request against the route's description. Its ContentLength is the body's; nil is a body that nobody has seen: then what a description says of
// bodies is left out. The error is Forward's; checked tells whether there is a description, whole whether all that it says was looked at.
func (p *Preview) Judge(body []byte) (checked, whole bool, err error) {
	x, q := p.x, p.x.route.requests
	if body == nil && q != nil && !x.upgrade {
		call, refusal := q.Match(x.in.Method, x.path)
		if refusal == nil {
			refusal = call.Parameters(x.crossing(), x.in.URL.RawQuery)
		}
		if refusal != nil {
			return true, true, x.misdescribed(refusal)
		}
		return true, !call.TakesBody(), nil
	}
	if err := x.judgeHead(); err != nil {
		return true, true, err
	}
	if x.call != nil {
		err = x.judgeBytes(body)
	}
	return q != nil, true, err
}

// AnsweredHere reports whether Forward answers by itself, without the upstream: OPTIONS that may go no further.
func (p *Preview) AnsweredHere() bool { return p.x.lastHop() }

// Request is what the upstream would get. Of several servers it names the first. A composed route has Legs instead.
func (p *Preview) Request() *http.Request {
	x, rt := p.x, p.x.route
	out := &http.Request{Method: x.in.Method, URL: &url.URL{}}
	rt.target.aim(out, x.path, x.rawPath, x.in.URL.RawQuery)
	rt.up.servers[0].aim(out)
	out.Header = x.outgoing()
	return out
}

// Legs is Request for a composed route: the request of each leg, or the error with which Forward would refuse to ask them.
func (p *Preview) Legs() (map[string]*http.Request, error) {
	x, rt := p.x, p.x.route
	if err := x.composable(); err != nil {
		return nil, err
	}
	targets, err := rt.composed.plan.Targets(x.composeRequest())
	if err != nil {
		return nil, x.composeFault(err)
	}
	out := make(map[string]*http.Request, len(targets))
	for name, t := range targets {
		l := rt.composed.legs[name]
		bearer, _, err := l.bearer(x, x.caller)
		if err != nil {
			return nil, err
		}
		out[name] = l.request(x, x, l.base+t.Path, t, bearer)
		l.up.servers[0].aim(out[name])
	}
	return out, nil
}

// ResourceRequest is the request for the route's resource as its upstream would get it, or why there is none.
func (rt *Route) ResourceRequest(r *http.Request, c Caller) (*http.Request, error) {
	x := &exchange{Context: r.Context(), route: rt, caller: c, in: r, legs: rt.resource.composed}
	targets, err := rt.resource.plan.Targets(compose.Request{Path: rt.resource.valuesOf(r.URL.Path)})
	if err != nil {
		return nil, err
	}
	t, l := targets[resourceLeg], rt.resource.legs[resourceLeg]
	bearer, _, err := l.bearer(x, c)
	if err != nil {
		return nil, err
	}
	out := l.request(x, x, l.base+t.Path, t, bearer)
	l.up.servers[0].aim(out)
	return out, nil
}

// Index is the route's place in the configuration's list, from 0.
func (rt *Route) Index() int { return rt.index }

// Candidates are the routes whose pattern matches the request's path, whatever the method, those that [Table.Match] prefers first. It is for
// explanations: it asks every route by itself.
func (t *Table) Candidates(r *http.Request) []*Route {
	var found []*Route
	for {
		l := newLayout()
		for i, rt := range t.routes {
			if !slices.Contains(found, rt) {
				l.add(&Route{Config: rt.Config, index: i})
			}
		}
		l.addBare()
		h, _ := l.mux.Handler(r)
		g, ok := h.(*group)
		if !ok {
			return found
		}
		for _, rt := range g.routes {
			found = append(found, t.routes[rt.index])
		}
	}
}
