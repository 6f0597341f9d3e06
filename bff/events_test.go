package bff

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/configs"
	"cloakroom/session"
)

// newStreamHouse has an upstream with sockets, an event stream, and an answer that begins and takes its time.
func newStreamHouse(t testing.TB, change func(*configs.Config), wrap ...func(session.Store) session.Store) *house {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/socket":
			if c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}); err == nil {
				defer c.CloseNow()
				c.Read(context.Background())
			}
			return
		case "/api/events":
			w.Header().Set("Content-Type", "text/event-stream")
		}
		io.WriteString(w, "data: first\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(upstream.Close)
	h := newHouseUnready(t, func(c *configs.Config) {
		c.Routes[0].Upstream = upstream.URL
		if change != nil {
			change(c)
		}
	}, wrap...)
	h.eventually("ready", func() bool { return h.get(h.admin+"/readyz").StatusCode == http.StatusOK })
	return h
}

// open is an answer that goes on.
type open struct {
	*http.Response
	lines *bufio.Scanner
}

// opens sends a script's request and does not wait for the answer's end.
func (b *browser) opens(path, accept string) *open {
	b.t.Helper()
	req, _ := http.NewRequest("GET", b.origin+path, nil)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Accept", accept)
	res, err := (&http.Client{Jar: b.jar}).Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { res.Body.Close() })
	return &open{res, bufio.NewScanner(res.Body)}
}

// next is the next event's name and data; nothing at the stream's end.
func (o *open) next() (name string, data map[string]any) {
	for o.lines.Scan() {
		line := o.lines.Text()
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		}
		if d, ok := strings.CutPrefix(line, "data: "); ok {
			json.Unmarshal([]byte(d), &data)
			return name, data
		}
	}
	return "", nil
}

// socket opens one, from our own origin.
func (b *browser) socket(path string) (*websocket.Conn, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(b.origin, "http")+path, &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {b.origin}, "Cookie": {ticketCookie + "=" + b.cookie(ticketCookie)}},
	})
	if err == nil {
		b.t.Cleanup(func() { c.CloseNow() })
	}
	return c, err
}

func TestStreamsEndWithTheirSession(t *testing.T) { // WS-06 SSE-01 RPL-04
	h := newStreamHouse(t, nil)
	b, other := h.browser(), h.browser()
	b.signIn("/bff/login")
	other.signIn("/bff/login")
	kept, err := other.socket("/api/socket")
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.socket("/api/socket")
	if err != nil {
		t.Fatal(err)
	}
	proxied, own, long := b.opens("/api/events", "text/event-stream"), b.opens("/bff/events", "text/event-stream"), b.opens("/api/long", "*/*")
	if name, _ := own.next(); name != "state" {
		t.Errorf("the first event is %q", name)
	}
	h.eventually("the answer counts as long", func() bool {
		return strings.Contains(h.metrics(), `cloakroom_streams_open{kind="answer"} 1`)
	})
	start := time.Now()
	b.fetch("POST", "/bff/logout")
	_, _, err = c.Read(t.Context())
	if websocket.CloseStatus(err) != 4401 {
		t.Errorf("the socket: %v", err)
	}
	if name, data := own.next(); name != "ended" || data["reason"] != "logout" {
		t.Errorf("the last event: %q %v", name, data)
	}
	if name, _ := own.next(); name != "" || own.lines.Err() != nil {
		t.Errorf("our own events go on with %q, or broke off: %v", name, own.lines.Err())
	}
	if _, err := io.ReadAll(proxied.Body); err == nil {
		t.Error("the proxied events look as if they were complete")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("the streams took %s", took)
	}
	if _, err := io.ReadAll(long.Body); err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("the long answer: %v after %s", err, time.Since(start))
	}
	h.eventually("all are counted", func() bool { return strings.Contains(h.metrics(), `cloakroom_streams_closed_total{reason="logout"} 4`) })
	if !strings.Contains(h.metrics(), `cloakroom_streams_open{kind="websocket"} 1`) {
		t.Error("the other session's socket is not open any more")
	}
	if h.browser().opens("/bff/events", "text/event-stream").StatusCode != 401 {
		t.Error("events without a session are not refused")
	}
	kept.CloseNow()
}

// metrics is what Prometheus would read.
func (h *house) metrics() string {
	b, _ := io.ReadAll(h.get(h.admin + "/metrics").Body)
	return string(b)
}

func TestEventsSayWhatTheUserEndpointSaysAndWarnBeforeTheEnd(t *testing.T) {
	h := newStreamHouse(t, func(c *configs.Config) { c.Session.IdleTimeout = 2500 * time.Millisecond })
	b := h.browser()
	b.signIn("/bff/login")
	e := b.opens("/bff/events", "text/event-stream")
	for name, want := range map[string]string{"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := e.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	name, state := e.next()
	if s, _ := state["session"].(map[string]any); name != "state" || state["sub"] == "" || s["id"] == "" || state["authenticated"] != true {
		t.Errorf("the first event: %q %v", name, state)
	}
	if name, data := e.next(); name != "expiring" || data["seconds"] != 0.0 { // half a second, rounded down
		t.Errorf("the second event: %q %v", name, data)
	}
	b.fetch("POST", "/bff/keepalive")
	if name, _ := e.next(); name != "state" {
		t.Errorf("after a keepalive: %q, want the new state", name)
	}
	if name, _ := e.next(); name != "expiring" {
		t.Errorf("when nobody uses it again: %q", name)
	}
	if name, data := e.next(); name != "ended" || data["reason"] != "idle_timeout" {
		t.Errorf("at the end: %q %v", name, data)
	}
}

func TestEventsAreForOurOwnPages(t *testing.T) {
	h := newStreamHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	for name, headers := range map[string][]string{"another site": {"Sec-Fetch-Site", "cross-site"}, "nobody knows": {"Accept", "text/event-stream"}} {
		if res := b.do("GET", "/bff/events", nil, headers...); res.StatusCode != 403 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	if res := b.do("HEAD", "/bff/events", nil, "Sec-Fetch-Site", "same-origin"); res.StatusCode != 405 {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
}

func TestTheThirtyThirdStreamIsRefused(t *testing.T) { // WS-07
	h := newStreamHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	for range 16 {
		if _, err := b.socket("/api/socket"); err != nil {
			t.Fatal(err)
		}
		b.opens("/bff/events", "text/event-stream")
	}
	for _, path := range []string{"/bff/events", "/api/events"} {
		if res := b.opens(path, "text/event-stream"); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q", path, res.StatusCode, res.Header.Get("Retry-After"))
		}
	}
	if _, err := b.socket("/api/socket"); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("the socket: %v", err)
	}
}

// A stop says goodbye to sockets and to our own events, and waits for that; clients find another replica.
func TestAStopSaysGoodbye(t *testing.T) {
	h := newStreamHouse(t, func(c *configs.Config) { c.Server.ShutdownDelay = 0 })
	b := h.browser()
	b.signIn("/bff/login")
	c, err := b.socket("/api/socket")
	if err != nil {
		t.Fatal(err)
	}
	e := b.opens("/bff/events", "text/event-stream")
	e.next()
	closed := make(chan error, 1)
	go func() { _, _, err := c.Read(context.Background()); closed <- err }()
	start := time.Now()
	if err := h.stop(); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("the stop: %v after %s", err, time.Since(start))
	}
	var goodbye websocket.CloseError
	if err := <-closed; !errors.As(err, &goodbye) || goodbye.Code != websocket.StatusGoingAway {
		t.Errorf("the socket: %v", err)
	}
	if n := strings.Count(h.log.String(), `"ended":"drain"`); n != 2 {
		t.Errorf("%d records say that it was the stop, want 2", n)
	}
	if name, _ := e.next(); name != "" || e.lines.Err() != nil {
		t.Errorf("the events: %q, %v", name, e.lines.Err())
	}
}

// The access log says why a stream is over, and nothing of the kind about an ordinary answer.
func TestTheAccessLogSaysWhyAStreamIsOver(t *testing.T) { // SSE-01
	h := newStreamHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	for path, route := range map[string]string{"/bff/events": "bff/events", "/api/events": "/api/"} {
		o := b.opens(path, "text/event-stream")
		o.next()
		o.Body.Close()
		h.eventually(path+" is in the log", func() bool {
			for line := range strings.Lines(h.log.String()) {
				if strings.Contains(line, `"route":"`+route+`"`) && strings.Contains(line, `"ended":"client_gone"`) {
					return true
				}
			}
			return false
		})
	}
	if n := strings.Count(h.log.String(), `"ended"`); n != 2 {
		t.Errorf("%d records have an end, want the streams' 2", n)
	}
	if !strings.Contains(h.metrics(), `cloakroom_streams_closed_total{reason="client_gone"} 2`) {
		t.Error("they are not counted")
	}
}
