package edge

import "net/http"

// Middleware puts something in front of a handler.
type Middleware = func(http.Handler) http.Handler

// Chain puts m in front of h. A request meets the first entry first.
func Chain(h http.Handler, m ...Middleware) http.Handler {
	for i := len(m) - 1; i >= 0; i-- {
		h = m[i](h)
	}
	return h
}
