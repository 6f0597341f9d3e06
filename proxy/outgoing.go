package proxy

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"cloakroom/proxy/tokens"
)

// Caller is whom a request is forwarded for, as the chain before has found out.
type Caller struct {
	// Bearer is the access token that the upstream gets; empty: none.
	Bearer string
	// Renew gets a newer token after the upstream refused Bearer with 401. It is called at most once a request, and only where
	// the request can be sent again: without a body, or with a small one of known length; of a composed answer once for each leg, at the same time perhaps. nil: the 401 stands.
	Renew func(ctx context.Context) (bearer string, ok bool)
	// Challenged is asked about the WWW-Authenticate of an upstream's 401, before a newer token is tried. A non-nil error is answered in place of the 401. nil: the 401 stands.
	Challenged func(challenges []string) error
	// User is whom the request is for, as far as the route's own headers say it. The zero User is nobody.
	User User
	// Assertion is the signed one about the user, where the route wants one; empty: none.
	Assertion string
	// TokenFor gets the token of a leg of a composed answer, and how a newer one is had; it is called from several goroutines. Empty: none. An error that wraps ErrEnded ends the whole
	// answer. nil: legs get Bearer, or fail where they want another.
	TokenFor func(ctx context.Context, t tokens.Token) (bearer string, renew func(context.Context) (string, bool), err error)
	// Track is told of streams, and may end them, see [Tracker]. nil: nobody ends them.
	Track Tracker
	// Shown is what the user may see of the session, of the values that encoding/json makes: $user in shapes. nil: nobody is signed in.
	Shown func() any
	// ClientIP is the address of the client; the zero Addr if unknown.
	ClientIP netip.Addr
	// Proto and Host are our public origin: https and app.example.com, with its port if it is not the scheme's own.
	Proto, Host string
	// RequestID names the request in every log.
	RequestID string
}

// ours is how many headers addOurs may add, and usually how many more there are than the client's: seven come, its cookie goes.
const (
	ours    = 11
	usually = 6
)

// outgoing makes the upstream's headers: what may cross of the client's, and ours.
func (x *exchange) outgoing() http.Header {
	in := x.in.Header
	h := make(http.Header, len(in)+usually)
	for name, values := range in {
		if !requestRule.refuses(name) && !x.route.headers.drops(name) {
			h[name] = values // shared: nobody writes into a value
		}
	}
	if x.route.responses != nil {
		for _, name := range []string{"Accept-Encoding", "Range", "If-Range"} { // neither a compressed answer nor a part of one can be checked
			delete(h, name)
		}
	}
	dropNamed(h, in["Connection"]) // before ours are there, so that a client cannot name what is added here (V-03)
	x.addPersonal(h)
	x.addOurs(h) // last: nothing that a route says takes their place
	return h
}

// sendOnce keeps net/http from sending a request again because of a header: it takes one with an idempotency key for leave to repeat a POST that a server
// may have seen, when the connection breaks. It finds those headers by exactly these names, and servers by any case of letters.
// It is for the very last: whoever looks for a header afterwards would miss these.
func sendOnce(h http.Header) {
	for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := h[name]; ok {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
}

// dropNamed takes out what Connection names: it is between two neighbours only (RFC 9110, section 7.6.1).
func dropNamed(h http.Header, connection []string) {
	for _, line := range connection {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
}

// addOurs adds the bearer, who the client is, and which way the request came.
func (x *exchange) addOurs(h http.Header) {
	set := func(name, value string) { // one array for all, where http.Header.Set makes a slice for each
		x.values[x.used] = value
		h[name] = x.values[x.used : x.used+1 : x.used+1]
		x.used++
	}
	c, in := &x.caller, x.in.Header
	if c.Bearer != "" {
		set("Authorization", "Bearer "+c.Bearer)
	}
	client := ""
	if c.ClientIP.IsValid() {
		client = c.ClientIP.String()
		set("X-Forwarded-For", client)
	}
	set("X-Forwarded-Host", c.Host)
	set("X-Forwarded-Proto", c.Proto)
	set("Forwarded", forwarded(client, c.Host, c.Proto))
	if c.RequestID != "" {
		set("X-Request-Id", c.RequestID)
	}
	set("Via", appendVia(in["Via"], x.in.ProtoMajor, x.route.via))
	if left := in["Max-Forwards"]; len(left) > 0 && x.in.Method == http.MethodOptions { // elsewhere it means nothing
		if n, err := strconv.ParseUint(left[0], 10, 31); err == nil && n > 0 {
			set("Max-Forwards", strconv.FormatUint(n-1, 10))
		}
	}
	if x.grpc {
		set("Te", "trailers")
	}
	if x.upgrade {
		set("Connection", "Upgrade")
		set("Upgrade", webSocket)
	}
}

// forwarded is the Forwarded header (RFC 7239).
func forwarded(client, host, proto string) string {
	switch {
	case client == "":
		client = "unknown"
	case strings.Contains(client, ":"):
		client = `"[` + client + `]"`
	}
	if strings.ContainsAny(host, ":[") {
		host = `"` + host + `"`
	}
	return "for=" + client + ";host=" + host + ";proto=" + proto
}

// appendVia adds us to the way that a request came (RFC 9110, section 7.6.3).
func appendVia(before []string, major int, us string) string {
	hop := "1.1 " + us
	if major == 2 {
		hop = "2.0 " + us
	}
	if len(before) == 0 {
		return hop
	}
	return strings.Join(before, ", ") + ", " + hop
}

// cameThrough reports whether a request has been here before.
func cameThrough(via []string, us string) bool {
	for _, line := range via {
		for hop := range strings.SplitSeq(line, ",") {
			if slices.Contains(strings.Fields(hop), us) {
				return true
			}
		}
	}
	return false
}
