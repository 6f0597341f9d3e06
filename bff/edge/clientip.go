package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientIP sets Record.ClientIP. Headers count only where the connection comes from one of the trusted
// networks; without any, nobody is believed.
func ClientIP(trusted []netip.Prefix) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			From(r.Context()).ClientIP = Client(peer(r.RemoteAddr), r.Header, trusted)
			next.ServeHTTP(w, r)
		})
	}
}

// Client returns the address at the other end. A peer outside of trusted is the client. Behind a trusted one the
// answer is the rightmost address of X-Forwarded-For, or Forwarded (RFC 7239), that is not itself trusted: every
// hop appends on the right, so all to the left of it is what the client says of itself.
//
// Where a header is malformed, or both are there and differ, the answer is the peer: a proxy that writes one of
// them passes the other on as the client sent it, and the client must not choose its own address.
func Client(peer netip.Addr, h http.Header, trusted []netip.Prefix) netip.Addr {
	if !contains(trusted, peer) {
		return peer
	}
	xff, forwarded := h["X-Forwarded-For"], h["Forwarded"]
	switch {
	case len(xff) > 0 && len(forwarded) > 0:
		a, okA := rightmost(peer, xff, trusted, addrOfXFF)
		b, okB := rightmost(peer, forwarded, trusted, addrOfForwarded)
		if okA && okB && a == b {
			return a
		}
	case len(xff) > 0:
		if a, ok := rightmost(peer, xff, trusted, addrOfXFF); ok {
			return a
		}
	case len(forwarded) > 0:
		if a, ok := rightmost(peer, forwarded, trusted, addrOfForwarded); ok {
			return a
		}
	}
	return peer
}

// rightmost walks over the elements of a header from the right, until one that is not trusted. If all are,
// the answer is the leftmost. It splits at every comma: neither an address nor anything else that belongs in these headers
// has one, so a quoted one makes its element malformed, as it should be.
func rightmost(peer netip.Addr, lines []string, trusted []netip.Prefix, addrOf func(string) (netip.Addr, bool)) (netip.Addr, bool) {
	last := peer
	for i := len(lines) - 1; i >= 0; i-- {
		line := lines[i]
		for more := true; more; {
			element := line
			if comma := strings.LastIndexByte(line, ','); comma >= 0 {
				line, element = line[:comma], line[comma+1:]
			} else {
				more = false
			}
			addr, ok := addrOf(strings.Trim(element, " \t"))
			if !ok {
				return netip.Addr{}, false
			}
			if last = addr; !contains(trusted, addr) {
				return addr, true
			}
		}
	}
	return last, true
}

// addrOfForwarded reads the `for` of one element of a Forwarded header.
func addrOfForwarded(element string) (netip.Addr, bool) {
	var node string
	for pair := range strings.SplitSeq(element, ";") {
		name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !ok {
			return netip.Addr{}, false
		}
		if !strings.EqualFold(name, "for") {
			continue
		}
		if node != "" { // twice: which one?
			return netip.Addr{}, false
		}
		node = value
	}
	if unquoted, ok := strings.CutPrefix(node, `"`); ok {
		if node, ok = strings.CutSuffix(unquoted, `"`); !ok {
			return netip.Addr{}, false
		}
		return addrOfXFF(node)
	}
	if strings.ContainsAny(node, "[]:") { // RFC 7239, section 6: IPv6 and ports are quoted
		return netip.Addr{}, false
	}
	return addrOfXFF(node)
}

// addrOfXFF reads an address with or without port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
// An address with a zone names a neighbour of the proxy, or is a way to have many names: refused.
func addrOfXFF(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		if ap, err := netip.ParseAddrPort(s); err == nil {
			addr = ap.Addr()
		} else if inner, ok := strings.CutPrefix(s, "["); ok {
			inner, ok = strings.CutSuffix(inner, "]")
			if addr, err = netip.ParseAddr(inner); err != nil || !ok || addr.Is4() {
				return netip.Addr{}, false
			}
		}
	}
	if !addr.IsValid() || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// peer is the connection's other end, in the form that prefixes contain; the zero Addr for a Unix socket.
func peer(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
