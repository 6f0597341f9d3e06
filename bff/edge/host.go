package edge

import (
	"cmp"
	"net/http"
)

// Host answers under o's name only; anything else gets 421 (Misdirected Request). So no Host header can
// lead to a link, a redirect or an upstream's header with a foreign name in it.
//
// A target in absolute form must name o too (RFC 9112, section 3.2.2). Behind this middleware every target is a
// path, and r.Host is o.Host.
func Host(o Origin) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if reason := Misdirected(o, r); reason != "" {
				From(r.Context()).Reason = reason
				Answer(w, r, &Problem{Code: "misdirected"})
				return
			}
			if r.URL.Host != "" {
				toOriginForm(r)
			}
			r.Host = o.Host
			delete(r.Header, "Host")
			next.ServeHTTP(w, r)
		})
	}
}

// Misdirected returns why r is not for o, or "".
func Misdirected(o Origin, r *http.Request) string {
	u := r.URL
	absolute := u.Host != "" || u.Scheme != "" || u.Opaque != ""
	switch {
	case absolute && (u.Scheme != o.Scheme || u.User != nil || u.Opaque != ""):
		return "foreign_target"
	case absolute && !o.serves(u.Host):
		return "foreign_target"
	case !o.serves(r.Host):
		return "foreign_host"
	case !o.serves(cmp.Or(r.Header.Get("Host"), o.Host)) || len(r.Header["Host"]) > 1:
		return "foreign_host" // of HTTP/2, beside :authority (RFC 9113, section 8.3.1)
	}
	return ""
}

// toOriginForm drops scheme and host from the target, which said nothing that Host does not say.
func toOriginForm(r *http.Request) {
	r.URL.Scheme, r.URL.Host = "", ""
	if r.URL.Path == "" {
		r.URL.Path = "/" // RFC 9110, section 4.2.3
	}
	r.RequestURI = r.URL.RequestURI()
}
