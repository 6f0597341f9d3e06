package bff

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"cloakroom/configs"
)

// sink is a ResponseWriter that costs what its header map costs, and no more.
type sink struct {
	h      http.Header
	status int
}

func (s *sink) Header() http.Header              { return s.h }
func (s *sink) WriteHeader(status int)           { s.status = status }
func (s *sink) Write(p []byte) (int, error)      { return len(p), nil }
func (s *sink) SetReadDeadline(time.Time) error  { return nil }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// newStillUpstream answers each request with the same bytes and allocates nothing for it: what remains is what Cloakroom allocates.
func newStillUpstream(t testing.TB) (url string) {
	t.Helper()
	return newStillUpstreamOf(t, `{"ok":true}`)
}

func newStillUpstreamOf(t testing.TB, body string) (url string) {
	t.Helper()
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n%s", len(body), body)
	l := listen(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { answerAll(conn, []byte(answer)) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return "http://" + l.Addr().String()
}

// answerAll serves one connection until the other side closes it.
func answerAll(conn net.Conn, answer []byte) {
	defer conn.Close()
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 2 { // not yet the empty line that ends the headers
			continue
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// hotPath is one signed-in, proxied request from a trusted copy, past net/http's server: chain, session, route, transport.
func hotPath(t testing.TB, change func(*configs.Config)) (request func()) {
	t.Helper()
	h := newHouse(t, func(c *configs.Config) {
		if c.Routes[0].Upstream = newStillUpstream(t); change != nil {
			change(c)
		}
	})
	t.Cleanup(func() { h.server.current.Load().table.Close() }) // before the upstream waits for its connections
	br := h.browser()
	br.signIn("/bff/login")
	h.eventually("copies are trusted", h.server.sessions.CopiesTrusted)
	r := httptest.NewRequest("GET", "/api/orders/7?limit=5", nil).WithContext(t.Context())
	r.Host = h.server.origin.Host
	r.Header = http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"gzip, deflate, br, zstd"}, "Accept-Language": {"en-US,en;q=0.9"}, "Connection": {"keep-alive"},
		"Cookie": {ticketCookie + "=" + br.cookie(ticketCookie)}, "Referer": {h.origin + "/"}, "Sec-Ch-Ua": {`"Chromium";v="140"`}, "Sec-Ch-Ua-Mobile": {"?0"},
		"Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-origin"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}}
	handler := h.server.Handler()
	return func() {
		w := &sink{h: make(http.Header)}
		if handler.ServeHTTP(w, r); w.status != http.StatusOK {
			t.Fatalf("%d", w.status)
		}
	}
}

// A request's allocations are the part of its cost that can be counted exactly, whatever else the machine does. Who has a reason for more raises the
// number, and says why.
func TestTheHotPathAllocatesLittle(t *testing.T) {
	request := hotPath(t, nil)
	if n := testing.AllocsPerRun(500, request); n > hotPathAllocs {
		t.Errorf("%.0f allocations for each signed-in proxied request, want at most %d", n, hotPathAllocs)
	}
}

// BenchmarkHotPath is what hotPath costs, the transport's two goroutines included.
func BenchmarkHotPath(b *testing.B) {
	request := hotPath(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		request()
	}
}
