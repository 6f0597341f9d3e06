package policy

import (
	"net/http"
	"net/netip"
	"time"
)

// Request is what is asked for.
type Request struct {
	// Route is the route's pattern, ID the request's ID.
	Route, ID string
	// HTTP is the request behind the edge: its path and query have one reading.
	HTTP *http.Request
	// Value is the part of a path that a name in the pattern stands for; nil: the pattern has no names. It is given the path, so that one function does for all requests.
	Value func(path, name string) (string, bool)
	// Client is the client's address, as far as trusted proxies tell.
	Client netip.Addr
	// Now is the time of the request.
	Now time.Time
}
