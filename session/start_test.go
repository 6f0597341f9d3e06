package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStartedSessionIsReadBack(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	s := alice(time.Hour)
	r := h.signIn(t, s)
	got := h.read(t, r)
	if got.Subject != "alice" || got.Tokens != s.Tokens || got.Claims["name"] != "Alice" || got.Handle == "" || got.Handle != s.Handle {
		t.Errorf("read back %+v", got.Subject)
	}
	if got.ID() != s.ID() || !got.Deadline.Equal(s.Deadline) || !got.Created.Equal(s.Created) {
		t.Errorf("ID %q, deadline %v, created %v; want %q, %v, %v", got.ID(), got.Deadline, got.Created, s.ID(), s.Deadline, s.Created)
	}
}

// SES-01: 10 000 tickets have one length, no common prefix, no duplicate, and every character in every place about equally often.
func TestTicketsAreRandom(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	const n = 10_000
	seen := map[string]bool{}
	var counts [ticketChars - 1][256]int // the last character has 4 bits only
	for range n {
		_, ticket, err := h.writer.begin(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := parseTicket(ticket); !ok || seen[ticket] {
			t.Fatalf("ticket %q: canonical %v, seen %v", ticket, ok, seen[ticket])
		}
		seen[ticket] = true
		for i := range counts {
			counts[i][ticket[i]]++
		}
	}
	for place, chars := range counts {
		chi := 0.0
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			d := float64(chars[c]) - n/64.0
			chi += d * d / (n / 64.0)
		}
		if chi > 140 { // 63 degrees of freedom: beyond one in ten million
			t.Errorf("place %d: chi-square %.0f", place, chi)
		}
	}
}

// SES-02, CK-06: a ticket of the attacker's choice is not adopted, nor is anything stored under it.
func TestUnknownTicketIsNotAdopted(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	planted := withCookies(&http.Cookie{Name: "__Host-Http-session", Value: ticketA})
	h.gone(t, planted)
	s := alice(time.Hour)
	h.signIn(t, s)
	_, id, _ := parseTicket(ticketA)
	if _, ok := st.records[id]; ok || s.ticket == ticketA {
		t.Error("the planted ticket is in use")
	}
	h.gone(t, planted)
}

// SES-03: each sign-in has a ticket of its own, and the session that it replaces is dead.
func TestEverySignInHasANewTicket(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	first, second := alice(time.Hour), alice(time.Hour)
	old := h.signIn(t, first)
	current := h.signIn(t, second)
	if err := h.End(t.Context(), first.ID(), "replaced"); err != nil {
		t.Fatal(err)
	}
	if first.ticket == second.ticket {
		t.Error("two sign-ins, one ticket")
	}
	h.gone(t, old)
	h.read(t, current)
}

// SES-07, SES-08, CK-06: the store sees neither ticket nor tokens nor claims.
func TestStoreSeesNoSecret(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	s := alice(time.Hour)
	h.signIn(t, s)
	var all strings.Builder
	for id, k := range st.records {
		all.WriteString(string(id))
		all.Write(k.rec.Sealed)
	}
	for key, x := range st.indexes {
		all.WriteString(string(key))
		for _, m := range x.members {
			all.Write(m.Info)
		}
	}
	for _, hidden := range []string{s.ticket, "access-0", "refresh-0", "alice", "Alice", "sid-1", "id.test"} {
		if strings.Contains(all.String(), hidden) {
			t.Errorf("the store shows %q", hidden)
		}
	}
}

// CK-01: what the user carries does not change the cookie's size, and more than the bound is refused.
func TestSizeBound(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	large := alice(time.Hour)
	for range 500 {
		large.Roles = append(large.Roles, "a group with a name that goes on for a while")
	}
	if c := h.signIn(t, large).Header.Get("Cookie"); len(c) != len("__Host-Http-session=")+43 {
		t.Errorf("cookie of %d characters", len(c))
	}
	tooLarge := alice(time.Hour)
	tooLarge.Claims["photo"] = strings.Repeat("x", 64<<10)
	w := httptest.NewRecorder()
	if err := h.Start(t.Context(), w, tooLarge); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Start = %v, want %v", err, ErrTooLarge)
	}
	if len(w.Header()) != 0 || len(st.records) != 1 {
		t.Errorf("headers %v, %d records", w.Header(), len(st.records))
	}
}

// OIDC-21: a token without an end, or with one in its past, gets five minutes.
func TestTokenWithoutEndGetsOne(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, tt := range map[string]struct{ in, want Tokens }{
		"neither":              {Tokens{}, Tokens{Issued: now, Expires: now.Add(5 * time.Minute)}},
		"no end":               {Tokens{Issued: now.Add(-time.Minute)}, Tokens{Issued: now.Add(-time.Minute), Expires: now.Add(4 * time.Minute)}},
		"ends before it began": {Tokens{Issued: now, Expires: now.Add(-time.Hour)}, Tokens{Issued: now, Expires: now.Add(5 * time.Minute)}},
		"lives for nothing":    {Tokens{Issued: now, Expires: now}, Tokens{Issued: now, Expires: now.Add(5 * time.Minute)}},
		"both":                 {Tokens{Issued: now, Expires: now.Add(time.Hour)}, Tokens{Issued: now, Expires: now.Add(time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.in.bounded(now); !got.Issued.Equal(tt.want.Issued) || !got.Expires.Equal(tt.want.Expires) {
				t.Errorf("from %v to %v, want from %v to %v", got.Issued, got.Expires, tt.want.Issued, tt.want.Expires)
			}
		})
	}
}

// OIDC-21, CK-02: Start applies that, and a persistent cookie lives as long as the session may.
func TestStartBoundsTokenAndCookie(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider(), func(c *Config, _ *Deps) { c.Cookie.Persist, c.Lifetime = true, 400*24*time.Hour })
	s := alice(time.Hour)
	s.Tokens.Expires = time.Time{}
	w := httptest.NewRecorder()
	if err := h.Start(t.Context(), w, s); err != nil {
		t.Fatal(err)
	}
	if c := w.Result().Cookies()[0]; c.MaxAge != 400*24*60*60 || s.Deadline.Sub(s.Created) != 400*24*time.Hour {
		t.Errorf("Max-Age %d, session %v", c.MaxAge, s.Deadline.Sub(s.Created))
	}
	if got := s.Tokens.Expires.Sub(s.Tokens.Issued); got != 5*time.Minute {
		t.Errorf("token without an end lives for %v", got)
	}
}

// A sign-in that could not be stored gives no cookie, and leaves no entry behind where it can help it.
func TestStartThatFails(t *testing.T) {
	for _, op := range []string{"addindex", "create"} {
		t.Run(op, func(t *testing.T) {
			st := newFakeStore()
			h := newHouse(t, st, newFakeProvider())
			st.breakWith(errDown, op)
			w := httptest.NewRecorder()
			if err := h.Start(t.Context(), w, alice(time.Hour)); !errors.Is(err, errDown) {
				t.Errorf("Start = %v, want %v", err, errDown)
			}
			if len(w.Header()) != 0 || len(st.records) != 0 || len(st.list(userIndex("https://id.test", "alice"))) != 0 {
				t.Errorf("headers %v, %d records, an index entry", w.Header(), len(st.records))
			}
		})
	}
}

// SES-06: nothing is stored for longer than the session may live, nor for longer than it may idle.
func TestRecordExpiresWithTheIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFakeStore()
		h := newHouse(t, st, newFakeProvider())
		s := alice(time.Hour)
		h.signIn(t, s)
		if got, want := time.Until(st.records[s.ID()].expires), 30*time.Minute; got != want {
			t.Errorf("record lives for %v, want %v", got, want)
		}
	})
}

// A state is taken once, whoever asks, and the store does not see it.
func TestClaim(t *testing.T) {
	st := newFakeStore()
	one, two := newHouse(t, st, newFakeProvider()), newHouse(t, st, newFakeProvider())
	first, err := one.Claim(t.Context(), "the state")
	second, err2 := two.Claim(t.Context(), "the state")
	if !first || second || err != nil || err2 != nil {
		t.Errorf("Claim = %v, %v and %v, %v; want true, then false", first, err, second, err2)
	}
	if _, ok := st.claims["the state"]; ok {
		t.Error("the store sees the state")
	}
	st.breakWith(errDown)
	if ok, err := one.Claim(t.Context(), "another"); ok || !errors.Is(err, errDown) {
		t.Errorf("Claim in an outage = %v, %v", ok, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config, *Deps){
		"no secret":         func(c *Config, _ *Deps) { c.Secrets = nil },
		"a short secret":    func(c *Config, _ *Deps) { c.Secrets = append(c.Secrets, "short") },
		"no idle timeout":   func(c *Config, _ *Deps) { c.IdleTimeout = 0 },
		"no lifetime":       func(c *Config, _ *Deps) { c.Lifetime = 0 },
		"no cookie name":    func(c *Config, _ *Deps) { c.Cookie.Name = "" },
		"no way to refresh": func(_ *Config, d *Deps) { d.Refresh = nil },
	} {
		t.Run(name, func(t *testing.T) {
			cfg, d := testConfig(), Deps{Refresh: newFakeProvider().refresh}
			cfg.Secrets = append(cfg.Secrets[:0:0], cfg.Secrets...)
			change(&cfg, &d)
			if _, err := New(cfg, newFakeStore(), d); err == nil {
				t.Error("New took it")
			} else if strings.Contains(err.Error(), "short\"") || strings.Contains(err.Error(), "first secret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}
