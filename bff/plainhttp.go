package bff

import (
	"net"
	"net/http"
	"net/url"

	"cloakroom/bff/edge"
	"cloakroom/web"
)

// PlainHandler answers on server.http_listen, where nothing is safe from others on the way. People who typed the name are sent to public_url. A script gets an error and no
// redirect, since it would go on to show what it sends to everybody, and nobody would notice (TLS-03).
func (s *Server) PlainHandler() http.Handler {
	here := edge.Origin{Scheme: "http", Host: hostname(s.origin)}
	return edge.Chain(s.certs.Challenges(edge.Handler(s.toTLS)),
		edge.RequestID(),
		edge.AccessLog(s.log, s.metrics.count),
		edge.SecurityHeaders(here), // without HSTS, which has no place here (RFC 6797, section 7.2)
		edge.WithPages(web.PageCSP(""), renderProblem),
		edge.Recover(),
		edge.CloseChunked(),
		edge.BodyTime(smallTime),
		edge.Methods(),
		s.clientIP,
		anyPort,         // public_url says nothing of the one here
		edge.Host(here), // nobody is sent on from a foreign name
		edge.CanonicalPath(),
	)
}

// toTLS sends a navigation to the same address over TLS. It is not remembered: caches know nothing of who came by which way.
func (s *Server) toTLS(w http.ResponseWriter, r *http.Request) error {
	edge.From(r.Context()).Route = "http"
	if !edge.Navigation(r) || len(r.Header["Authorization"]) > 0 {
		return &edge.Problem{Code: "https_required"}
	}
	noStore(w)
	w.Header().Set("Location", s.origin.String()+r.URL.RequestURI())
	w.WriteHeader(http.StatusPermanentRedirect)
	return nil
}

// clientIP is edge.ClientIP by the networks that the present configuration trusts.
func (s *Server) clientIP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edge.ClientIP(s.current.Load().trusted)(next).ServeHTTP(w, r)
	})
}

// anyPort takes the port off the Host header.
func anyPort(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		port := (&url.URL{Host: r.Host}).Port()
		if _, _, err := net.SplitHostPort(r.Host); err == nil && port != "" {
			r.Host = r.Host[:len(r.Host)-len(port)-1]
		}
		next.ServeHTTP(w, r)
	})
}

// hostname is an origin's host without its port.
func hostname(o edge.Origin) string {
	if host, _, err := net.SplitHostPort(o.Host); err == nil {
		return host
	}
	return o.Host
}
