package edge

import "net/http"

// Methods refuses TRACE and CONNECT. TRACE makes a server send a request's headers back, the bearer
// included once it is on (PRX-13); CONNECT asks for a tunnel. No route can take either.
func Methods() Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if Unanswerable(r.Method) {
				Answer(w, r, &Problem{
					Code:   "method_not_allowed",
					Header: http.Header{"Allow": {"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}},
				})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Unanswerable reports whether nobody here takes a method.
func Unanswerable(method string) bool {
	return method == http.MethodTrace || method == http.MethodConnect
}
