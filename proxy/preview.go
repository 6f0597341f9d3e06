package proxy

import (
	"net/http"
	"net/url"
	"slices"
)

// Preview is the request that Forward would send for r, without sending it, or the error with which Forward would refuse it. Of an upstream with
// several servers it names the first. The body is not looked at. A composed route has PreviewLegs instead.
func (rt *Route) Preview(r *http.Request, c Caller) (*http.Request, error) {
	x := &exchange{Context: r.Context(), route: rt, caller: c, in: r}
	if err := x.admit(); err != nil {
		return nil, err
	}
	out := &http.Request{Method: r.Method, URL: &url.URL{}}
	rt.target.aim(out, x.path, x.rawPath, r.URL.RawQuery)
	rt.up.servers[0].aim(out)
	out.Header = x.outgoing()
	return out, nil
}

// PreviewLegs is Preview for a composed route: the request of each leg.
func (rt *Route) PreviewLegs(r *http.Request, c Caller) (map[string]*http.Request, error) {
	x := &exchange{Context: r.Context(), route: rt, caller: c, in: r}
	if err := x.admit(); err != nil {
		return nil, err
	}
	targets, err := rt.composed.plan.Targets(x.composeRequest())
	if err != nil {
		return nil, x.composeFault(err)
	}
	out := make(map[string]*http.Request, len(targets))
	for name, t := range targets {
		l := rt.composed.legs[name]
		bearer, _, err := l.bearer(r.Context(), c)
		if err != nil {
			return nil, err
		}
		out[name] = l.request(x, r.Context(), l.base+t.Path, t, bearer)
		l.up.servers[0].aim(out[name])
	}
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
