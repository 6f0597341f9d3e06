package proxy

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// How long a socket that is ended may take: first to finish the frame that its upstream is sending, then, in all, to say goodbye. Whoever
// is not done by then is cut off.
const (
	lastFrame = 300 * time.Millisecond
	goodbye   = 700 * time.Millisecond
)

// socket is an upgraded connection to the upstream as ReverseProxy copies from it and to it. It knows where frames end, so that it
// can end between two of them with a close frame of ours.
type socket struct {
	upstream io.ReadWriteCloser
	client   net.Conn // set when it is taken over from the server, before anything is copied

	mu       sync.Mutex // guards all below; not held while reading or writing
	down, up frames     // from the upstream, and to it
	ending   *Ending
	timer    *time.Timer // cuts the upstream off
	last     []byte      // what is left to say to the client, once said is true
	said     bool
	how      Over // which side was done first; empty while neither is
}

// done notes which side is, if it is the first. The caller has the lock.
func (s *socket) done(by Over) { s.how = cmp.Or(s.how, by) }

// overBy is which side was done first.
func (s *socket) overBy() Over {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.how, OverClient)
}

// end makes the socket say goodbye at the next end of a frame. A second ending counts only if it is stronger, and not said yet.
func (s *socket) end(e Ending) {
	if s.begin(e) {
		s.upstream.Close() // wakes Read. Over TLS it may take seconds, so without the lock
	}
}

// begin notes the end, and reports whether it need not wait for a frame.
func (s *socket) begin(e Ending) (now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		if !s.said && e.Code >= 4000 && s.ending.Code < 4000 {
			s.ending = &e
		}
		return false
	}
	s.ending = &e
	if s.client != nil {
		s.client.SetDeadline(time.Now().Add(goodbye))
	}
	if s.down.between() {
		return true
	}
	s.timer = time.AfterFunc(lastFrame, func() { s.upstream.Close() })
	return false
}

// Read hands on what the upstream sends: whole frames, once the socket is ended, then the close frame, and nothing more.
func (s *socket) Read(p []byte) (int, error) {
	if n, over := s.goodbye(p); over {
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	n, err := s.upstream.Read(p)
	s.mu.Lock()
	if s.ending == nil {
		s.down.follow(p[:n])
		switch {
		case err != nil && err != io.EOF:
			s.done(OverFailed)
		case err != nil || s.down.closed:
			s.done(OverUpstream)
		}
		s.mu.Unlock()
		return n, err
	}
	n = s.down.cut(p[:n])
	between := s.down.between()
	s.mu.Unlock()
	if between {
		err = nil // goodbye comes next
	}
	return n, err
}

// goodbye writes what is left of the close frame, where the socket is ended and between two frames.
func (s *socket) goodbye(p []byte) (n int, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending == nil || !s.down.between() {
		return 0, false
	}
	if !s.said {
		s.said = true
		if !s.down.closed { // the upstream's own was first, and it is the last word
			s.last = closeFrame(s.ending.Code, s.ending.Reason)
		}
	}
	n = copy(p, s.last)
	s.last = s.last[n:]
	return n, true
}

var errGoodbye = errors.New("the client said goodbye, too")

// Write hands on what the client sends. After the end nobody hears it any more, but it is read, up to the client's close frame: a connection that is
// closed with something unread is reset, and the client may lose what it was sent last.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.up.follow(p)
	if s.up.closed {
		s.done(OverClient)
	}
	ending, answered := s.ending != nil, s.said && s.up.closed
	s.mu.Unlock()
	switch {
	case answered:
		return 0, errGoodbye
	case ending:
		return len(p), nil
	}
	n, err := s.upstream.Write(p)
	if err != nil && s.isEnding() {
		return len(p), nil
	}
	return n, err
}

func (s *socket) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending != nil
}

// Close is the exchange's end.
func (s *socket) Close() error {
	s.mu.Lock()
	s.done(OverClient)
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	return s.upstream.Close()
}

// CloseWrite passes on that the client will send no more.
func (s *socket) CloseWrite() error {
	s.mu.Lock()
	s.done(OverClient)
	s.mu.Unlock()
	if c, ok := s.upstream.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return s.upstream.Close()
}

// take has the client's connection, from when on it has no deadline but ours.
func (s *socket) take(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = c
	if s.ending != nil {
		c.SetDeadline(time.Now().Add(goodbye))
	}
}

// hijacker notes the client's connection when ReverseProxy takes it over. Only requests for an upgrade are wrapped.
type hijacker struct {
	http.ResponseWriter
	x *exchange
}

// Hijack hands the connection over.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := h.x.client.Hijack()
	if err == nil {
		h.x.socket.take(conn)
	}
	return conn, rw, err
}

// Unwrap is for [http.ResponseController].
func (h hijacker) Unwrap() http.ResponseWriter { return h.ResponseWriter }
