package static

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Validate reports what is wrong with c, key by key.
func (c Config) Validate(report func(key, problem string)) {
	if c.Dir != "" && c.DevServer != "" {
		report("dev_server", "and dir are both set; the app comes from one of them")
	}
	if c.DevServer != "" && !onLoopback(c.DevServer) {
		report("dev_server", fmt.Sprintf("%q is no server on this machine; write one such as http://localhost:5173, without a path", c.DevServer))
	}
	if strings.ContainsFunc(c.CSP, func(r rune) bool { return r < ' ' || r > '~' }) {
		report("csp", "has a character that no header may have; use printable ASCII")
	}
}

// onLoopback tells whether text is the URL of a server on this machine: a development server runs
// whatever it is asked to, and serves it under the app's own origin.
func onLoopback(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return false
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
