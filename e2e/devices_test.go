package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"cloakroom/e2e/browse"
)

// device is an entry of the list of signed-in devices.
type device struct {
	ID, Browser, Address, Created string
	LastSeen                      string `json:"last_seen"`
	Current                       bool
}

// devices fetches the list and demands that it has n entries.
func (s *story) devices(b *browse.Browser, n int) (list []device) {
	s.Helper()
	a := s.get(b, "/bff/sessions", 200)
	if err := json.Unmarshal([]byte(a.Body), &list); err != nil || len(list) != n {
		s.Fatalf("%d devices, %v; want %d in %s", len(list), err, n, a.Body)
	}
	return list
}

// signedOut waits until a replica has heard that the session ended.
func (s *story) signedOut(b *browse.Browser) {
	s.Helper()
	s.eventually("the session is refused", func() bool {
		a, err := b.Fetch(s.ctx, "GET", "/api/x", "")
		s.check(err)
		return a.Status == 401
	})
}

// REV-02, SES-26: a user sees the devices of both replicas, ends one from the other replica, and all others; each end holds on both. Nobody ends
// somebody else's, and cannot tell it from one that is not there.
func TestAUserEndsTheirOtherDevices(t *testing.T) {
	s := onUsual(t)
	phone, laptop, tablet, stranger := s.signedIn("ruth"), s.signedIn("ruth"), s.signedIn("ruth"), s.signedIn("saul")
	phones := s.devices(s.at(phone, 0), 3)
	list := s.devices(s.at(laptop, 1), 3)
	var target device
	for i, d := range phones {
		if d.Current {
			target = d
		}
		created, err := time.Parse(time.RFC3339, d.Created)
		s.check(err)
		if d.ID != list[i].ID || d.Browser != "Chrome on Linux" || d.Address != "127.0.0.0/24" || time.Since(created) > time.Minute || d.LastSeen < d.Created {
			t.Errorf("device %+v, on the other replica %+v", d, list[i])
		}
		for _, b := range []*browse.Browser{phone, laptop, tablet} {
			if d.ID == b.Ticket() {
				t.Error("the handle is the ticket")
			}
		}
	}
	s.devices(s.at(stranger, 0), 1)
	foreign := s.fetch(s.at(stranger, 1), "DELETE", "/bff/sessions/"+target.ID, 404)
	unknown := s.fetch(s.at(stranger, 1), "DELETE", "/bff/sessions/AAAAAAAAAAA", 404)
	s.problem(foreign, "not_found")
	if f, u := s.fields(foreign), s.fields(unknown); f["detail"] != u["detail"] || f["title"] != u["title"] {
		t.Errorf("somebody else's device is answered %s, nobody's %s", foreign.Body, unknown.Body)
	}
	s.get(phone, "/api/x", 200)
	s.fetch(s.at(laptop, 1), "DELETE", "/bff/sessions/"+target.ID, 204)
	for n := range s.Replicas {
		s.signedOut(s.at(phone, n))
		s.get(s.at(laptop, n), "/api/x", 200)
	}
	if a := s.fetch(s.at(laptop, 0), "DELETE", "/bff/sessions", 200); s.fields(a)["ended"] != float64(1) {
		t.Errorf("ending all others: %s", a.Body)
	}
	for n := range s.Replicas {
		s.signedOut(s.at(tablet, n))
		s.devices(s.at(laptop, n), 1)
		s.get(s.at(stranger, n), "/api/x", 200)
	}
	again := s.browser()
	_, err := again.SignIn(s.ctx, "ruth", "/public/x")
	s.check(err)
	s.devices(again, 2)
}
