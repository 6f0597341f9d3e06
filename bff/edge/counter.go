package edge

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// counter is a ResponseWriter that counts and does nothing else. All that its inside can do
// (flush, hijack, send a file, deadlines) is still there.
type counter struct {
	http.ResponseWriter
	status   int // 0 until the status was sent
	bytes    int64
	hijacked bool
}

// WriteHeader notes the final status. 1xx answers come before it and are not it, but for 101.
func (c *counter) WriteHeader(status int) {
	if c.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(p []byte) (int, error) {
	c.implied()
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// WriteString spares io.WriteString a copy.
func (c *counter) WriteString(s string) (int, error) {
	c.implied()
	n, err := io.WriteString(c.ResponseWriter, s)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom keeps sendfile possible.
func (c *counter) ReadFrom(src io.Reader) (int64, error) {
	c.implied()
	var n int64
	var err error
	if to, ok := c.ResponseWriter.(io.ReaderFrom); ok {
		n, err = to.ReadFrom(src)
	} else {
		n, err = io.Copy(struct{ io.Writer }{c.ResponseWriter}, src) // without c's ReadFrom, or it would call itself
	}
	c.bytes += n
	return n, err
}

// FlushError is what [http.ResponseController] calls.
func (c *counter) FlushError() error {
	c.implied()
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// Flush is for those who still ask for an [http.Flusher].
func (c *counter) Flush() { _ = c.FlushError() } // a Flusher has no way to say it; the next write fails too

// Hijack hands the connection over. What is sent on it from then on is not counted.
func (c *counter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(c.ResponseWriter).Hijack()
	if err == nil {
		c.hijacked = true
		if c.status == 0 {
			c.status = http.StatusSwitchingProtocols
		}
	}
	return conn, rw, err
}

// Unwrap is for [http.ResponseController].
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// implied notes the 200 of a body without WriteHeader.
func (c *counter) implied() {
	if c.status == 0 {
		c.status = http.StatusOK
	}
}
