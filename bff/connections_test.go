package bff

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"cloakroom/configs"
)

// PRX-42: connections on which nothing comes take no more than there is for them, and what was open before goes on.
func TestConnectionsHaveABound(t *testing.T) {
	h := newHouse(t, func(c *configs.Config) { c.Server.MaxConnections = 3 })
	answered := func(c net.Conn) bool {
		fmt.Fprintf(c, "GET /public/x HTTP/1.1\r\nHost: %s\r\n\r\n", h.server.origin.Host)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return false
		}
		io.Copy(io.Discard, res.Body)
		return res.StatusCode == http.StatusOK
	}
	first := h.dial(t)
	if !answered(first) {
		t.Fatal("the first connection was not served")
	}
	silent := h.dial(t)
	h.dial(t)
	h.eventually("three are open", func() bool { return h.server.clients.open.Load() == 3 })
	if answered(h.dial(t)) {
		t.Error("a fourth connection was served, and three are open")
	}
	if !answered(first) {
		t.Error("a connection that was open before is not served any more")
	}
	if metrics, _ := io.ReadAll(h.get(h.admin + "/metrics").Body); !strings.Contains(string(metrics), "\ncloakroom_connections_refused_total 1\n") {
		t.Error("the refusal was not counted")
	}
	silent.Close()
	h.eventually("a place is free again", func() bool { return h.server.clients.open.Load() < 3 })
	if !answered(h.dial(t)) {
		t.Error("a connection was not served, and there was room")
	}
}
