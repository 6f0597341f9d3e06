package bff

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"cloakroom/configs"
)

// impatientHouse waits for nobody for long.
func impatientHouse(t *testing.T) *house {
	return newHouse(t, func(c *configs.Config) {
		c.Server.ReadHeaderTimeout, c.Server.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
}

// dial opens a connection on which nothing is sent by itself.
func (h *house) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+strings.TrimPrefix(h.origin, "http://localhost:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second)) // a failure, not a wait: it is over long before
	return c
}

// PRX-42: a client that does not come to the end of its headers, or that says nothing more, keeps no connection.
func TestAClientThatSaysNothingIsCutOff(t *testing.T) {
	h := impatientHouse(t)
	for name, begin := range map[string]string{
		"nothing at all":      "",
		"a line":              "GET /public/x HTTP/1.1\r\n",
		"headers without end": "GET /public/x HTTP/1.1\r\nHost: " + h.server.origin.Host + "\r\nX-A: a\r\n",
		"a whole request":     "GET /public/x HTTP/1.1\r\nHost: " + h.server.origin.Host + "\r\n\r\n",
	} {
		c := h.dial(t)
		io.WriteString(c, begin)
		answer, err := io.ReadAll(c)
		if err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: the connection stays open: %v", name, err)
		}
		if served := strings.Contains(string(answer), " 200 "); served != (name == "a whole request") {
			t.Errorf("%s: %.100s", name, answer)
		}
	}
	if n := h.upstream.count(); n != 1 {
		t.Errorf("%d requests reached the upstream, want 1", n)
	}
}

// PRX-42: headers are dripped no longer than read_header_timeout, whatever comes.
func TestAClientThatDripsHeadersIsCutOff(t *testing.T) {
	h := impatientHouse(t)
	c := h.dial(t)
	io.WriteString(c, "GET /public/x HTTP/1.1\r\n")
	gone := make(chan struct{})
	go func() { defer close(gone); io.Copy(io.Discard, c) }()
	for i := 0; ; i++ {
		select {
		case <-gone:
			if h.upstream.count() > 0 {
				t.Error("the request reached the upstream")
			}
			return
		case <-time.After(20 * time.Millisecond): // as fast as a header needs to be to seem alive
			fmt.Fprintf(c, "X-%d: a\r\n", i)
		}
	}
}

// CK-05: many small headers are too many as one long one is.
func TestManyHeadersAreTooMany(t *testing.T) {
	h := newHouse(t, nil)
	for name, headers := range map[string]string{
		"many":         strings.Repeat("A:b\r\n", 5000),
		"one long":     "A: " + strings.Repeat("b", 25_000) + "\r\n",
		"many cookies": "Cookie: " + strings.Repeat("a=b; ", 5000) + "c=d\r\n",
	} {
		if got := h.raw("GET /public/x HTTP/1.1\r\nHost: " + h.server.origin.Host + "\r\n" + headers + "\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
			t.Errorf("%s: %.80s", name, got)
		}
	}
	if n := h.upstream.count(); n > 0 {
		t.Errorf("%d requests reached the upstream", n)
	}
}
