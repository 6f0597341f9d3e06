package up

import (
	"bytes"
	"net"
	"net/http"
	"strings"
	"sync"
)

// net/http sorts headers and fixes their spelling; the tests ask for the bytes. So each connection
// keeps the last bytes that were read from it, and a request finds its own head in them.

// kept bounds what a connection remembers. A head is at most 16 KiB here.
const kept = 64 << 10

type rawKey struct{}

type rawListener struct{ net.Listener }

func (l rawListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &rawConn{Conn: c}, nil
}

type rawConn struct {
	net.Conn
	mu   sync.Mutex
	last []byte
}

func (c *rawConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = append(c.last, p[:n]...)
	if extra := len(c.last) - kept; extra > 0 {
		c.last = append(c.last[:0], c.last[extra:]...)
	}
	return n, err
}

// headers returns the header lines of r as they arrived.
func (c *rawConn) headers(r *http.Request) [][2]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := bytes.LastIndex(c.last, []byte(r.Method+" "+r.RequestURI+" HTTP/1."))
	if start < 0 {
		return nil
	}
	head, _, _ := bytes.Cut(c.last[start:], []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")[1:]
	headers := make([][2]string, 0, len(lines))
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		headers = append(headers, [2]string{name, strings.TrimSpace(value)})
	}
	return headers
}
