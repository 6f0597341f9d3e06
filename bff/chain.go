package bff

import (
	"net/http"
	"strings"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/web"
)

// chain is the whole pipeline, in the order in which a request meets it.
func (s *site) chain() http.Handler {
	return edge.Chain(s.routes(), // each route: who it is → cross-site check → rules and limits → access token → upstream
		edge.RequestID(),                       // first: every later record carries it
		edge.AccessLog(s.log, s.metrics.count), // outside Recover: a panic is logged as its 500
		edge.SecurityHeaders(s.origin),         // outside whatever may answer, so that every answer has them
		edge.WithPages(web.PageCSP(""), renderProblem),
		edge.Recover(),
		edge.CloseChunked(),      // a connection that may have framed a body in two ways is not used again
		edge.BodyTime(smallTime), // before whatever may answer without reading the body
		edge.Methods(),           // CONNECT has neither a host nor a path to look at
		edge.ClientIP(s.trusted), // before whatever is keyed by address, or refused with a record of who asked
		edge.Host(s.origin),      // nothing is answered under a foreign name
		edge.CanonicalPath(),     // before anything looks at the path
	)
}

// routes is the map of everything that is answered. Endpoints under own depend on the session and take requests of our own
// pages only; the others say in their file why they need no such proof.
func (s *site) routes() http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /bff/login", named("login", s.bounded(s.limiter.Login(), s.login)))
	m.Handle("GET /bff/callback", named("callback", s.bounded(s.limiter.Callback(), s.callback)))
	m.Handle("GET /bff/callback/{provider}", named("callback", s.bounded(s.limiter.Callback(), s.callback)))
	m.Handle("GET /bff/user", named("user", s.own(s.user)))
	m.Handle("GET /bff/events", named("events", s.own(s.events)))
	m.Handle("POST /bff/keepalive", named("keepalive", s.own(s.keepalive)))
	m.Handle("GET /bff/sessions", named("sessions", s.own(s.devices)))
	m.Handle("DELETE /bff/sessions", named("sessions", s.own(s.endOthers)))
	m.Handle("DELETE /bff/sessions/{id}", named("session", s.own(s.endDevice)))
	m.Handle("POST /bff/logout", named("logout", s.own(s.logout)))
	m.Handle("GET /bff/logout", named("logout", edge.Handler(s.logoutPage)))
	m.Handle("POST /bff/backchannel", named("backchannel", s.bounded(s.limiter.Backchannel(), s.backchannel)))
	m.Handle("GET /bff/frontchannel", named("frontchannel", edge.Handler(s.frontchannel)))
	m.Handle("GET /bff/problems/{code}", named("problems", edge.Explain()))
	if s.assertions != nil {
		m.Handle("GET /.well-known/jwks.json", named("jwks", edge.Handler(s.keySet)))
	}
	none := named("none", edge.Handler(func(w http.ResponseWriter, r *http.Request) error { return noEndpoint(m, w, r) }))
	m.Handle("HEAD /bff/callback", none) // GET would take it along, and it would spend the code
	m.Handle("HEAD /bff/events", none)   // or hold a stream open that nobody reads
	m.Handle("HEAD /bff/frontchannel", none)
	m.Handle(keySetPath, none)
	m.Handle("/bff/", none)
	m.Handle("/bff", none) // or ServeMux would answer with a redirect of its own, which caches keep
	app := edge.Handler(s.app)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !reserved(r.URL.Path) && (s.assertions == nil || r.URL.Path != keySetPath) {
			app.ServeHTTP(w, r)
			return
		}
		limitTime(w)
		m.ServeHTTP(w, r)
	})
}

// noEndpoint answers what is under /bff and is no endpoint, or not for this method.
func noEndpoint(m *http.ServeMux, w http.ResponseWriter, r *http.Request) error {
	if preflight(r) {
		return answerPreflight(w)
	}
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		switch _, pattern := m.Handler(probe); strings.SplitN(pattern, " ", 2)[0] {
		case http.MethodGet, http.MethodPost, http.MethodDelete:
			allow = append(allow, method)
		}
	}
	if allow != nil {
		return methodNotAllowed(allow)
	}
	return &edge.Problem{Code: "not_found"}
}

// named puts an endpoint's name into the request's record, where a route has its pattern.
func named(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edge.From(r.Context()).Route = "bff/" + name
		next.ServeHTTP(w, r)
	})
}

// smallTime is how long a client may take to send a small body, or to take a small answer. Proxied routes have their own bounds, and
// streams have none.
const smallTime = time.Minute

// limitTime bounds how long an answer of ours may take to leave.
func limitTime(w http.ResponseWriter) {
	// A connection that cannot have a deadline is a test's recorder.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(smallTime))
}
