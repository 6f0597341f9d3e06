package bff

import (
	"testing"

	"cloakroom/proxy"
)

// Where all composed answers together take as much memory as they may, a further one is asked to wait. It is no sign-out, and no leg's fault.
func TestAComposedAnswerWithoutRoomIsAskedToWait(t *testing.T) {
	h, _ := newComposedHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	h.server.room = proxy.NewRoom(8)
	if err := h.server.Reload(h.server.current.Load().cfg); err != nil { // each generation takes from the server's
		t.Fatal(err)
	}
	res := b.fetch("GET", "/home")
	if res.StatusCode != 503 || answerField(t, res, "code") != "busy" || res.Header.Get("Retry-After") == "" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, res.body)
	}
	if !b.user().Authenticated {
		t.Error("the user was signed out")
	}
}
