package proxy

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// newSocketEcho is an upstream that sends back what it hears, and tells what the handshake looked like.
func newSocketEcho(t testing.TB) (url string, handshakes <-chan http.Header) {
	seen := make(chan http.Header, 10)
	return upstream(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		w.Header().Set("Set-Cookie", "__Host-Http-session=evil")
		w.Header().Set("Server", "inside/1")
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{"chat"}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, b) != nil {
				return
			}
		}
	}), seen
}

func dial(t testing.TB, url string, header http.Header) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(url, "http")+"/socket", &websocket.DialOptions{HTTPHeader: header, Subprotocols: []string{"chat"}})
}

func TestWebSocketsCross(t *testing.T) { // WS-05 CK-07
	up, handshakes := newSocketEcho(t)
	g := newGateway(t, up, func(c *Config, _ *Caller) { c.Timeout, c.Idle = 200*time.Millisecond, 50*time.Millisecond })
	c, res, err := dial(t, g.URL, http.Header{"Cookie": {"__Host-Http-session=ticket"}, "Authorization": {"Bearer attacker"}, "X-Forwarded-User": {"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if res.StatusCode != 101 || res.Header["Set-Cookie"] != nil || res.Header["Server"] != nil || c.Subprotocol() != "chat" {
		t.Errorf("handshake answer: %d %v", res.StatusCode, res.Header)
	}
	h := <-handshakes
	if !slices.Equal(h["Authorization"], []string{"Bearer " + token}) || h["Cookie"] != nil || h["X-Forwarded-User"] != nil || h.Get("Upgrade") != "websocket" {
		t.Errorf("upstream's handshake: %v", h)
	}
	pause := time.NewTicker(150 * time.Millisecond) // longer than idle: sockets may be silent
	defer pause.Stop()
	for range 3 {
		if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.Read(t.Context()); err != nil || string(b) != "hello" {
			t.Fatalf("got %q, %v", b, err)
		}
		<-pause.C
	}
}

func TestASocketEndsWithItsRequestsContext(t *testing.T) {
	up, _ := newSocketEcho(t)
	inner := newGateway(t, up, nil)
	ctx, cancel := context.WithCancel(t.Context())
	url := upstream(t, func(w http.ResponseWriter, r *http.Request) { inner.Config.Handler.ServeHTTP(w, r.WithContext(ctx)) })
	c, _, err := dial(t, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	cancel()
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("the socket lives on")
	}
}

func TestOtherUpgradesAreRefused(t *testing.T) { // WS-09
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	for _, head := range []string{
		"GET /x HTTP/1.1\r\nHost: app\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
		"GET /x HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: foo",
		"GET /x HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: websocket, h2c",
		"GET /x HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c",
		"GET /x HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket",
		"GET /x HTTP/1.1\r\nHost: app\r\nConnection: keep-alive\r\nConnection: upgrade\r\nUpgrade: TLS/1.0",
		"POST /x HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0",
		"GET /x HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok",
		"GET /x HTTP/1.0\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: websocket",
	} {
		answer, _ := raw(t, g.URL, head+"\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 400") && !strings.HasPrefix(answer, "HTTP/1.0 400") {
			t.Errorf("%q: got %q", head, answer)
		}
	}
	if n := up.requests(); n > 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestAnUpstreamThatDoesNotSwitchAsAsked(t *testing.T) { // WS-09
	const shake = "GET /x HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	const plain = "GET /x HTTP/1.1\r\nHost: app\r\n\r\n"
	for _, c := range []struct{ name, request, answer, want string }{
		{"200 is an answer like others, and no tunnel", shake, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200"},
		{"403 passes", shake, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 403"},
		{"another protocol", shake, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\ninside", "HTTP/1.1 502"},
		{"two protocols", shake, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\ninside", "HTTP/1.1 502"},
		{"no protocol", shake, "HTTP/1.1 101 Switching Protocols\r\n\r\ninside", "HTTP/1.1 502"},
		{"101 that nobody asked for", plain, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\ninside", "HTTP/1.1 502"},
	} {
		t.Run(c.name, func(t *testing.T) {
			up, _ := rawUpstream(t, c.answer)
			g := newGateway(t, up, nil)
			got, _ := raw(t, g.URL, c.request)
			if !strings.HasPrefix(got, c.want) || strings.Contains(got, "inside") {
				t.Errorf("got %q, want %s", got, c.want)
			}
		})
	}
}

func TestARefusedHandshakeIsRenewedToo(t *testing.T) {
	g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(401)
			return
		}
		if c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}); err == nil {
			c.Close(websocket.StatusNormalClosure, "")
		}
	}), func(_ *Config, caller *Caller) {
		caller.Renew = func(context.Context) (string, bool) { return "new", true }
	})
	c, res, err := dial(t, g.URL, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("got %v, %v", res, err)
	}
	c.CloseNow()
}
