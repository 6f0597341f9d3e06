package edge

import "net/http"

// CloseChunked closes a connection after a request with a chunked body over HTTP/1. RFC 9112, section 6.1,
// wants that where Content-Length was sent as well, because the two may be a smuggled second request; net/http drops
// the Content-Length and keeps the connection, and what it dropped cannot be seen any more. So every
// chunked upload costs its connection; browsers send none over HTTP/1.
func CloseChunked() Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
				w.Header().Set("Connection", "close")
			}
			next.ServeHTTP(w, r)
		})
	}
}
