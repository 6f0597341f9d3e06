package bff

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/configs"
)

// PRX-42: connections on which nothing comes take no more than there is for them, and what was open before goes on.
func TestConnectionsHaveABound(t *testing.T) {
	h := newHouse(t, func(c *configs.Config) { c.Server.MaxConnections = 3 })
	dial := func() net.Conn {
		c, err := net.Dial("tcp", "127.0.0.1:"+strings.TrimPrefix(h.origin, "http://localhost:"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	answered := func(c net.Conn) bool {
		fmt.Fprintf(c, "GET /public/x HTTP/1.1\r\nHost: %s\r\n\r\n", h.server.origin.Host)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return false
		}
		io.Copy(io.Discard, res.Body)
		return res.StatusCode == http.StatusOK
	}
	first := dial()
	if !answered(first) {
		t.Fatal("the first connection was not served")
	}
	silent := dial()
	dial()
	h.eventually("three are open", func() bool { return h.server.clients.open.Load() == 3 })
	if answered(dial()) {
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
	if !answered(dial()) {
		t.Error("a connection was not served, and there was room")
	}
}
