package proxy

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// address is where one server of an upstream is, as the configuration says.
type address struct {
	scheme, host string // host with port; of a socket "localhost", which its requests have in Host
	name         string // host without port, lower case
	port         string // also where it is the scheme's own
	socket       string // the path of a Unix socket, or ""
	base         string // "" or /v2
}

// unixScheme begins the URL of a Unix socket: unix:/run/orders.sock, with an optional base path behind a colon.
const unixScheme = "unix:"

// String is the address as logs and metrics have it: without its base path.
func (a address) String() string {
	if a.socket != "" {
		return unixScheme + a.socket
	}
	return a.scheme + "://" + a.host
}

// readAddress reads a server's URL. The second result says what is wrong with it, and is empty where nothing is.
func readAddress(text string) (address, string) {
	if rest, ok := strings.CutPrefix(text, unixScheme); ok {
		return readSocket(text, rest)
	}
	if problem := badURL(text); problem != "" {
		return address{}, problem
	}
	u, _ := url.Parse(text)
	base := strings.TrimSuffix(u.Path, "/")
	if base != "" && pathProblem(base) != "" {
		return address{}, fmt.Sprintf("%q: %s in its base path", text, pathProblem(base))
	}
	return address{scheme: u.Scheme, host: u.Host, name: strings.ToLower(u.Hostname()), port: port(u), base: base}, ""
}

// readSocket reads what is behind unix:.
func readSocket(text, rest string) (address, string) {
	socket, base, _ := strings.Cut(rest, ":")
	base = strings.TrimSuffix(base, "/")
	switch {
	case !strings.HasPrefix(socket, "/") || strings.HasSuffix(socket, "/"):
		return address{}, fmt.Sprintf("%q: a socket is an absolute path, such as unix:/run/orders.sock", text)
	case len(socket) > 100: // the kernel's limit is 108, some others' less
		return address{}, fmt.Sprintf("%q: the path of a socket has at most 100 bytes", text)
	case base != "" && (pathProblem(base) != "" || strings.ContainsAny(base, "?#%:")):
		return address{}, fmt.Sprintf("%q: the base path behind the second colon must be plain, such as unix:/run/orders.sock:/v2", text)
	}
	return address{scheme: "http", host: "localhost", name: "localhost", port: "80", socket: socket, base: base}, ""
}

// badURL says why text is no URL of an API server.
func badURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("%q is no upstream; write a URL such as http://orders:9001/v2", text)
	case u.User != nil:
		return "has a user name or password in it; upstreams get the user's own token"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return fmt.Sprintf("%q has a query or fragment; the request brings its own", text)
	case badPort(u):
		return fmt.Sprintf("%q: the port must be a number from 1 to 65535", text)
	case u.RawPath != "" || strings.Contains(u.Path, "//") || strings.Contains(u.Path+"/", "/./") || strings.Contains(u.Path+"/", "/../"):
		return fmt.Sprintf("%q has an empty, dotted or encoded segment in its path; write the plain path", text)
	}
	return ""
}

func badPort(u *url.URL) bool {
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return u.Port() != "" && (err != nil || n == 0) || strings.HasSuffix(u.Host, ":")
}
