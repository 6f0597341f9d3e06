package edge

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin is a scheme and a host as a browser writes them in an Origin header: lower case, and
// without the scheme's default port.
type Origin struct {
	Scheme string // http or https
	Host   string // with the port, unless it is the scheme's default
}

// String returns the origin as a browser writes it.
func (o Origin) String() string { return o.Scheme + "://" + o.Host }

// ParseOrigin reads a public URL: scheme, host and perhaps a port, nothing else.
func ParseOrigin(publicURL string) (Origin, error) {
	u, err := url.Parse(publicURL)
	if err != nil {
		// url.Error quotes its input, which the caller knows; only the cause is news.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return Origin{}, fmt.Errorf("public URL: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return Origin{}, errors.New("public URL: scheme must be https or http")
	case u.User != nil:
		return Origin{}, errors.New("public URL: must hold no user name or password")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return Origin{}, fmt.Errorf("public URL %q: must be scheme, host and port alone, without path, query or fragment", publicURL)
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return Origin{}, fmt.Errorf("public URL %q: %w", publicURL, err)
	}
	port, err := canonicalPort(u.Scheme, u.Port())
	if err != nil {
		return Origin{}, fmt.Errorf("public URL %q: %w", publicURL, err)
	}
	return Origin{Scheme: u.Scheme, Host: host + port}, nil
}

// canonicalHost writes a host as browsers do, or says why it cannot be one.
func canonicalHost(host string) (string, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "", errors.New("an address with a zone names no host for others")
		}
		if addr.Is6() {
			return "[" + addr.String() + "]", nil
		}
		return addr.String(), nil
	}
	host = strings.ToLower(host)
	if host == "" || len(host) > 253 {
		return "", errors.New("host must have between 1 and 253 characters")
	}
	for label := range strings.SplitSeq(host, ".") {
		if !isLabel(label) {
			return "", errors.New("host must be a DNS name of letters, digits and hyphens without a final dot (international names in their xn-- form)")
		}
	}
	return host, nil
}

// isLabel reports whether s may stand between the dots of a host name. The underscore is no letter
// of host names, but internal ones have it and browsers take it.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// canonicalPort returns ":port", or nothing for the scheme's default.
func canonicalPort(scheme, port string) (string, error) {
	if port == "" || ":"+port == defaultPort(scheme) {
		return "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", errors.New("port must be a number from 1 to 65535")
	}
	if p := ":" + strconv.FormatUint(n, 10); p != defaultPort(scheme) {
		return p, nil
	}
	return "", nil
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return ":443"
	}
	return ":80"
}

// serves reports whether a Host header names o: whatever its case, and with or without the default port.
func (o Origin) serves(host string) bool {
	if host == o.Host { // as every browser writes it
		return true
	}
	if strings.EqualFold(host, o.Host) {
		return true
	}
	bare, port := splitPort(host)
	return (port == ":" || port == defaultPort(o.Scheme)) && strings.EqualFold(bare, o.Host)
}

// splitPort cuts the port, with its colon, off a host. The colons inside of [::1] are no port's.
func splitPort(host string) (bare, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || i < strings.LastIndexByte(host, ']') {
		return host, ""
	}
	return host[:i], host[i:]
}

// isOrigin reports whether an Origin header's value is exactly o. Browsers write one form only, so
// there is nothing to normalise, and nothing to be tricked into normalising.
func (o Origin) isOrigin(value string) bool {
	rest, ok := strings.CutPrefix(value, o.Scheme)
	if !ok {
		return false
	}
	rest, ok = strings.CutPrefix(rest, "://")
	return ok && rest == o.Host && o.Host != ""
}
