package bff

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/bff/inbound"
	"cloakroom/bff/limit"
	"cloakroom/configs"
)

// keyStreamHouse is a house with streams that API keys open.
func keyStreamHouse(t *testing.T) *house {
	return newStreamHouse(t, func(c *configs.Config) {
		c.Callers.APIKey = inbound.APIKey{Header: "X-API-Key"}
		c.Routes[0].Callers = []string{"api_key"}
	})
}

// keySocket opens a socket with an API key. The result has the close status, when it is closed.
func (h *house) keySocket(key string) <-chan websocket.StatusCode {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(h.origin, "http")+"/api/socket", &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {key}}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.CloseNow() })
	closed := make(chan websocket.StatusCode, 1)
	go func() {
		_, _, err := c.Read(context.WithoutCancel(ctx))
		closed <- websocket.CloseStatus(err)
	}()
	return closed
}

// closes waits for a socket's end.
func (h *house) closes(closed <-chan websocket.StatusCode, want websocket.StatusCode) {
	h.t.Helper()
	select {
	case got := <-closed:
		if got != want {
			h.t.Errorf("closed with %d, want %d\n%s", got, want, h.log)
		}
	case <-time.After(10 * time.Second):
		h.t.Errorf("not closed\n%s", h.log)
	}
}

// AUN-04: a key that is revoked opens nothing more, and what it had open ends.
func TestAStreamEndsWithTheKeyThatOpenedIt(t *testing.T) {
	h := keyStreamHouse(t)
	h.server.streams.recheck = 20 * time.Millisecond
	key, id := h.newKey(APIKey{Name: "revoked"})
	stays, _ := h.newKey(APIKey{Name: "stays"})
	closed, other := h.keySocket(key), h.keySocket(stays)
	ring := &KeyRing{store: h.server.store.(register), now: time.Now, close: func() error { return nil }}
	if _, err := ring.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.closes(closed, 4401)
	h.eventually("it is counted", func() bool {
		return strings.Contains(h.metrics(), `cloakroom_streams_closed_total{reason="credential_revoked"} 1`) && strings.Contains(h.metrics(), `cloakroom_streams_open{kind="websocket"} 1`)
	})
	select {
	case got := <-other:
		t.Errorf("the other key's socket was closed with %d", got)
	default:
	}
	h.stop() // which waits for nobody's socket, but says goodbye
	h.closes(other, websocket.StatusGoingAway)
}

// A stream does not outlive what it was let in by; an answer that is nearly there is not broken off for it.
func TestAStreamEndsWhenItsKeyExpires(t *testing.T) {
	h := keyStreamHouse(t)
	key, _ := h.newKey(APIKey{Name: "short", Expires: time.Now().Add(2 * time.Second)})
	closed := h.keySocket(key)
	h.closes(closed, 4401)
	if res := h.browser().do("GET", "/api/answer", nil, "X-API-Key", key); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d", res.StatusCode)
	}
}

// RL-08: a socket counts for as long as it is open, and no longer.
func TestASocketHoldsItsPlaceUntilItEnds(t *testing.T) {
	h := newStreamHouse(t, func(c *configs.Config) {
		c.Callers.APIKey = inbound.APIKey{Header: "X-API-Key"}
		c.Routes[0].Callers, c.Routes[0].Limit = []string{"api_key"}, []limit.Limit{{Concurrent: 1, Per: "user"}}
	})
	h.server.streams.recheck = 20 * time.Millisecond
	key, id := h.newKey(APIKey{Name: "first"})
	closed := h.keySocket(key)
	b := h.browser()
	if res := b.do("GET", "/api/answer", nil, "X-API-Key", key); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("beside the socket: %d", res.StatusCode)
	}
	b.signIn("/bff/login")
	mine, err := b.socket("/api/socket")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.socket("/api/socket"); err == nil {
		t.Error("a second socket of a user")
	}
	mine.CloseNow()
	h.eventually("the user's place is free", func() bool { _, err := b.socket("/api/socket"); return err == nil })
	ring := &KeyRing{store: h.server.store.(register), now: time.Now, close: func() error { return nil }}
	if _, err := ring.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.closes(closed, 4401)
}
