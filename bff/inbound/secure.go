package inbound

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// fromProxy reports whether the connection comes from a trusted proxy, whose headers are believed.
func (in *Inbound) fromProxy(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	peer := at.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(in.deps.Trusted, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// overTLS reports whether nobody on the way could read the request: it came to us over TLS, or to a trusted proxy in front of us. That one is believed to have
// got it so if public_url is https and it does not say otherwise. A proxy that is not among trusted_proxies is not known to be one.
func (in *Inbound) overTLS(r *http.Request) bool {
	switch {
	case in.fromProxy(r):
		return in.deps.HTTPS && saidHTTPS(r.Header)
	default:
		return r.TLS != nil
	}
}

// saidHTTPS reports whether nothing in the headers of proxies says that some part of the way was another than https.
func saidHTTPS(h http.Header) bool {
	for _, line := range h["X-Forwarded-Proto"] {
		for proto := range strings.SplitSeq(line, ",") {
			if !strings.EqualFold(strings.TrimSpace(proto), "https") {
				return false
			}
		}
	}
	for _, line := range h["Forwarded"] {
		for pair := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.EqualFold(name, "proto") && !strings.EqualFold(strings.Trim(value, `"`), "https") {
				return false
			}
		}
	}
	return true
}
