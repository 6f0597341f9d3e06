package configs

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/units"
)

// AdminOff is the admin_listen that turns the second listener off.
const AdminOff = "off"

// Validate reports what is wrong with the server's own keys.
func (s Server) Validate(report func(key, problem string)) {
	if problem := badAddress(s.Listen); problem != "" {
		report("listen", problem)
	}
	if problem := badPublicURL(s.PublicURL); problem != "" {
		report("public_url", problem)
	}
	s.validateAdmin(report)
	s.validateTLS(report)
	for i, network := range s.TrustedProxies {
		if problem := badNetwork(network); problem != "" {
			report(fmt.Sprintf("trusted_proxies[%d]", i), problem)
		}
	}
	if s.InsecureLocalhostCookies && !loopbackHTTP(s.PublicURL) {
		report("insecure_localhost_cookies", "is for development on http://localhost alone, and public_url is something else; leave it out")
	}
	s.validateLimits(report)
}

func (s Server) validateLimits(report func(key, problem string)) {
	between := func(key string, d, least, most time.Duration) {
		if d < least || d > most {
			report(key, fmt.Sprintf("%v is not between %v and %v", d, least, most))
		}
	}
	between("shutdown_delay", s.ShutdownDelay, 0, 5*time.Minute)
	between("shutdown_grace", s.ShutdownGrace, 0, 10*time.Minute)
	between("read_header_timeout", s.ReadHeaderTimeout, time.Second, time.Minute)
	between("idle_timeout", s.IdleTimeout, time.Second, time.Hour)
	if s.MaxConnections < 16 || s.MaxConnections > 1_000_000 {
		report("max_connections", fmt.Sprintf("%d is not between 16 and 1000000", s.MaxConnections))
	}
	if s.MaxHeader < 4*units.KiB || s.MaxHeader > units.MiB {
		report("max_header", fmt.Sprintf("%v is not between 4KiB and 1MiB", s.MaxHeader))
	}
}

// validateAdmin keeps the admin listener apart from the public one. An address that other machines
// reach is allowed, because Kubernetes probes and Prometheus come from there.
func (s Server) validateAdmin(report func(key, problem string)) {
	if s.AdminListen == AdminOff {
		return
	}
	if problem := badAddress(s.AdminListen); problem != "" {
		report("admin_listen", problem+", or off")
		return
	}
	if badAddress(s.Listen) == "" && overlap(s.Listen, s.AdminListen) {
		report("admin_listen", fmt.Sprintf("%q takes the port of listen (%s); the two must be apart", s.AdminListen, s.Listen))
	}
}

// badAddress says why addr is no address to listen on.
func badAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Sprintf("%q is no address; write host:port, or :port for every interface", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Sprintf("%q: the port must be a number from 0 to 65535", addr)
	}
	if strings.ContainsAny(host, " /\t") {
		return fmt.Sprintf("%q: the host must be a name or an IP address", addr)
	}
	return ""
}

// overlap tells whether two listeners would want the same port of the same interface.
func overlap(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	return portA == portB && portA != "0" && (hostA == hostB || wildcard(hostA) || wildcard(hostB))
}

func wildcard(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// badNetwork says why text is no network to trust.
func badNetwork(text string) string {
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return fmt.Sprintf("%q is no network; write one such as 10.0.0.0/8, or 10.0.0.1/32 for a single address", text)
	case network.Addr().Is4In6():
		return fmt.Sprintf("%q is an IPv4 network in IPv6 clothes; write it as IPv4", text)
	case network.Masked() != network:
		return fmt.Sprintf("%q has bits behind its length; write %s", text, network.Masked())
	case network.Bits() < 7: // fc00::/7 and 10.0.0.0/8 are the widest private networks
		return fmt.Sprintf("%q covers the internet, so anybody could name any client address; list your own proxies", text)
	}
	return ""
}

// badPublicURL says why text is not an origin as browsers write it: cookies, redirects and
// Origin headers are compared with it character by character.
func badPublicURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("%q is no web origin; write one such as https://app.example.com", text)
	case u.User != nil:
		return "has a user name or password in it; write scheme and host alone"
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.HasSuffix(text, "#"):
		return fmt.Sprintf("%q has more than scheme, host and port; write %s://%s", text, u.Scheme, u.Host)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Sprintf("%q is plain http, which others on the way can read and change; write https://%s (http is for localhost alone)", text, u.Host)
	}
	return badOrigin(text, u)
}

func badOrigin(text string, u *url.URL) string {
	host := u.Hostname()
	switch {
	case strings.TrimSuffix(host, ".") != host || host == "":
		return fmt.Sprintf("%q: the host must be a name without a dot at its end", text)
	case strings.ContainsFunc(host, func(r rune) bool { return r > '~' || strings.ContainsRune(" _%*,;\"'<>\\^`{|}", r) }):
		return fmt.Sprintf("%q: the host must be letters, digits, dots and dashes; international names in their xn-- form", text)
	case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		return fmt.Sprintf("%q: browsers leave the default port out; write %s://%s", text, u.Scheme, strings.TrimSuffix(u.Host, ":"+u.Port()))
	case strings.HasSuffix(u.Host, ":"):
		return fmt.Sprintf("%q ends in a colon; write the port, or leave the colon out", text)
	case text != strings.ToLower(text):
		return fmt.Sprintf("%q has capitals; write it as browsers do, %s", text, strings.ToLower(text))
	}
	if port := u.Port(); port != "" {
		return badPort(text, port)
	}
	return ""
}

func badPort(text, port string) string {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fmt.Sprintf("%q: the port must be a number from 1 to 65535", text)
	}
	return ""
}

// loopback tells whether browsers take host for this machine and therefore trust plain http there
// (W3C Secure Contexts, section 3.1).
func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func loopbackHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "http" && loopback(u.Hostname())
}
