package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// gRPC, the rule: a call passes like any request, where both sides speak HTTP/2. What it needs besides is that the upstream hears that trailers are
// welcome (TE), and that the answer's trailers cross: without its status a call is not complete. Both are for gRPC's content type only, on the request and
// on the answer. Trailers obey the rule for headers, and those that would change what the answer means do not cross (RFC 9110, section 6.5.1).
//
// Deadlines are the call's own (grpc-timeout, a header like others); the route's `timeout` is until the first headers, and `idle` between messages.

const grpcType = "application/grpc"

// isGRPC reports whether a message is gRPC's. gRPC-Web and Connect are not meant: they have their trailers in the body.
func isGRPC(h http.Header) bool {
	t := h["Content-Type"]
	if len(t) != 1 || len(t[0]) < len(grpcType) || !strings.EqualFold(t[0][:len(grpcType)], grpcType) {
		return false
	}
	rest := t[0][len(grpcType):]
	return rest == "" || rest[0] == '+' || rest[0] == ';'
}

// trailers takes out of t what does not cross.
func (x *exchange) trailers(t http.Header) {
	for name := range t {
		if responseRule.refuses(name) || !httpguts.ValidTrailerHeader(name) {
			delete(t, name)
		}
	}
	x.dropCredentials(t)
}
