package session

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/configs/secret"
)

func TestTwoCookiesAreRefused(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	r := h.signIn(t, alice(time.Hour))
	r.Header.Add("Cookie", "__Host-Http-session="+ticketA)
	if _, err := h.FromRequest(r); !errors.Is(err, ErrTwoCookies) {
		t.Errorf("CK-04: FromRequest = %v, want %v", err, ErrTwoCookies)
	}
}

// A signed-in request asks the store once, and opens the record only when it has changed.
func TestOneReadARequest(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	r := h.signIn(t, alice(time.Hour))
	first := h.read(t, r)
	st.ops = nil
	if second := h.read(t, r); second != first {
		t.Error("the session was opened again although nothing changed")
	}
	if !slices.Equal(st.ops, []string{"read"}) {
		t.Errorf("store saw %q, want one read", st.ops)
	}
}

// SES-08, SES-09: what does not open is no session and an alarm; it is neither deleted nor an error, and the copy that is held of
// the session does not serve in its place.
func TestUnreadableRecords(t *testing.T) {
	spoil := map[string]func(rec, other Record) Record{
		"swapped with another user's":         func(_, other Record) Record { return other },
		"its version rolled forward":          func(rec, _ Record) Record { rec.Version++; return rec },
		"its version rolled back":             func(rec, _ Record) Record { rec.Version--; return rec },
		"a byte flipped":                      func(rec, _ Record) Record { rec.Sealed[len(rec.Sealed)/2] ^= 1; return rec },
		"cut off":                             func(rec, _ Record) Record { rec.Sealed = rec.Sealed[:20]; return rec },
		"emptied":                             func(rec, _ Record) Record { rec.Sealed = nil; return rec },
		"of an unknown format":                func(rec, _ Record) Record { rec.Sealed[0] = 0; return rec },
		"sealed with a secret from elsewhere": func(rec, _ Record) Record { rec.Sealed[1] ^= 1; return rec },
		"gob or JSON of something else":       func(rec, _ Record) Record { rec.Sealed = []byte(`{"Subject":"admin"}`); return rec },
	}
	for name, change := range spoil {
		for _, warm := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", copy held", false: ""}[warm], func(t *testing.T) {
				st := newFakeStore()
				h := newHouse(t, st, newFakeProvider())
				s, other := alice(time.Hour), alice(time.Hour)
				r := h.signIn(t, s)
				h.signIn(t, other)
				if warm {
					h.read(t, r)
				}
				k := st.records[s.ID()]
				k.rec.Sealed = slices.Clone(k.rec.Sealed)
				k.rec = change(k.rec, st.records[other.ID()].rec)
				st.records[s.ID()] = k
				h.gone(t, r)
				if _, err := h.reread(s); !errors.Is(err, ErrNone) {
					t.Errorf("the writer reads %v, want ErrNone", err)
				}
				if _, ok := st.records[s.ID()]; !ok {
					t.Error("the record was deleted")
				}
				if !strings.Contains(h.log.String(), "event=session_unreadable") {
					t.Errorf("no alarm: %s", h.log.String())
				}
			})
		}
	}
}

// SES-09: a store that does not recognise its own value is no outage.
func TestDamagedRecordIsNoSession(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	s := alice(time.Hour)
	r := h.signIn(t, s)
	st.breakWith(ErrCorrupt, "read")
	h.gone(t, r)
	if _, err := h.reread(s); !errors.Is(err, ErrNone) {
		t.Errorf("the writer reads %v, want ErrNone", err)
	}
}

// SES-08: any secret opens, the first seals; a removed one is no session, not an error, and comes back with the secret.
func TestRotation(t *testing.T) {
	st := newFakeStore()
	with := func(secrets ...secret.String) *house {
		return newHouse(t, st, newFakeProvider(), func(c *Config, _ *Deps) { c.Secrets = secrets })
	}
	before := with(testSecrets[0])
	s := alice(time.Hour)
	r := before.signIn(t, s)
	during := with(testSecrets[1], testSecrets[0])
	got := during.read(t, r)
	h := with(testSecrets[1])
	h.gone(t, r)
	before.read(t, r)
	if _, err := during.OtherToken(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	h.read(t, r) // written again, with the first secret
	before.gone(t, r)
}

// SES-10: an outage is neither a sign-out nor a pass.
func TestOutageIsNoSignOut(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	r := h.signIn(t, alice(time.Hour))
	h.read(t, r)
	st.breakWith(errDown)
	if s, err := h.FromRequest(r); s != nil || !errors.Is(err, errDown) || errors.Is(err, ErrNone) {
		t.Errorf("FromRequest = %v, %v; want the outage", s, err)
	}
	if err := h.Check(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("Check = %v", err)
	}
	st.breakWith(nil)
	h.read(t, r)
}

// SES-13: what the store lost is gone, whatever copy is held.
func TestFlushedStoreIsObeyed(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	r := h.signIn(t, alice(time.Hour))
	h.read(t, r)
	clear(st.records)
	h.gone(t, r)
}

// SES-05: the absolute lifetime ends a session that is in use all the time, refreshes and all.
func TestAbsoluteLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, p := newFakeStore(), newFakeProvider()
		p.life = time.Hour
		h := newHouse(t, st, p)
		begin := time.Now()
		r := h.signIn(t, alice(time.Hour))
		for {
			s, err := h.FromRequest(r)
			if err == nil {
				_, err = h.AccessToken(t.Context(), s)
			}
			if errors.Is(err, ErrNone) {
				break
			}
			if err != nil || time.Since(begin) > 13*time.Hour {
				t.Fatalf("after %v: %v", time.Since(begin), err)
			}
			time.Sleep(10 * time.Minute)
		}
		if lived := time.Since(begin); lived != 12*time.Hour {
			t.Errorf("lived for %v, want 12h", lived)
		}
		if p.calls < 10 {
			t.Errorf("%d refreshes only", p.calls)
		}
	})
}

// SES-05: the deadline holds also where the store forgot to expire the record.
func TestDeadlineHoldsWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFakeStore()
		h := newHouse(t, st, newFakeProvider())
		s := alice(24 * time.Hour)
		r := h.signIn(t, s)
		k := st.records[s.ID()]
		k.expires = time.Now().Add(1000 * time.Hour)
		st.records[s.ID()] = k
		time.Sleep(12*time.Hour - time.Millisecond)
		h.read(t, r)
		time.Sleep(time.Millisecond)
		h.gone(t, r)
		if _, err := h.reread(s); !errors.Is(err, ErrNone) {
			t.Errorf("the writer reads %v, want ErrNone", err)
		}
	})
}

// SES-04: without requests the session ends; with them it does not, although the store is told only now and then.
func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFakeStore()
		h := newHouse(t, st, newFakeProvider())
		r := h.signIn(t, alice(24*time.Hour))
		for range 600 { // ten hours
			h.read(t, r)
			h.read(t, r)
			time.Sleep(30 * time.Second)
			h.read(t, r)
			time.Sleep(30 * time.Second)
		}
		if n := st.count("touch"); n != 600 {
			t.Errorf("%d touches in 600 minutes, want one a minute", n)
		}
		time.Sleep(30*time.Minute - 2*time.Minute) // the last touch was a minute ago
		h.read(t, r)
		time.Sleep(30 * time.Minute)
		h.gone(t, r)
	})
}

// SES-04, BBA-6.1-21: looking does not extend, keeping alive does.
func TestPeekAndKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, newFakeStore(), newFakeProvider())
		r := h.signIn(t, alice(24*time.Hour))
		s, err := h.Peek(r)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		if err := h.KeepAlive(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := h.KeepAlive(t.Context(), s); err != nil { // moves nothing, and is fine
			t.Fatal(err)
		}
		for range 29 {
			time.Sleep(time.Minute)
			if _, err := h.Peek(r); err != nil {
				t.Fatal(err)
			}
		}
		if left, err := h.IdleLeft(t.Context(), s); err != nil || left != time.Minute {
			t.Errorf("IdleLeft = %v, %v; want 1m", left, err)
		}
		time.Sleep(time.Minute)
		if _, err := h.Peek(r); !errors.Is(err, ErrNone) {
			t.Errorf("Peek = %v, want ErrNone: polling kept the session alive", err)
		}
		if err := h.KeepAlive(t.Context(), s); !errors.Is(err, ErrNone) {
			t.Errorf("KeepAlive of a gone session = %v, want ErrNone", err)
		}
	})
}

// A touch that finds nothing to move asks again: the session may have ended between the two.
func TestTouchNoticesTheEnd(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	s := alice(time.Hour)
	r := h.signIn(t, s)
	st.before = func(op string) error {
		if op == "touch" {
			st.mu.Lock()
			delete(st.records, s.ID())
			st.mu.Unlock()
		}
		return nil
	}
	h.gone(t, r)
}

// A touch that fails is tried again by the next request, and none of them fails.
func TestTouchSurvivesAnOutage(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	r := h.signIn(t, alice(time.Hour))
	st.breakWith(errDown, "touch")
	h.read(t, r)
	h.read(t, r)
	if n := st.count("touch"); n != 2 {
		t.Errorf("%d touches, want a second try", n)
	}
}

// Copies are bounded in number and in bytes, and count their bytes right.
func TestCopiesAreBounded(t *testing.T) {
	rec := func(n int) Record { return Record{Version: 1, Sealed: bytes.Repeat([]byte("x"), n)} }
	of := func(n int) int { return weight(&Session{}, rec(n).Sealed) }
	c, err := newCopies(3, 1<<20, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.put("a", rec(10), &Session{})
	c.put("a", rec(20), &Session{})
	if c.size != of(20) {
		t.Errorf("size after replacing = %d, want %d", c.size, of(20))
	}
	c.max = 3 * of(20)
	for _, id := range []ID{"b", "c", "d"} {
		c.put(id, rec(20), &Session{})
	}
	if c.lru.Len() != 3 || c.size != 3*of(20) {
		t.Errorf("%d copies of %d bytes, want 3 of %d", c.lru.Len(), c.size, 3*of(20))
	}
	c.put("e", rec(3000), &Session{})
	if c.lru.Len() != 1 || c.size != of(3000) {
		t.Errorf("%d copies of %d bytes, want 1 of %d", c.lru.Len(), c.size, of(3000))
	}
	c.hear("e", 0)
	if c.size != 0 {
		t.Errorf("size when empty = %d", c.size)
	}
}

// The request's context reaches the store: whoever hangs up does not hold a connection.
func TestReadHonoursTheRequest(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	r := h.signIn(t, alice(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.FromRequest(r.WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("FromRequest = %v, want %v", err, context.Canceled)
	}
}

func TestCookieNames(t *testing.T) {
	plain := newHouse(t, newFakeStore(), newFakeProvider())
	if got := plain.CookieNames(); !slices.Equal(got, []string{"__Host-Http-session"}) {
		t.Errorf("CookieNames = %q", got)
	}
	insecure := newHouse(t, newFakeStore(), newFakeProvider(), func(_ *Config, d *Deps) { d.InsecureCookies = true })
	if got := insecure.CookieNames(); !slices.Equal(got, []string{"session", "__Host-Http-session"}) {
		t.Errorf("CookieNames = %q", got)
	}
	r := insecure.signIn(t, alice(time.Hour))
	if c, err := r.Cookie("session"); err != nil || c.Value == "" {
		t.Errorf("cookie = %v, %v", c, err)
	}
	insecure.read(t, r)
	if _, err := insecure.FromRequest(withCookies(&http.Cookie{Name: "__Host-Http-session", Value: ticketA})); !errors.Is(err, ErrNone) {
		t.Errorf("FromRequest = %v", err)
	}
}
