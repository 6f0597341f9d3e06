package session

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/configs/secret"
)

// SES-08, while the server runs: another secret seals from now on, and the one before opens what it sealed. Once it is left out, its sessions are none,
// also those that are open here and would not be asked for; what was sealed anew lives.
func TestSecretsRotateWhileSessionsAreInUse(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		reconfigure := func(secrets ...secret.String) {
			t.Helper()
			if err := p.Reconfigure(secrets, 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		_, left := p.start(time.Hour)
		s, refreshed := p.start(time.Hour)
		p.wants("a trusted copy", p.asks(func() { p.read(t, left) }))
		reconfigure(testSecrets[1], testSecrets[0])
		p.wants("a copy of the secret before", p.asks(func() { p.read(t, left) }))
		_, fresh := p.start(time.Hour)
		p.other.gone(t, fresh) // who has the old secret alone does not open it
		if _, err := p.OtherToken(t.Context(), p.read(t, refreshed)); err != nil {
			t.Fatal(err)
		}
		reconfigure(testSecrets[1])
		p.house.gone(t, left)
		p.read(t, fresh)
		if got := p.read(t, refreshed); got.ID() != s.ID() {
			t.Errorf("read %v, want %v", got, s)
		}
		p.other.read(t, left) // nobody has deleted it
		reconfigure(testSecrets[1], testSecrets[0])
		p.read(t, left)
	})
}

// What a read brings that was under way is not trusted when its secret has gone meanwhile; nor is a copy that a request of before has just put back.
func TestAReadUnderWayDoesNotOutliveItsSecret(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		_, r := p.start(time.Hour)
		p.copies.lost()
		p.copies.subscribed() // so that the next request asks
		p.st.mu.Lock()
		p.st.after = func(op string) error {
			if op != "read" {
				return nil
			}
			return p.Reconfigure(testSecrets[1:], 10*time.Second)
		}
		p.st.mu.Unlock()
		p.house.gone(t, r)
	})
	watching(t, 0, func(t *testing.T, p *pair) {
		s, r := p.start(time.Hour)
		if err := p.Reconfigure(testSecrets[1:], 10*time.Second); err != nil {
			t.Fatal(err)
		}
		p.st.mu.Lock()
		rec := p.st.records[s.ID()].rec
		p.st.mu.Unlock()
		p.copies.put(s.ID(), rec, s)
		p.house.gone(t, r)
	})
	c, err := newCopies(8, 1<<20, time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.subscribed()
	first, second := c.begin("x"), c.begin("x")
	c.forget(func(sealed []byte) bool { return !bytes.Equal(sealed, []byte("old")) })
	for _, l := range []*load{first, second} {
		o := c.put("x", Record{Version: 1, Sealed: []byte("old")}, &Session{id: "x"})
		if c.current("x", o, l); o.epoch != 0 {
			t.Error("a copy of before is trusted")
		}
		c.done("x", l)
	}
}

func TestReconfigureRefusesAndChangesNothing(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	r := h.signIn(t, alice(time.Hour))
	for name, secrets := range map[string][]secret.String{"none": nil, "a short one": {"short"}} {
		if err := h.Reconfigure(secrets, time.Second); err == nil || h.refreshTimeout() != 10*time.Second {
			t.Errorf("%s: error %v, timeout %v", name, err, h.refreshTimeout())
		}
	}
	h.read(t, r)
}

// A provider that gets more time gets it from the next refresh on, also where a lock was taken before; the lease holds until the call is over.
func TestARefreshGetsTheTimeOfToday(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, idp := newFakeStore(), newFakeProvider()
		h := newHouse(t, st, idp)
		r := h.signIn(t, alice(time.Hour))
		idp.answer = func(ctx context.Context, s *Session, _ int) (Refreshed, error) {
			deadline, _ := ctx.Deadline()
			if got := time.Until(deadline); got != 30*time.Second {
				t.Errorf("the call has %v, want 30s", got)
			}
			if held, err := st.Lock(ctx, s.ID(), newWriteID(), time.Second); held || err != nil {
				t.Errorf("another process got the lock: %v, %v", held, err)
			}
			time.Sleep(12 * time.Second)
			if held, err := st.Lock(ctx, s.ID(), newWriteID(), time.Second); held || err != nil {
				t.Errorf("another process got the lock during the call: %v, %v", held, err)
			}
			return Refreshed{Tokens: Tokens{Access: "new"}}, nil
		}
		st.before = func(op string) error {
			if op != "read" || st.count("lock") != 1 {
				return nil
			}
			return h.Reconfigure(testSecrets[:1], 30*time.Second) // the lease is for a call of 10s
		}
		got, err := h.OtherToken(t.Context(), h.read(t, r))
		if err != nil || got.Tokens.Access != "new" {
			t.Errorf("%v, %v", got, err)
		}
	})
}
