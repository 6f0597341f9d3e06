package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever hears an end knows why, and brings the tokens that it has, unless they are known to be out of date. A version without reasons, and a reason
// that is not known, are an end like any other.
func TestAnEndThatIsHeardSaysWhyAndBringsTheTokens(t *testing.T) {
	backchannel := func(t *testing.T, p *pair, _ *Session) {
		if n, err := p.other.EndByProvider(t.Context(), issuer, "", "sid-1", time.Now().Add(time.Hour)); n != 1 || err != nil {
			t.Errorf("EndByProvider = %d, %v", n, err)
		}
	}
	refresh := func(t *testing.T, h *house, p *pair, s *Session) {
		p.idp.answer = func(context.Context, *Session, int) (Refreshed, error) {
			return Refreshed{Tokens: Tokens{Access: "newer", Refresh: "newest"}}, nil
		}
		if _, err := h.OtherToken(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	for name, tt := range map[string]struct {
		end    func(t *testing.T, p *pair, s *Session)
		why    string
		tokens []string
	}{
		"by another process": {backchannel, "backchannel", []string{"refresh-0 backchannel"}},
		"of which this one knows an older version": {func(t *testing.T, p *pair, s *Session) {
			refresh(t, p.other, p, s)
			backchannel(t, p, s)
		}, "backchannel", nil},
		"which this one has refreshed, and not read since": {func(t *testing.T, p *pair, s *Session) {
			refresh(t, p.house, p, s)
			backchannel(t, p, s)
		}, "backchannel", []string{"newest backchannel"}},
		"by a version without reasons": {func(_ *testing.T, p *pair, s *Session) {
			p.st.mu.Lock()
			defer p.st.mu.Unlock()
			p.st.announce(Event{ID: s.ID()})
		}, "", []string{"refresh-0 ended"}},
		"for a reason of a later version": {func(t *testing.T, p *pair, s *Session) {
			if _, err := p.other.store.End(t.Context(), s.ID(), time.Minute, "moon_phase"); err != nil {
				t.Error(err)
			}
		}, "ended", []string{"refresh-0 ended"}},
		"by this process": {func(t *testing.T, p *pair, s *Session) {
			if err := p.EndOne(t.Context(), s, "logout"); err != nil {
				t.Error(err)
			}
		}, "logout", nil}, // Deps.Ended has them
		"by this process, after another one that did not say": {func(t *testing.T, p *pair, s *Session) {
			p.st.ear().set(func() { p.st.ear().deaf = true })
			backchannel(t, p, s)
			if err := p.EndOne(t.Context(), s, "logout"); err != nil {
				t.Error(err)
			}
		}, "logout", []string{"refresh-0 logout"}},
	} {
		t.Run(name, func(t *testing.T) {
			watching(t, 2*time.Second, func(t *testing.T, p *pair) {
				_, r := p.start(time.Hour)
				s := p.read(t, r)
				tt.end(t, p, s)
				synctest.Wait()
				p.mu.Lock()
				defer p.mu.Unlock()
				if len(p.why) == 0 || p.why[0] != tt.why {
					t.Errorf("heard that it ended for %q, want %q first", p.why, tt.why)
				}
				if !slices.Equal(p.tokens, tt.tokens) {
					t.Errorf("brought %q, want %q", p.tokens, tt.tokens)
				}
			})
		})
	}
}

// A write and a keepalive are news, wherever they happen, also where no copy is trusted. A touch is none.
func TestWritesAndKeepalivesAreNews(t *testing.T) {
	for _, staleness := range []time.Duration{0, 2 * time.Second} {
		watching(t, staleness, func(t *testing.T, p *pair) {
			s, r := p.start(24 * time.Hour)
			for _, step := range []struct {
				what string
				do   func() error
				news int
			}{
				{"a refresh", func() error { _, err := p.other.OtherToken(t.Context(), s); return err }, 2}, // the attempt, and what came of it
				{"a touch", func() error { time.Sleep(2 * time.Minute); _, err := p.other.FromRequest(r); return err }, 0},
				{"a keepalive", func() error { time.Sleep(time.Second); return p.other.KeepAlive(t.Context(), s) }, 1},
				{"one in the same moment, that moves nothing", func() error { return p.other.KeepAlive(t.Context(), s) }, 0},
			} {
				synctest.Wait()
				p.mu.Lock()
				p.changed = 0
				p.mu.Unlock()
				if err := step.do(); err != nil {
					t.Errorf("%s: %v", step.what, err)
				}
				synctest.Wait()
				p.mu.Lock()
				if p.changed != step.news {
					t.Errorf("staleness %v: %s was heard of %d times, want %d", staleness, step.what, p.changed, step.news)
				}
				p.mu.Unlock()
			}
		})
	}
}

// One owner gets the revocation of a session's tokens, over all processes, and gets it again when it asks again; that of other tokens is another's to get.
func TestOneRevokes(t *testing.T) {
	st := newFakeStore()
	one, two := newHouse(t, st.view(), newFakeProvider()), newHouse(t, st, newFakeProvider())
	s := alice(time.Hour)
	one.signIn(t, s)
	newer := *s
	newer.version++
	first, second := newWriteID(), newWriteID()
	for i, c := range []struct {
		h     *house
		s     *Session
		owner WriteID
		want  bool
	}{{one, s, first, true}, {two, s, second, false}, {one, s, first, true}, {two, &newer, second, true}, {one, &newer, first, false}} {
		if mine, err := c.h.ClaimRevocation(t.Context(), c.s, c.owner); mine != c.want || err != nil {
			t.Errorf("%d: ClaimRevocation = %t, %v, want %t", i, mine, err, c.want)
		}
	}
	st.breakWith(errDown)
	if mine, err := two.ClaimRevocation(t.Context(), s, second); mine || !errors.Is(err, errDown) {
		t.Errorf("in an outage: %t, %v", mine, err)
	}
}

// Who finds a session gone learns from its mark why, as long as that stands.
func TestAMarkSaysWhy(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	s := alice(time.Hour)
	h.signIn(t, s)
	if why, err := h.Why(t.Context(), s.ID()); !errors.Is(err, ErrNone) {
		t.Errorf("of a session that lives: %q, %v", why, err)
	}
	if err := h.EndOne(t.Context(), s, "device"); err != nil {
		t.Fatal(err)
	}
	if why, err := h.Why(t.Context(), s.ID()); why != "device" || err != nil {
		t.Errorf("of one that ended: %q, %v", why, err)
	}
	for _, reason := range []string{"", "moon_phase"} {
		id := ID("id " + reason)
		if _, err := h.store.End(t.Context(), id, time.Minute, reason); err != nil {
			t.Fatal(err)
		}
		if why, err := h.Why(t.Context(), id); why != "ended" || err != nil {
			t.Errorf("with the mark %q: %q, %v", reason, why, err)
		}
	}
}
