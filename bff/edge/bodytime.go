package edge

import (
	"net/http"
	"time"
)

// BodyTime gives a request's body that long to arrive. What a handler leaves of a body net/http reads before it sends the
// answer, for ever if nobody sets an end: a client that announces a body and sends none would keep its connection, whoever it is (PRX-42).
//
// A handler that takes long bodies moves the deadline on as it reads, with [http.ResponseController], and takes it away at the end. A request without
// a body has none: it would look as if a client that waits for its answer had hung up.
func BodyTime(d time.Duration) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength != 0 {
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(d)) // a test's recorder has no connection
			}
			next.ServeHTTP(w, r)
		})
	}
}
