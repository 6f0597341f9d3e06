package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// An upstream that refuses a body by its length does not wait for it, and a client that waits for the answer sends no more.
func TestAnAnswerComesBeforeTheBodyHasEnded(t *testing.T) {
	for _, framing := range []string{"Content-Length: 1000000\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", "Content-Length: 20\r\n\r\nsome"} {
		t.Run(framing[:17], func(t *testing.T) {
			up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				http.NewResponseController(w).EnableFullDuplex()
				w.Header().Set("Connection", "close")
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				io.WriteString(w, "no")
				http.NewResponseController(w).Flush()
			})
			g := newGateway(t, up, func(c *Config, _ *Caller) { c.Idle = 3 * time.Second })
			c, err := net.Dial("tcp", g.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			start := time.Now()
			fmt.Fprintf(c, "POST /x HTTP/1.1\r\nHost: app\r\n%s", framing)
			c.SetReadDeadline(start.Add(2 * time.Second))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
			if b := make([]byte, 2); res.StatusCode != 413 {
				t.Errorf("status %d", res.StatusCode)
			} else if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != "no" {
				t.Errorf("body %q, %v", b, err)
			}
		})
	}
}

// What the client sends behind a body that nobody read must not be taken for its next request.
func TestWhatIsLeftOfABodyIsNoRequest(t *testing.T) { // PRX-03
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("X-Path", r.URL.Path)
		w.WriteHeader(http.StatusUnauthorized)
	})
	g := newGateway(t, up, func(c *Config, _ *Caller) { c.Idle = 300 * time.Millisecond })
	const inner = "GET /smuggled HTTP/1.1\r\nHost: app\r\n\r\n"
	for _, head := range []string{
		fmt.Sprintf("Content-Length: %d\r\n\r\n", len(inner)),
		"Content-Length: 1000000\r\n\r\n",
		fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", len(inner)),
	} {
		if answer, _ := raw(t, g.URL, "POST /x HTTP/1.1\r\nHost: app\r\n"+head+inner); strings.Contains(answer, "/smuggled") || strings.Count(answer, "HTTP/1.1") != 1 {
			t.Errorf("%q: %q", head, answer)
		}
	}
}

// deadlines is a client's connection that counts how often its read deadline is set.
type deadlines struct {
	*httptest.ResponseRecorder
	set atomic.Int64
}

func (d *deadlines) SetReadDeadline(time.Time) error { d.set.Add(1); return nil }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
func (roundTrip) CloseIdleConnections()                               {}

// slowBody is a body whose first read tells that it has begun, and ends when it is told how.
type slowBody struct {
	begun chan struct{}
	end   chan error
}

func (b slowBody) Read(p []byte) (int, error) { close(b.begun); return 0, <-b.end }

// The transport may be in the middle of a read when the answer is complete. By then the client's connection is somebody else's.
func TestABodyTouchesNothingAfterItsRequest(t *testing.T) {
	for name, end := range map[string]error{"the body ends": io.EOF, "the body breaks": io.ErrUnexpectedEOF} {
		t.Run(name, func(t *testing.T) {
			c := conf("/")
			c.Upstream = "http://upstream.test"
			table, err := Compile([]Config{c}, nil, Deps{OnError: func(http.ResponseWriter, *http.Request, error) {}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			body := slowBody{make(chan struct{}), make(chan error, 1)}
			late := make(chan error)
			table.routes[0].up.servers[0].current.Store(&pools{requests: roundTrip(func(r *http.Request) (*http.Response, error) {
				go func() { _, err := r.Body.Read(make([]byte, 1)); late <- err }()
				<-body.begun
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			})})
			w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			table.routes[0].Forward(w, httptest.NewRequest("POST", "/x", body), Caller{})
			before := w.set.Load()
			body.end <- end
			if err := <-late; err == nil {
				t.Error("the late read was taken for a good one")
			}
			if after := w.set.Load(); after != before || before == 0 {
				t.Errorf("the read deadline was set %d times during the request, %d times after", before, after-before)
			}
		})
	}
}
