package bff

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"cloakroom/bff/edge"
	"cloakroom/proxy"
	"cloakroom/proxy/tokens"
	"cloakroom/session"
)

// Placeholders stand for what only a real request has.
const (
	accessToken  = "[the session's access token]"
	ownToken     = "[this server's own access token]"
	callersToken = "[the caller's access token]"
	secretValue  = "[secret]"
	requestID    = "[request ID]"
)

// someone is the client's address in an explanation: one of those that are kept for documentation (RFC 5737).
var someone = netip.MustParseAddr("192.0.2.1")

// findRoute looks for who answers, as site.app does.
func (q *question) findRoute() bool {
	switch path := q.r.URL.Path; {
	case reserved(path):
		return q.stop("route", Endpoint, "everything under /bff is Cloakroom's own")
	case path == keySetPath && len(q.cfg.Assertions.Keys) > 0:
		return q.stop("route", Endpoint, "the keys of assertions are answered here")
	case preflight(q.r):
		return q.preflight()
	}
	route, allow := q.table.Match(q.r)
	q.others(route, q.r.Method)
	switch {
	case route != nil:
		q.route = route
		q.out.Route = new(q.explained(route, ""))
		return q.pass("route", "%s", route.Config.Path)
	case allow != nil:
		return q.refuse("route", &edge.Problem{Code: "method_not_allowed"}, "the path is for %s", strings.Join(allow, ", "))
	case q.cfg.SPA.Dir == "" && q.cfg.SPA.DevServer == "":
		return q.refuse("route", &edge.Problem{Code: "not_found"}, "no route has this path, and there is no app (spa)")
	}
	return q.stop("route", App, "no route has this path: the app's own files answer")
}

// preflights are the reasons of proxy.Route.Preflight in words.
var preflights = map[string]string{
	"cors_none":            "the route has no cors",
	"cors_origin":          "cors.origins does not name this origin",
	"cors_private_network": "it asks for a network that the user is in",
	"cors_method":          "cors.methods does not have this method",
	"cors_header":          "cors.headers does not have all of these headers",
}

// preflight says what a browser is told about a request that it announces, as site.preflight does.
func (q *question) preflight() bool {
	q.out.Status = http.StatusNoContent
	next := announced(q.r)
	route, _ := q.table.Match(next)
	q.others(route, next.Method)
	if route == nil {
		return q.stop("preflight", Preflight, "no route takes a %s of this path: the browser is told nothing that would allow it", next.Method)
	}
	q.out.Route = new(q.explained(route, ""))
	if reason := route.Preflight(http.Header{}, q.r); reason != "" {
		return q.stop("preflight", Preflight, "%s: the browser is told nothing that would allow it", preflights[reason])
	}
	return q.stop("preflight", Preflight, "the browser may send a %s from %s", next.Method, q.r.Header.Get("Origin"))
}

// others lists the routes whose pattern matches too.
func (q *question) others(route *proxy.Route, method string) {
	for _, rt := range q.table.Candidates(q.r) {
		if rt == route {
			continue
		}
		why := "its pattern is less specific: it takes more paths"
		if m := rt.Config.Methods; len(m) > 0 && !takes(m, method) {
			why = "takes " + strings.Join(m, ", ") + " only"
		}
		q.out.Others = append(q.out.Others, q.explained(rt, why))
	}
}

func takes(methods []string, method string) bool {
	return slices.Contains(methods, method) || method == http.MethodHead && slices.Contains(methods, http.MethodGet)
}

func (q *question) explained(rt *proxy.Route, why string) ExplainedRoute {
	e := ExplainedRoute{Path: rt.Config.Path, Why: why}
	e.File, e.Line = q.cfg.Place(rt.Index())
	return e
}

// crossSite decides by where the request comes from, as site.admit does.
func (q *question) crossSite() bool {
	if q.visitor.caller != nil {
		return true // nothing that browsers send by themselves
	}
	cfg, crossing := &q.route.Config, edge.CrossingOf(q.r)
	standing, reason := stand(cfg, crossing, q.origin, q.cfg.Session.Cookie.SameSite == "lax", q.route.Share(http.Header{}, q.r))
	switch standing {
	case anonymous:
		q.anonymous = true
		if cfg.Auth == "none" {
			return q.pass("cross_site", "auth none: the answer does not depend on the session, which is not read")
		}
		return q.pass("cross_site", "%s; from elsewhere everybody is anonymous", crossingWords(reason))
	case foreign:
		if empty(q.book[q.route.Index()].callers, crossing, q.Claims != nil) {
			return q.refuse("cross_site", missing(cfg, nil), "%s; a program should bring a credential that the route takes", crossingWords(reason))
		}
		if target, ok := bounces(cfg, q.r); ok {
			q.out.Status = http.StatusOK
			return q.stop("cross_site", Bounced, "%s; it arrives again at %s from a page of this origin", crossingWords(reason), target)
		}
		q.out.Reason = reason
		return q.refuse("cross_site", &edge.Problem{Code: "cross_site"}, "%s", crossingWords(reason))
	}
	return q.pass("cross_site", "%s", crossingWords(reason))
}

// crossings are the reasons of edge.SameOrigin in words.
var crossings = map[string]string{
	"csrf_header":                 "the header X-CSRF: 1, which other sites cannot send, shows that a page of this origin asks",
	"safe_without_metadata":       "nothing tells where it comes from; without_fetch_metadata: safe lets it read",
	"no_evidence":                 "nothing shows that a page of this origin asks: send X-CSRF: 1 where there is no fetch metadata",
	"upgrade_cross_site":          "a page of another site opens the socket",
	"upgrade_foreign_origin":      "a socket needs the Origin of this site",
	"upgrade_own_origin":          "a page of this origin opens the socket",
	"same_origin":                 "a page of this origin asks (Sec-Fetch-Site: same-origin)",
	"origin_contradicts_metadata": "Origin names another site than Sec-Fetch-Site says",
	"none_not_a_navigation":       "Sec-Fetch-Site: none is for navigations by hand only",
	"user_navigation":             "the user goes there by hand: no page asks",
	"cross_site_navigation":       "a link on another site leads here, which cross_site_navigation allows",
	"same_site":                   "a page of a sibling host, or of another scheme or port, asks",
	"cross_site":                  "a page of another site asks",
	"unknown_site":                "Sec-Fetch-Site has a value that no browser sends",
	"own_origin":                  "a page of this origin asks (Origin)",
	"null_origin":                 "Origin is null: a sandboxed frame or a file asks",
	"foreign_origin":              "Origin names another site",
	"shared_origin":               "a script of an origin asks that cors.origins names, with cors.credentials",
}

func crossingWords(reason string) string {
	if text := crossings[reason]; text != "" {
		return text
	}
	return words(reason)
}

// session decides by who is signed in, as site.admit does.
func (q *question) session() bool {
	cfg := &q.route.Config
	switch {
	case q.visitor.caller != nil:
		return q.introduced()
	case q.anonymous:
		return q.pass("session", "goes on without a session")
	case q.Claims != nil:
		return q.signedIn()
	}
	switch withoutSession(cfg, q.r) {
	case lackPasses:
		return q.pass("session", "auth optional: nobody is signed in, so it goes on without a bearer")
	case lackSignsIn:
		q.out.Status = http.StatusSeeOther
		return q.stop("session", SignIn, "auth %s: nobody is signed in, and a navigation is sent to sign in", cfg.Auth)
	}
	return q.refuse("session", missing(cfg, nil), "auth %s: nobody is signed in", cfg.Auth)
}

// usual is the default provider.
func (e *Explainer) usual() string {
	name := e.cfg.DefaultProvider
	if len(e.cfg.Providers) == 1 {
		for name = range e.cfg.Providers {
		}
	}
	return name
}

// signedIn is the session of a user with the request's claims.
func (q *question) signedIn() bool {
	name := q.usual()
	claims := stored(q.Claims)
	cfg := q.cfg.Providers[name]
	shown, roles, reason := cfg.Shown(claims)
	if reason != "" {
		return q.refuse("session", &edge.Problem{Code: "sign_in_refused"}, "no session would be made for these claims: %s", words(reason))
	}
	sess := &session.Session{Provider: name, Issuer: cfg.Issuer, Created: q.Now, AuthTime: instant(q.Claims["auth_time"]), Claims: shown, Roles: roles}
	sess.Subject, _ = shown["sub"].(string)
	sess.ACR, _ = q.Claims["acr"].(string)
	scope, _ := q.Claims["scope"].(string)
	sess.Scopes = cfg.Granted(claims, scope)
	q.visitor = visitor{sess: sess, known: acquaint(q.cfg, q.policies, userOf(sess))}
	q.introduced()
	return q.pass("session", "auth %s: %v is signed in%s", q.route.Config.Auth, shown["sub"], listed("roles", q.known.roles))
}

// introduced is what the upstream may know of the visitor.
func (q *question) introduced() bool {
	q.caller.User = q.visitor.user()
	if a := q.route.Config.Headers.Assertion; a.Audience != "" {
		q.caller.Assertion = "(signed, for " + a.Audience + ")"
	}
	return true
}

// admission decides what depends neither on what the request says nor on the upstream.
func (q *question) admission() bool {
	q.caller.Proto, q.caller.Host, q.caller.ClientIP, q.caller.RequestID = q.origin.Scheme, q.origin.Host, q.Client, requestID
	q.caller.TokenFor = q.legToken
	var err error
	if q.preview, err = q.route.Preview(q.r, q.caller); err != nil {
		return q.unforwarded("upstream", err)
	}
	return true
}

// validation holds the request against the route's description.
func (q *question) validation() bool {
	body := q.Body
	if body == nil && (q.r.Method == http.MethodGet || q.r.Method == http.MethodHead) {
		body = []byte{} // browsers send none
	}
	checked, whole, err := q.preview.Judge(body)
	switch {
	case err != nil:
		return q.unforwarded("validation", err)
	case checked && whole:
		return q.pass("validation", "the request is as described")
	case checked:
		return q.pass("validation", "path, query and headers are as described; the body is not given (--body), so it is taken to be right")
	}
	return true
}

// forward makes the request that the upstream would get.
func (q *question) forward() bool {
	if q.preview.AnsweredHere() {
		q.out.Status = http.StatusNoContent
		return q.stop("upstream", Answered, "Max-Forwards: 0 asks whoever is here")
	}
	if q.route.Config.On() {
		return q.compose()
	}
	out := q.preview.Request()
	q.out.Method, q.out.Upstream, q.out.Headers = out.Method, out.URL.String(), q.masked(out.Header)
	q.out.Verdict = Forwarded
	return q.pass("upstream", "%s", q.out.Upstream)
}

// From are the headers by which a browser says where a request comes from: "app" for a script of the app, "navigation" for the user who
// goes there by hand, "other_site" for a script of another site, "nowhere" for a client that says nothing.
func From(where string) http.Header {
	switch where {
	case "app":
		return http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
	case "navigation":
		return http.Header{"Sec-Fetch-Site": {"none"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}}
	case "other_site":
		return http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Origin": {"https://elsewhere.example"}}
	}
	return http.Header{}
}

// compose makes the requests that a composed route's upstreams would get.
func (q *question) compose() bool {
	legs, err := q.preview.Legs()
	if err != nil {
		return q.unforwarded("upstream", err)
	}
	q.out.Method, q.out.Legs, q.out.Verdict = http.MethodGet, map[string]ExplainedLeg{}, Forwarded
	var words []string
	for _, name := range slices.Sorted(maps.Keys(legs)) {
		where := legs[name].URL.String()
		q.out.Legs[name] = ExplainedLeg{Upstream: where, Headers: q.masked(legs[name].Header)}
		words = append(words, name+": "+where)
	}
	return q.pass("upstream", "composed of %s", strings.Join(words, ", "))
}

// legToken is what stands for a leg's token.
func (q *question) legToken(_ context.Context, t tokens.Token) (string, func(context.Context) (string, bool), error) {
	switch {
	case t.Method == tokens.Client:
		return ownToken, nil, nil
	case q.sess == nil:
		return "", nil, nil
	case t.Method == tokens.Session:
		return accessToken, nil, nil
	}
	return "[the user's token by " + t.Method + "]", nil, nil
}

// unforwarded is the end for a request that Forward would refuse.
func (q *question) unforwarded(step string, err error) bool {
	p, _ := upstreamProblem(err).(*edge.Problem)
	if p == nil {
		p = &edge.Problem{Code: "internal"}
	}
	refusal, ok := errors.AsType[*proxy.Refusal](err)
	if !ok {
		return q.refuse(step, p, "%v", err)
	}
	return q.refuse(step, p, "%s", described(refusal))
}

// described says what of a request is not as described.
func described(r *proxy.Refusal) string {
	switch {
	case len(r.Allow) > 0:
		return "the description has other methods of this path: " + strings.Join(r.Allow, ", ")
	case len(r.Faults) == 0:
		return "the description has nothing like it (" + r.Reason + ")"
	}
	var all []string
	for _, f := range r.Faults {
		where := "body " + f.Pointer
		if f.In != "" {
			where = strings.TrimSpace(f.In + " " + f.Name)
		}
		all = append(all, where+" "+f.Detail)
	}
	return strings.Join(all, "; ") + " (" + r.Reason + ")"
}
