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
	// Value is the part of the path that a name in the pattern stands for; nil: the pattern has no names.
	Value func(name string) (string, bool)
	// Client is the client's address, as far as trusted proxies tell.
	Client netip.Addr
	// Now is the time of the request.
	Now time.Time
}
