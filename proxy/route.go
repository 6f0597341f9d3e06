package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"time"

	"cloakroom/proxy/schema"
	"cloakroom/proxy/tokens"
)

// Deps are what the proxy needs from the house.
type Deps struct {
	// Via is our name in the Via header, by which a loop is recognised; it should differ between installations. Empty: "cloakroom".
	Via string
	// Log gets what happens after an answer has begun, when OnError cannot answer any more. nil: nothing is logged.
	Log *slog.Logger
	// Credentials are headers in which callers bring their own, beside those that no upstream gets anyway: none gets these either.
	Credentials []string
	// OnError answers a request whose forwarding failed, with one of the package's sentinels. Required.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
	// ObserveUpstream is told how long the upstream took until its headers, or its failure. nil is fine.
	ObserveUpstream func(r *http.Request, d time.Duration)
	// ObserveCheck is told of every request, and every answer of an upstream, that was held against its description: "request" or "response", and "ok" or why not,
	// one of a few constants. nil is fine.
	ObserveCheck func(rt *Route, message, result string)
	// ObserveLeg is told how it went with each leg of a composed answer, in one of a few words. nil is fine.
	ObserveLeg func(rt *Route, leg, outcome string)
	// ObserveHeader is told of a header of the route's own that is not sent, because it is "missing" or "unsendable". nil is fine.
	ObserveHeader func(rt *Route, state string)
	// ParseResource reads what a route's resource is: one JSON object. nil: encoding/json does, for which numbers are doubles, and of two members of one name the last counts.
	ParseResource func(body []byte) (map[string]any, error)
	// Room is what all composed answers take their memory from. nil: room without end.
	Room *Room
	// Resolver looks up the upstreams' names. nil: the system's.
	Resolver *net.Resolver
}

// Table finds the route of a request. It does not change after Compile and is safe for concurrent use.
type Table struct {
	tree   *node
	routes []*Route
	// services are the routes' upstreams at work, by what makes two the same.
	services map[string]*service
	closing  sync.Once
}

// Route is one compiled route.
type Route struct {
	Config    Config
	Token     tokens.Token
	index     int
	pattern   pattern
	target    target
	up        *service
	composed  *composed // in place of up and target; else nil
	resource  *resource // nil: none
	values    []pathValue
	headers   *headers // of the route's own; nil: none
	cors      *cors    // nil: no other origin reads anything
	via       string
	requests  *schema.Requests  // nil: not checked
	responses *schema.Responses // the same
	proxy     *httputil.ReverseProxy
	deps      Deps
}

// Compile builds the table. The error joins all that is wrong; each part names its route by number (from 0) and path.
//
// upstreams are those that routes may name. previous is the table that this one is to follow, or nil: an upstream that has not changed goes on with its
// connections and with what is known of its health. previous may be in use, and is closed by whoever made it.
func Compile(routes []Config, upstreams map[string]Upstream, d Deps, previous *Table) (*Table, error) {
	if d.Via == "" {
		d.Via = "cloakroom"
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	l, t := newLayout(), &Table{services: map[string]*service{}}
	docs := schema.NewDocuments(schema.ReadFile)
	var errs []error
	for i, c := range routes {
		rt, err := t.compile(i, c, d, upstreams, previous)
		if err == nil && c.Resource.On() {
			var legs *composed
			if legs, err = t.compileLegs(c, c.Resource.composed(), d, upstreams, previous); err == nil {
				rt.resource = newResource(legs, c.Resource)
			}
		}
		if err == nil {
			rt.headers, rt.cors, rt.values = newHeaders(c.Headers, d.Credentials), newCORS(rt.Config), pathValues(c.Path)
			err = describedError(rt.describe(docs))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("route %d (%q): %w", i, c.Path, err))
			continue
		}
		rt.Token = tokens.Of(c.Token, c.Auth != "none")
		l.add(rt)
		t.routes = append(t.routes, rt)
	}
	l.addBare()
	for _, c := range l.conflicts {
		errs = append(errs, fmt.Errorf("route %d (%q) and route %d (%q): %s", c.A, routes[c.A].Path, c.B, routes[c.B].Path, c.Reason))
	}
	if len(errs) > 0 {
		t.Close()
		return nil, errors.Join(errs...)
	}
	t.tree = l.tree
	return t, nil
}

// compile checks one route and wires its ReverseProxy.
func (t *Table) compile(i int, c Config, d Deps, upstreams map[string]Upstream, previous *Table) (*Route, error) {
	var problems []error
	c.Validate(func(key, problem string) { problems = append(problems, fmt.Errorf("%s: %s", key, problem)) })
	if _, problem := readPattern(c.Path); problem != "" && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("path: %s", problem))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if c.On() {
		legs, err := t.compileLegs(c, c.Config, d, upstreams, previous)
		if err != nil {
			return nil, err
		}
		return &Route{Config: c.settled(), index: i, composed: legs, via: d.Via, deps: d}, nil
	}
	config, err := c.Resolve(upstreams)
	if err != nil {
		return nil, err
	}
	all, err := config.addresses()
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	up, err := t.service(c.UpstreamName(), config.withDefaults(), all, d, previous)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	rt := &Route{Config: c, index: i, target: newTarget(all[0].base, c.StripPrefix), up: up, via: d.Via, deps: d}
	rt.proxy = newReverseProxy(rt)
	return rt, nil
}

// Match finds the route of a request by its path and method. Without a route for the method, allow holds the methods that
// the path exists for (405); it is nil where no route has the path at all.
//
// Only r.URL.Path and r.Method are looked at. /bff is never matched, whatever the patterns say.
func (t *Table) Match(r *http.Request) (route *Route, allow []string) {
	if p := r.URL.Path; strings.HasPrefix(p, "/bff") && (len(p) == 4 || p[4] == '/') {
		return nil, nil
	}
	if !clean(r.URL.Path) {
		return nil, nil
	}
	g := t.tree.find(r.URL.Path)
	if g == nil {
		return nil, nil
	}
	if rt := g.find(r.Method); rt != nil {
		return rt, nil
	}
	return nil, g.allow
}

// Routes lists the compiled routes in the order of the configuration.
func (t *Table) Routes() []*Route { return slices.Clone(t.routes) }

// service is the one that the table, or the one before, has already; else a new one.
func (t *Table) service(name string, config Upstream, all []address, d Deps, previous *Table) (*service, error) {
	key := config.key(name, all)
	if known := t.services[key]; known != nil {
		return known, nil
	}
	var up *service
	if previous != nil {
		up = previous.services[key]
	}
	if up == nil {
		var err error
		if up, err = newService(name, config, all, d); err != nil {
			return nil, err
		}
	}
	up.users.Add(1)
	t.services[key] = up
	return up, nil
}

// Close lets go of the upstreams; what no other table has drops its idle connections. Requests under way finish undisturbed.
func (t *Table) Close() {
	t.closing.Do(func() {
		for _, u := range t.services {
			if u.users.Add(-1) == 0 {
				u.close()
			}
		}
	})
}

// group is the routes of one path, told apart by method.
type group struct {
	http.Handler // nil: ServeMux wants a Handler, but it is only asked where a path belongs
	text         string
	routes       []*Route
	any          *Route // takes every method
	byMethod     map[string]*Route
	allow        []string
}

// anyMethods is what Allow says of a route without `methods`. It takes others too.
var anyMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// take adds a route, or answers the route that already has one of its methods.
func (g *group) take(rt *Route) (other *Route, method string) {
	methods := withHead(rt.Config.Methods)
	switch {
	case g.any != nil:
		return g.any, "any method"
	case len(methods) == 0 && len(g.routes) > 0:
		return g.routes[0], "any method"
	case len(methods) == 0:
		g.any, g.allow = rt, anyMethods
	}
	for _, m := range methods {
		if other := g.byMethod[m]; other != nil {
			return other, m
		}
	}
	for _, m := range methods {
		if g.byMethod == nil {
			g.byMethod = map[string]*Route{}
		}
		g.byMethod[m] = rt
		g.allow = append(g.allow, m)
	}
	if g.any == nil {
		slices.Sort(g.allow)
	}
	g.routes = append(g.routes, rt)
	return nil, ""
}

// find answers the route for a method, or nil.
func (g *group) find(method string) *Route {
	if forbiddenMethod(method) {
		return nil
	}
	if g.any != nil {
		return g.any
	}
	return g.byMethod[method]
}

// withHead adds HEAD where GET is: who may read may ask for the headers, under the same rules.
func withHead(methods []string) []string {
	out := slices.Clone(methods)
	if slices.Contains(out, "GET") {
		out = append(out, "HEAD")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// forbiddenMethod names the methods that never reach an upstream: TRACE and its old cousin TRACK answer with the request
// they got, bearer included; CONNECT asks for a tunnel. In any case of letters, because some servers do not care.
func forbiddenMethod(m string) bool {
	switch len(m) {
	case 5:
		return strings.EqualFold(m, "TRACE") || strings.EqualFold(m, "TRACK")
	case 7:
		return strings.EqualFold(m, "CONNECT")
	}
	return false
}

// joinMethods is an Allow header's value.
func joinMethods(methods []string) string {
	if len(methods) == 0 {
		return strings.Join(anyMethods, ", ")
	}
	return strings.Join(withHead(methods), ", ")
}
