package session_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"cloakroom/session"
)

// SES-26: the list has every session of the user, the newest first, and of nobody else; last seen follows the use.
func TestDevices(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		start := w.clock.now()
		bob := w.alice()
		bob.Subject = "bob"
		w.signIn(w.both[0], bob)
		phone := w.alice()
		phone.Browser, phone.Address = "Safari on iPhone", "192.0.2.0/24"
		w.signIn(w.both[0], phone)
		w.clock.pass(10 * time.Minute)
		laptop := w.alice()
		laptop.Browser, laptop.Address = "Firefox on Linux", "2001:db8::/48"
		w.signIn(w.both[1], laptop)
		devices, err := w.both[0].Devices(t.Context(), laptop)
		if err != nil || len(devices) != 2 {
			t.Fatalf("%d devices, %v; want 2", len(devices), err)
		}
		for i, want := range []*session.Session{laptop, phone} {
			d := devices[i]
			if d.Handle != want.Handle || d.Browser != want.Browser || d.Address != want.Address || !d.Created.Equal(want.Created) || d.Current != (want == laptop) {
				t.Errorf("device %d is %+v", i, d)
			}
		}
		if seen := devices[0].LastSeen; w.clock.now().Sub(seen) > time.Minute || seen.After(w.clock.now()) {
			t.Errorf("the laptop was last seen %v, it is %v", seen, w.clock.now())
		}
		if w.vanish == nil { // Redis' clock is not the test's
			if seen := devices[1].LastSeen; seen.Sub(start).Abs() > time.Minute {
				t.Errorf("the phone was last seen %v, want %v", seen, start)
			}
		}
	})
}

// REV-02: a handle that is somebody else's is answered as one that nobody has, and does nothing.
func TestEndDevice(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		bob := w.alice()
		bob.Subject, bob.ProviderSession = "bob", "sid-bob"
		bobs := w.signIn(w.both[0], bob)
		phone, laptop := w.alice(), w.alice()
		phones, laptops := w.signIn(w.both[0], phone), w.signIn(w.both[1], laptop)
		for name, handle := range map[string]string{
			"bob's": bob.Handle, "nobody's": "AAAAAAAAAAA", "none": "", "a session ID": string(phone.ID()),
		} {
			if ended, err := w.both[1].EndDevice(t.Context(), laptop, handle); ended || err != nil {
				t.Errorf("%s: %t, %v; want false", name, ended, err)
			}
		}
		if w.alive([]*http.Request{bobs, phones, laptops}) != 3 {
			t.Fatal("a session ended")
		}
		if ended, err := w.both[1].EndDevice(t.Context(), laptop, phone.Handle); !ended || err != nil {
			t.Errorf("the phone: %t, %v; want true", ended, err)
		}
		w.gone(phones)
		if ended, err := w.both[1].EndDevice(t.Context(), laptop, phone.Handle); ended || err != nil {
			t.Errorf("the phone again: %t, %v; want false", ended, err)
		}
		if devices, err := w.both[0].Devices(t.Context(), laptop); err != nil || len(devices) != 1 {
			t.Errorf("%d devices, %v; want 1", len(devices), err)
		}
		if w.alive([]*http.Request{bobs, laptops}) != 2 {
			t.Error("another session ended")
		}
	})
}

func TestEndOthers(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		bob := w.alice()
		bob.Subject = "bob"
		bobs := w.signIn(w.both[0], bob)
		mine := w.alice()
		stays := w.signIn(w.both[0], mine)
		var others []*http.Request
		for i := range 5 {
			others = append(others, w.signIn(w.both[i%2], w.alice()))
		}
		if n, err := w.both[1].EndOthers(t.Context(), mine); n != 5 || err != nil {
			t.Errorf("EndOthers = %d, %v; want 5", n, err)
		}
		for _, r := range others {
			w.gone(r)
		}
		if w.alive([]*http.Request{bobs, stays}) != 2 {
			t.Error("the asking session ended, or another user's")
		}
		if n, err := w.both[1].EndOthers(t.Context(), mine); n != 0 || err != nil {
			t.Errorf("EndOthers again = %d, %v; want 0", n, err)
		}
	})
}

// Who was signed out signs nobody out, even if it still has its session in hand.
func TestEndedSessionEndsNoDevice(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		thief, owner := w.alice(), w.alice()
		w.signIn(w.both[0], thief)
		owners := w.signIn(w.both[0], owner)
		if err := w.both[1].EndOne(t.Context(), thief, "logout"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.both[0].EndDevice(t.Context(), thief, owner.Handle); !errors.Is(err, session.ErrNone) {
			t.Errorf("EndDevice = %v, want ErrNone", err)
		}
		if _, err := w.both[0].EndOthers(t.Context(), thief); !errors.Is(err, session.ErrNone) {
			t.Errorf("EndOthers = %v, want ErrNone", err)
		}
		if _, err := w.both[0].Devices(t.Context(), thief); !errors.Is(err, session.ErrNone) {
			t.Errorf("Devices = %v, want ErrNone", err)
		}
		if w.alive([]*http.Request{owners}) != 1 {
			t.Error("the owner was signed out")
		}
	})
}

// A front-channel logout ends the sessions of its issuer and sid, and no mark of it refuses the next sign-in, be it with the same sid.
func TestEndByProviderSession(t *testing.T) {
	onBothStores(t, func(t *testing.T, w *twins) {
		_, one := w.must(w.both[0], "sid-1")
		_, same := w.must(w.both[1], "sid-1")
		_, other := w.must(w.both[1], "sid-2")
		for _, c := range []struct {
			issuer, sid string
			ends        int
		}{{"https://id.test", "sid-3", 0}, {"https://other.test", "sid-1", 0}, {"https://id.test", "sid-1", 2}, {"https://id.test", "sid-1", 0}} {
			if n, err := w.both[0].EndByProviderSession(t.Context(), c.issuer, c.sid); n != c.ends || err != nil {
				t.Errorf("%s of %s: %d, %v; want %d", c.sid, c.issuer, n, err, c.ends)
			}
		}
		w.gone(one)
		w.gone(same)
		_, next := w.must(w.both[0], "sid-1")
		if w.alive([]*http.Request{other, next}) != 2 {
			t.Error("another session ended, or the next sign-in does not work")
		}
	})
}
