package configs

import (
	"fmt"
	"net/netip"
	"net/url"
)

// validateTLS holds the certificate and the listener for plain HTTP against the rest of the server's keys.
func (s Server) validateTLS(report func(key, problem string)) {
	if s.TLS.Enabled() {
		s.validateTLSOrigin(report)
	}
	if s.HTTPListen == "" {
		return
	}
	problem := badAddress(s.HTTPListen)
	switch {
	case problem != "":
		report("http_listen", problem)
	case !s.TLS.Enabled():
		report("http_listen", "needs tls; without it listen itself speaks plain HTTP, and the proxy in front sends people to https")
	case badAddress(s.Listen) == "" && overlap(s.Listen, s.HTTPListen):
		report("http_listen", fmt.Sprintf("%q takes the port of listen (%s); the two must be apart", s.HTTPListen, s.Listen))
	case s.AdminListen != AdminOff && badAddress(s.AdminListen) == "" && overlap(s.AdminListen, s.HTTPListen):
		report("http_listen", fmt.Sprintf("%q takes the port of admin_listen (%s); the two must be apart", s.HTTPListen, s.AdminListen))
	}
}

func (s Server) validateTLSOrigin(report func(key, problem string)) {
	if badPublicURL(s.PublicURL) != "" {
		return // told already
	}
	u, err := url.Parse(s.PublicURL)
	if err != nil {
		return
	}
	if u.Scheme != "https" {
		report("public_url", fmt.Sprintf("%q is plain http, and the server speaks TLS; write https://%s", s.PublicURL, u.Host))
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil && s.TLS.ByACME() {
		report("tls.acme", fmt.Sprintf("gets certificates for names, and the host of public_url is the address %s", u.Hostname()))
	}
}
