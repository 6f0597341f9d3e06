package bff

import (
	"net"
	"net/http"
	"sync/atomic"
)

// connections bounds those of clients: each costs memory and a file descriptor, whether a request ever comes on it or not, and the descriptors that clients
// take are missing for Redis and the upstreams. One that is too many is closed at once; what is open goes on. Sockets are streams and have a bound of their own.
type connections struct {
	most    int64
	open    atomic.Int64
	refused func() // counts
}

// watch is what net/http calls when the state of a connection changes. A new one that is closed here is reported closed, too.
func (c *connections) watch(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if c.open.Add(1) > c.most {
			c.refused()
			conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}
