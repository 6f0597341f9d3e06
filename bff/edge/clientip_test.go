package edge_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"cloakroom/bff/edge"
)

// PRX-40, PRX-41
func TestClientAddressIsNotTheClientsChoice(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	const proxy, outside = "10.0.0.1:999", "192.0.2.9:999"
	xff := func(v ...string) http.Header { return http.Header{"X-Forwarded-For": v} }
	fwd := func(v ...string) http.Header { return http.Header{"Forwarded": v} }
	for _, tt := range []struct {
		name    string
		remote  string
		trusted []netip.Prefix
		h       http.Header
		want    string
	}{
		{"no header", proxy, trusted, nil, "10.0.0.1"},
		{"nobody is trusted", proxy, nil, xff("198.51.100.7"), "10.0.0.1"},
		{"peer is not trusted", outside, trusted, xff("198.51.100.7"), "192.0.2.9"},
		{"peer is not trusted, other headers", outside, trusted, http.Header{"X-Real-Ip": {"1.1.1.1"}, "True-Client-Ip": {"1.1.1.1"}, "Forwarded": {"for=1.1.1.1"}}, "192.0.2.9"},
		{"one hop", proxy, trusted, xff("198.51.100.7"), "198.51.100.7"},
		{"other headers never count", proxy, trusted, http.Header{"X-Real-Ip": {"1.1.1.1"}, "Cf-Connecting-Ip": {"1.1.1.1"}}, "10.0.0.1"},
		{"what the client wrote is to the left", proxy, trusted, xff("1.1.1.1, 198.51.100.7"), "198.51.100.7"},
		{"trusted hops are skipped", proxy, trusted, xff("1.1.1.1, 198.51.100.7, 10.2.3.4,10.9.9.9"), "198.51.100.7"},
		{"lines count in their order", proxy, trusted, xff("1.1.1.1", "198.51.100.7", "10.2.3.4"), "198.51.100.7"},
		{"nonsense to the left does not matter", proxy, trusted, xff("nonsense, 198.51.100.7"), "198.51.100.7"},
		{"all trusted: the farthest", proxy, trusted, xff("10.7.7.7, 10.2.3.4"), "10.7.7.7"},
		{"nonsense", proxy, trusted, xff("nonsense"), "10.0.0.1"},
		{"nonsense behind a trusted hop", proxy, trusted, xff("unknown, 10.2.3.4"), "10.0.0.1"},
		{"empty", proxy, trusted, xff(""), "10.0.0.1"},
		{"empty element", proxy, trusted, xff("198.51.100.7,"), "10.0.0.1"},
		{"a port", proxy, trusted, xff("198.51.100.7:1234"), "198.51.100.7"},
		{"IPv6", proxy, trusted, xff("2001:db8::7"), "2001:db8::7"},
		{"IPv6 in brackets", proxy, trusted, xff("[2001:db8::7]"), "2001:db8::7"},
		{"IPv6 with a port", proxy, trusted, xff("[2001:db8::7]:443"), "2001:db8::7"},
		{"brackets not closed", proxy, trusted, xff("[2001:db8::7"), "10.0.0.1"},
		{"IPv4 in brackets", proxy, trusted, xff("[198.51.100.7]"), "10.0.0.1"},
		{"mapped IPv4 is IPv4", proxy, trusted, xff("::ffff:198.51.100.7"), "198.51.100.7"},
		{"mapped IPv4 is trusted like IPv4", "[::ffff:10.0.0.1]:9", trusted, xff("198.51.100.7, ::ffff:10.1.1.1"), "198.51.100.7"},
		{"a zone is a way to have many names", proxy, trusted, xff("fe80::1%eth7"), "10.0.0.1"},
		{"IPv6 peer", "[fd00::5]:9", trusted, xff("198.51.100.7"), "198.51.100.7"},
		{"Unix socket", "@", trusted, xff("198.51.100.7"), "invalid IP"},

		{"Forwarded", proxy, trusted, fwd(`for=198.51.100.7;proto=https;by=10.0.0.1`), "198.51.100.7"},
		{"Forwarded, capitals", proxy, trusted, fwd(`Proto=https; For="198.51.100.7:4711"`), "198.51.100.7"},
		{"Forwarded, IPv6", proxy, trusted, fwd(`for="[2001:db8::7]:4711"`), "2001:db8::7"},
		{"Forwarded, IPv6 without quotes", proxy, trusted, fwd(`for=[2001:db8::7]`), "10.0.0.1"},
		{"Forwarded, several", proxy, trusted, fwd(`for=1.1.1.1, for=198.51.100.7`, `for=10.3.3.3`), "198.51.100.7"},
		{"Forwarded, hidden", proxy, trusted, fwd(`for=_hidden`), "10.0.0.1"},
		{"Forwarded, unknown", proxy, trusted, fwd(`for=unknown`), "10.0.0.1"},
		{"Forwarded without for", proxy, trusted, fwd(`proto=https`), "10.0.0.1"},
		{"Forwarded, for twice", proxy, trusted, fwd(`for=1.1.1.1;for=198.51.100.7`), "10.0.0.1"},
		{"Forwarded, quote not closed", proxy, trusted, fwd(`for="198.51.100.7`), "10.0.0.1"},
		{"Forwarded, a comma in quotes", proxy, trusted, fwd(`for="1.1.1.1, for=198.51.100.7"`), "10.0.0.1"},
		{"both agree", proxy, trusted, http.Header{"X-Forwarded-For": {"198.51.100.7"}, "Forwarded": {"for=198.51.100.7"}}, "198.51.100.7"},
		{"both differ: one is the client's own", proxy, trusted, http.Header{"X-Forwarded-For": {"198.51.100.7"}, "Forwarded": {"for=1.1.1.1"}}, "10.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got netip.Addr
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.remote
			if tt.h != nil {
				r.Header = tt.h
			}
			edge.Chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = edge.From(r.Context()).ClientIP }),
				edge.RequestID(), edge.ClientIP(tt.trusted)).ServeHTTP(httptest.NewRecorder(), r)
			if got.String() != tt.want {
				t.Errorf("client of %s with %v = %s, want %s", tt.remote, tt.h, got, tt.want)
			}
		})
	}
}

// PRX-41
func TestClientCannotRotateItsAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	seen := map[netip.Addr]bool{}
	for i := range 1000 {
		claimed := fmt.Sprintf("203.0.113.%d", i%256)
		seen[edge.Client(netip.MustParseAddr("10.0.0.1"), http.Header{"X-Forwarded-For": {claimed + ", 198.51.100.7"}}, trusted)] = true
		seen[edge.Client(netip.MustParseAddr("198.51.100.7"), http.Header{"X-Forwarded-For": {claimed}}, trusted)] = true
	}
	if len(seen) != 1 {
		t.Errorf("one client has %d addresses: %v", len(seen), seen)
	}
}

// PRX-41: whatever a client writes in front of what the proxy appends, the answer is what the proxy appended, or the proxy.
func FuzzClient(f *testing.F) {
	f.Add("1.1.1.1", "")
	f.Add(`for="`, "10.1.1.1")
	f.Fuzz(func(t *testing.T, written, forwarded string) {
		peer, client := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.51.100.7")
		h := http.Header{"X-Forwarded-For": {written + ", 198.51.100.7"}}
		if forwarded != "" {
			h["Forwarded"] = []string{forwarded}
		}
		if got := edge.Client(peer, h, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); got != client && got != peer {
			t.Errorf("the client chose %s with %q and %q", got, written, forwarded)
		}
	})
}
