package bff

import (
	"net/http"

	"cloakroom/bff/edge"
)

// preflight reports whether r is a browser asking for another origin's sake (Fetch, "CORS-preflight request").
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight answers what a browser asks before another origin's request: by the route that the announced request would take, from the configuration alone.
func (s *site) preflight(w http.ResponseWriter, r *http.Request) error {
	route, _ := s.table.Match(announced(r))
	if route == nil {
		return answerPreflight(w)
	}
	rec := edge.From(r.Context())
	rec.Route = route.Config.Path
	rec.Reason = route.Preflight(w.Header(), r)
	return answerPreflight(w)
}

// announced is the request for which a preflight asks.
func announced(r *http.Request) *http.Request {
	return &http.Request{Method: r.Header.Get("Access-Control-Request-Method"), URL: r.URL, Host: r.Host}
}

// answerPreflight ends it. Where nothing was put into the headers, nothing is allowed: no session, no upstream, no Access-Control header.
func answerPreflight(w http.ResponseWriter) error {
	noStore(w)
	w.Header().Add("Vary", "Origin")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
