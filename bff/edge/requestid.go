package edge

import (
	"crypto/rand"
	"net/http"
)

// RequestID gives each request a [Record] with a random ID of 26 letters and digits, and answers with
// it as X-Request-Id. An ID that the client sends is ignored: it could be anything, or somebody else's.
func RequestID() Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := &scope{Context: r.Context()}
			s.record.ID = rand.Text()
			s.record.idValue[0] = s.record.ID
			w.Header()["X-Request-Id"] = s.record.idValue[:]
			next.ServeHTTP(w, r.WithContext(s))
		})
	}
}
