package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// stream opens an event stream as the app's page does.
func (s *story) stream(b *browse.Browser, path string) *bufio.Scanner {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx, "GET", b.Origin+path, nil)
	s.check(err)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := b.Send(req, false, false)
	s.check(err)
	s.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		s.Fatalf("%s: %d %s", path, res.StatusCode, res.Header.Get("Content-Type"))
	}
	return bufio.NewScanner(res.Body)
}

// socket opens a WebSocket on the nth replica.
func (s *story) socket(b *browse.Browser, n int) *websocket.Conn {
	s.Helper()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Replicas[n].Address)
	}
	transport := &http.Transport{DialContext: dial}
	s.Cleanup(transport.CloseIdleConnections)
	c, _, err := websocket.Dial(s.ctx, strings.Replace(s.PublicURL, "http", "ws", 1)+"/api/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport},
		HTTPHeader: http.Header{"Cookie": {browse.SessionCookie + "=" + b.Ticket()}, "Origin": {b.Origin}},
	})
	s.check(err)
	s.Cleanup(func() { c.CloseNow() })
	return c
}

// event reads up to the next event's data; empty at the stream's end.
func event(lines *bufio.Scanner) (name, data string) {
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			name = n
		}
		if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return name, d
		}
	}
	return name, ""
}

// WS-06, SSE-01, BCL-24: what is open on the second replica ends within a second of a sign-out on the first, and of the provider's logout.
func TestStreamsEndOnEveryReplica(t *testing.T) {
	s := onUsual(t)
	defer s.Upstream.Hold("sse").Release() // its second event never comes
	reasons := map[string]string{"sign-out": "logout", "back-channel": "backchannel"}
	for name, end := range map[string]func(b *browse.Browser, sub string){
		"sign-out": func(b *browse.Browser, _ string) { s.fetch(s.at(b, 0), "POST", "/bff/logout", 200) },
		"back-channel": func(_ *browse.Browser, sub string) {
			_, err := s.Provider.Logout(s.ctx, sub)
			s.check(err)
		},
	} {
		sub := "streams-" + name
		b := s.signedIn(sub)
		second := s.at(b, 1)
		c := s.socket(b, 1)
		proxied, own := s.stream(second, "/api/sse"), s.stream(second, "/bff/events")
		if _, data := event(proxied); data != "first" {
			t.Fatalf("%s: the proxied stream begins with %q", name, data)
		}
		if what, data := event(own); what != "state" || !strings.Contains(data, `"sub":"`+sub+`"`) {
			t.Fatalf("%s: our own stream begins with %s %s", name, what, data)
		}
		end(b, sub)
		start := time.Now()
		if _, _, err := c.Read(s.ctx); websocket.CloseStatus(err) != 4401 {
			t.Errorf("%s: the socket ended with %v", name, err)
		}
		if what, data := event(own); what != "ended" || data != `{"reason":"`+reasons[name]+`"}` {
			t.Errorf("%s: our own stream ends with %s %s", name, what, data)
		}
		if _, data := event(own); data != "" || own.Err() != nil {
			t.Errorf("%s: after the end: %q, %v", name, data, own.Err())
		}
		if _, data := event(proxied); data != "" || proxied.Err() == nil || proxied.Err() == io.EOF {
			t.Errorf("%s: the proxied stream did not break off: %q, %v", name, data, proxied.Err())
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: it took %s", name, took)
		}
	}
}

// Roles that a refresh brought, on any replica, show in the events.
func TestEventsShowOtherRoles(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, TTL: map[string]int{"AccessToken": accessTTL}})
	b := s.signedIn("user")
	own := s.stream(s.at(b, 1), "/bff/events")
	event(own)
	s.check(s.Provider.SetClaims(s.ctx, "user", map[string]any{"groups": []string{"support"}}))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = b.Fetch(s.ctx, "GET", "/api/x", "") // a use that refreshes, when it is due
			}
		}
	}()
	if what, data := event(own); what != "changed" || !strings.Contains(data, `"roles":["support"]`) {
		t.Errorf("got %s %s", what, data)
	}
}
