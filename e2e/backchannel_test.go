package e2e

import (
	"testing"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// BCL-01, BCL-02: the provider itself sends the logout, and the user is signed out on both replicas; others are not.
// BCL-16: a second logout of the same user is fine.
func TestTheProviderSignsAUserOutOnBothReplicas(t *testing.T) {
	s := onUsual(t)
	bob, again, kate := s.signedIn("bob"), s.signedIn("bob"), s.signedIn("kate")
	told, err := s.Provider.Logout(s.ctx, "bob")
	s.check(err)
	if len(told) != 2 {
		t.Errorf("the provider told %d sessions, want 2", len(told))
	}
	for _, answer := range told {
		if answer.Said != "ok" {
			t.Errorf("the provider was told: %s", answer.Said)
		}
	}
	for n := range s.Replicas {
		for _, b := range []*browse.Browser{bob, again} {
			s.get(s.at(b, n), "/api/x", 401)
		}
		s.get(s.at(kate, n), "/api/x", 200)
	}
	_, err = s.Provider.Logout(s.ctx, "bob")
	s.check(err)
	if b := s.signedIn("bob"); s.get(b, "/api/x", 200) == nil {
		t.Error("the next honest sign-in does not work")
	}
}

// BCL-18, BCL-19: what is no logout token is refused, is not stored, and ends nothing.
func TestWhatIsNoLogoutTokenEndsNothing(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("liam")
	for name, body := range map[string]string{"nothing": "", "junk": "logout_token=junk", "two": "logout_token=a.b.c&logout_token=a.b.c"} {
		a, err := s.browser().Fetch(s.ctx, "POST", "/bff/backchannel", body, "Content-Type: application/x-www-form-urlencoded",
			"Sec-Fetch-Site: ", "Sec-Fetch-Mode: ", "Sec-Fetch-Dest: ", "Origin: ")
		s.check(err)
		if a.Status != 400 {
			t.Errorf("%s: %d, want 400", name, a.Status)
		}
	}
	if a := s.get(s.browser(), "/bff/backchannel", 405); a.Header.Get("Allow") == "" {
		t.Error("405 without Allow")
	}
	s.get(b, "/api/x", 200)
}

// OIDC-16: after the provider rotated its keys sign-in works again without a restart, as soon as the server may
// ask for keys again; who is signed in notices nothing.
func TestSignInWorksAfterTheProviderRotatedItsKeys(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 1})
	before := s.signedIn("mona")
	s.check(s.Provider.RotateKeys(s.ctx))
	s.get(before, "/api/x", 200)
	after := s.browser()
	s.eventually("a sign-in with the new key works", func() bool {
		_, err := after.SignIn(s.ctx, "mona", "/public/x")
		s.check(err)
		return after.Ticket() != ""
	})
	s.get(after, "/api/x", 200)
	s.get(before, "/api/x", 200)
}

// RPL-03: a request that is under way when its user signs out does not bring the session back.
func TestARequestUnderWayDoesNotReviveASession(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("nina")
	gate := s.Upstream.Hold("hold")
	done := make(chan int, 1)
	go func() {
		a, err := s.at(b, 0).Fetch(s.ctx, "GET", "/api/hold", "")
		if err != nil {
			t.Error(err)
			done <- 0
			return
		}
		done <- a.Status
	}()
	<-gate.Arrived()
	thief := s.browser()
	thief.SetTicket(b.Ticket())
	s.fetch(s.at(b, 1), "POST", "/bff/logout", 200)
	gate.Release()
	t.Logf("the request under way ended with %d", <-done)
	for n := range s.Replicas {
		s.get(s.at(thief, n), "/api/x", 401)
	}
}
