package bff

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/session"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"

// listed is what GET /bff/sessions says.
func (b *browser) listed() (list []deviceAnswer) {
	b.t.Helper()
	res := b.fetch("GET", "/bff/sessions")
	if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" {
		b.t.Fatalf("GET /bff/sessions: %d %q %s", res.StatusCode, res.Header, res.body)
	}
	if err := json.Unmarshal([]byte(res.body), &list); err != nil {
		b.t.Fatal(err)
	}
	return list
}

// signedIn is the session behind the browser's ticket.
func (b *browser) signedIn() *session.Session {
	b.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: ticketCookie, Value: b.cookie(ticketCookie)})
	sess, err := b.server.sessions.Peek(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return sess
}

// REV-02, SES-26: a user sees every device, ends one, and all others; what the list says is neither a cookie nor a key of the store.
func TestDevices(t *testing.T) {
	h := newHouse(t, nil)
	phone, laptop := h.browser(), h.browser()
	phone.signIn("/bff/login")
	res := laptop.do("GET", laptop.authorize("/bff/login"), nil, append(navigation("cross-site"), "User-Agent", firefox)...)
	if res.StatusCode != 200 {
		t.Fatalf("sign-in: %d", res.StatusCode)
	}
	list := laptop.listed()
	if len(list) != 2 || !list[0].Current || list[1].Current {
		t.Fatalf("%+v; want the laptop, which asks, and the phone", list)
	}
	if list[0].Browser != "Firefox on Linux" || list[0].Address != "127.0.0.0/24" || list[0].ID != laptop.user().Session.ID || list[1].ID != phone.user().Session.ID {
		t.Errorf("%+v", list)
	}
	for _, d := range list {
		created, err := time.Parse(time.RFC3339, d.Created)
		seen, err2 := time.Parse(time.RFC3339, d.LastSeen)
		if err != nil || err2 != nil || seen.Before(created) || time.Since(created) > time.Minute {
			t.Errorf("created %s, last seen %s", d.Created, d.LastSeen)
		}
		for _, b := range []*browser{phone, laptop} {
			if ticket := b.cookie(ticketCookie); d.ID == ticket || strings.Contains(string(b.signedIn().ID()), d.ID) {
				t.Errorf("the handle %s is a part of what it must not be", d.ID)
			}
		}
	}
	if res := laptop.fetch("DELETE", "/bff/sessions/"+list[1].ID); res.StatusCode != 204 || res.Header.Get("Cache-Control") != "no-store" || len(res.Cookies()) != 0 {
		t.Errorf("ending the phone: %d %q", res.StatusCode, res.Header)
	}
	if phone.user().Authenticated || !laptop.user().Authenticated {
		t.Error("not the phone, and only the phone, is signed out")
	}
	if res := laptop.fetch("DELETE", "/bff/sessions/"+list[1].ID); res.StatusCode != 404 || answerField(t, res, "code") != "not_found" {
		t.Errorf("ending it again: %d", res.StatusCode)
	}
	phone.signIn("/bff/login")
	if res := laptop.fetch("DELETE", "/bff/sessions"); res.StatusCode != 200 || res.body != "{\"ended\":1}\n" {
		t.Errorf("ending all others: %d %s", res.StatusCode, res.body)
	}
	if phone.user().Authenticated || len(laptop.listed()) != 1 {
		t.Error("the others did not end")
	}
	ends := h.events("session_ended")
	if n := len(slices.DeleteFunc(ends, func(e map[string]any) bool { return e["reason"] != "device" })); n != 2 {
		t.Errorf("%d ends recorded as those of a device, want 2", n)
	}
}

// The session that asks may end itself: then the browser forgets it.
func TestDeviceEndsItself(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	res := b.fetch("DELETE", "/bff/sessions/"+b.listed()[0].ID)
	if res.StatusCode != 204 || !strings.Contains(res.Header.Get("Set-Cookie"), ticketCookie+"=;") || res.Header.Get("Clear-Site-Data") == "" {
		t.Errorf("%d %q", res.StatusCode, res.Header)
	}
	if b.user().Authenticated {
		t.Error("still signed in")
	}
}

// The endpoints are held to what every endpoint with a session is: signed in, and from our own pages.
func TestDevicesAreGuarded(t *testing.T) {
	store := new(halfway)
	h := newHouseUnready(t, nil, func(st session.Store) session.Store { store.Store = st; return store })
	b, other := h.browser(), h.browser()
	b.signIn("/bff/login")
	other.signIn("/bff/login")
	handle := other.user().Session.ID
	endpoints := [][2]string{{"GET", "/bff/sessions"}, {"DELETE", "/bff/sessions"}, {"DELETE", "/bff/sessions/" + handle}}
	for _, e := range endpoints {
		if res := h.browser().fetch(e[0], e[1]); res.StatusCode != 401 || answerField(t, res, "code") != "signed_out" {
			t.Errorf("%s without a session: %d", e, res.StatusCode)
		}
		if res := b.do(e[0], e[1], nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"); res.StatusCode != 403 || answerField(t, res, "code") != "cross_site" {
			t.Errorf("%s from another site: %d", e, res.StatusCode)
		}
		if res := b.do(e[0], e[1], nil); res.StatusCode != 403 {
			t.Errorf("%s without any proof: %d", e, res.StatusCode)
		}
	}
	store.end.Store(true)
	for _, e := range endpoints[1:] { // an end that is not written is not acknowledged
		if res := b.fetch(e[0], e[1]); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s while the store takes no ends: %d", e, res.StatusCode)
		}
	}
	if !other.user().Authenticated {
		t.Error("the other device was signed out")
	}
	for _, e := range [][3]string{{"POST", "/bff/sessions", "GET, HEAD, DELETE"}, {"GET", "/bff/sessions/x", "DELETE"}} {
		if res := b.fetch(e[0], e[1]); res.StatusCode != 405 || res.Header.Get("Allow") != e[2] {
			t.Errorf("%s: %d, Allow %q", e, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}

// REV-04: beyond the limit the newest sign-in wins, or is refused with a page that says what helps; signing in again in the same browser always works.
func TestLimitOfSessions(t *testing.T) {
	limited := func(onLimit string) func(*configs.Config) {
		return func(cfg *configs.Config) { cfg.Session.MaxPerUser, cfg.Session.OnLimit = 2, onLimit }
	}
	t.Run("end_oldest", func(t *testing.T) {
		h := newHouse(t, limited("end_oldest"))
		one, two, three := h.browser(), h.browser(), h.browser()
		for _, b := range []*browser{one, two, two, three} {
			b.signIn("/bff/login")
		}
		if one.user().Authenticated || !two.user().Authenticated || !three.user().Authenticated {
			t.Error("not the two newest are signed in")
		}
	})
	t.Run("refuse", func(t *testing.T) {
		h := newHouse(t, limited("refuse"))
		one, two, three := h.browser(), h.browser(), h.browser()
		for _, b := range []*browser{one, two, two} {
			b.signIn("/bff/login")
		}
		res := three.visit(three.authorize("/bff/login?return_to=/orders"), "cross-site")
		if res.StatusCode != 403 || !strings.Contains(res.body, "Signed in on too many devices") || !strings.Contains(res.body, "/bff/login?provider=main&amp;return_to=%2Forders") {
			t.Errorf("the third: %d\n%s", res.StatusCode, res.body)
		}
		if three.cookie(ticketCookie) != "" || three.user().Authenticated {
			t.Error("the third is signed in")
		}
		refused := h.events("sign_in_refused")
		if len(refused) != 1 || refused[0]["reason"] != "too_many_sessions" {
			t.Errorf("events %v", refused)
		}
		two.fetch("DELETE", "/bff/sessions")
		three.signIn("/bff/login")
	})
}
