package session

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// lastServed is how long after an end elsewhere requests are still served, at a hundred a second.
func (p *pair) lastServed(s *Session, r *http.Request, look time.Duration) time.Duration {
	p.t.Helper()
	if err := p.other.EndOne(p.t.Context(), s, "logout"); err != nil {
		p.t.Fatal(err)
	}
	began, last := time.Now(), time.Duration(-1)
	for time.Since(began) < look {
		synctest.Wait()
		switch _, err := p.FromRequest(r); {
		case err == nil:
			last = time.Since(began)
		case !errors.Is(err, ErrNone):
			p.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return last
}

// Whatever happens to the announcements, an ended session is not served for longer than staleness.
func TestAnEndIsObeyedWithinStalenessAtWorst(t *testing.T) {
	const staleness = 2 * time.Second
	for _, c := range []struct {
		name string
		harm func(p *pair, e *fakeEar)
		most time.Duration // served for at most
		some bool          // and for some time: else the case would show nothing
	}{
		{"nothing happens", func(*pair, *fakeEar) {}, 0, false},
		{"the connection breaks", func(_ *pair, e *fakeEar) { e.snap() }, 0, false},
		{"the connection breaks, and cannot be had again", func(p *pair, e *fakeEar) { p.st.breakWith(errDown, "listen"); e.snap() }, 0, false},
		{"the connection hangs", func(_ *pair, e *fakeEar) { e.set(func() { e.deaf = true }) }, staleness, true},
		{"everything comes late", func(_ *pair, e *fakeEar) { e.set(func() { e.held = true }) }, staleness, true},
		{"everything comes late, but comes", func(_ *pair, e *fakeEar) {
			e.set(func() { e.held = true })
			time.AfterFunc(time.Second, func() { e.set(func() { e.held = false }) })
		}, time.Second, true},
		{"a pong comes late, and what was said after it does not come", func(_ *pair, e *fakeEar) {
			e.set(func() { e.held, e.pass = true, 0 })
			time.Sleep(600 * time.Millisecond) // a ping is answered
			time.AfterFunc(time.Second, func() { e.set(func() { e.pass = 1 }) })
		}, staleness, true},
		{"pongs are lost", func(_ *pair, e *fakeEar) { e.set(func() { e.dropped = func(e Event) bool { return e.Pong != "" } }) }, 0, false},
		{"a pong that answers nothing comes", func(_ *pair, e *fakeEar) {
			e.set(func() { e.deaf = true })
			e.store.mu.Lock()
			defer e.store.mu.Unlock()
			e.set(func() { e.queue = append(e.queue, Event{Pong: "0.1"}, Event{Pong: "7.7"}, Event{Pong: "x"}) })
		}, staleness, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			watching(t, staleness, func(t *testing.T, p *pair) {
				s, r := p.start(time.Hour)
				time.Sleep(10*time.Second + 123*time.Millisecond)
				p.read(t, r)
				c.harm(p, p.st.ear())
				synctest.Wait()
				last := p.lastServed(s, r, 5*staleness)
				t.Logf("served for %v", last)
				if last > c.most || c.some && last < 0 {
					t.Errorf("served for %v after the end, want at most %v", last, c.most)
				}
			})
		})
	}
}

// A lost subscription costs a read a request and nothing else; afterwards what is still there is asked for once.
func TestALostSubscriptionIsFoundAgain(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		_, r := p.start(24 * time.Hour)
		p.st.breakWith(errDown, "listen")
		p.st.ear().snap()
		synctest.Wait()
		if p.CopiesTrusted() {
			t.Error("copies are said to be trusted")
		}
		for range 3 {
			p.wants("without proof", p.asks(func() { _, _ = p.Peek(r) }), "read")
		}
		time.Sleep(time.Minute)
		if tries := p.st.count("listen"); tries > 60 {
			t.Errorf("%d tries in a minute", tries)
		}
		p.logged(1, 0)
		p.st.breakWith(nil)
		time.Sleep(2 * listenMax)
		p.logged(1, 1)
		if p.flushed != 1 || p.resubs != 2 {
			t.Errorf("%d flushes and %d subscriptions, want 1 and 2", p.flushed, p.resubs)
		}
		p.wants("the first request afterwards", p.asks(func() { _, _ = p.Peek(r) }), "read")
		p.wants("the second", p.asks(func() { _, _ = p.Peek(r) }))
	})
}

// A connection that hangs is given up after a while, and another is made.
func TestASilentConnectionIsReplaced(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		_, r := p.start(24 * time.Hour)
		ear := p.st.ear()
		ear.set(func() { ear.deaf = true })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if p.flushed != 1 || p.resubs != 2 || !p.CopiesTrusted() {
			t.Errorf("%d flushes, %d subscriptions, trusted %t", p.flushed, p.resubs, p.CopiesTrusted())
		}
		p.read(t, r)
		p.wants("a request", p.asks(func() { _, _ = p.Peek(r) }))
	})
}

// The answer to a ping of an earlier subscription is no proof for this one.
func TestAPongOfAnOldEpochProvesNothing(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		ear := p.st.ear()
		var pongs []Event
		ear.set(func() {
			ear.dropped = func(e Event) bool {
				if e.Pong != "" {
					pongs = append(pongs, e)
				}
				return e.Pong != ""
			}
		})
		time.Sleep(time.Second)
		ear.snap()
		synctest.Wait()
		for p.st.ear() == nil || p.st.ear() == ear {
			time.Sleep(time.Millisecond)
		}
		ear = p.st.ear()
		ear.set(func() { ear.dropped = func(e Event) bool { return e.Pong != "" && !slices.Contains(pongs, e) } })
		time.Sleep(3 * time.Second) // every proof of before is over
		if p.CopiesTrusted() {
			t.Fatal("trusted without a pong")
		}
		for range 10 { // as many as there are open questions, and more
			for _, e := range pongs {
				ear.push(e)
			}
		}
		synctest.Wait()
		if len(pongs) == 0 || p.CopiesTrusted() {
			t.Errorf("%d old pongs made copies trusted", len(pongs))
		}
	})
}

// Without Redis at start every request asks, and says so if that fails; and trust begins when Redis is there.
func TestNobodyToListenToAtStart(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		p.st.breakWith(errDown)
		p.st.ear().snap()
		time.Sleep(time.Minute)
		if _, err := p.FromRequest(withCookies(&http.Cookie{Name: "__Host-Http-session", Value: ticketA})); !errors.Is(err, errDown) {
			t.Errorf("FromRequest = %v", err)
		}
		p.st.breakWith(nil)
		time.Sleep(2 * listenMax)
		if !p.CopiesTrusted() {
			t.Error("copies are not trusted")
		}
	})
}

// A proven copy needs no store; without proof there is an outage, and it is no sign-out.
func TestAnOutageBeginsWhenTheProofEnds(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		_, r := p.start(24 * time.Hour)
		ear := p.st.ear()
		ear.set(func() { ear.deaf = true })
		p.st.breakWith(errDown)
		began := time.Now()
		for time.Since(began) < 10*time.Second {
			_, err := p.FromRequest(r)
			if after := time.Since(began); (after < 1400*time.Millisecond && err != nil) || (after >= 2*time.Second && !errors.Is(err, errDown)) {
				t.Fatalf("after %v: %v", after, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		p.st.breakWith(nil)
		p.read(t, r)
	})
}

// A copy does not outlive its session's known expiry: the store is asked, and the answer is the store's.
func TestAKnownExpiryAsksTheStore(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		s, r := p.start(24 * time.Hour)
		time.Sleep(29 * time.Minute)
		if err := p.other.KeepAlive(t.Context(), s); err != nil { // nobody announces it
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := p.Peek(r); err != nil {
			t.Errorf("past the expiry that we knew: %v, although another process prolonged it", err)
		}
		time.Sleep(28*time.Minute - time.Millisecond)
		if _, err := p.Peek(r); err != nil {
			t.Errorf("a moment before the end: %v", err)
		}
		time.Sleep(time.Millisecond)
		if _, err := p.Peek(r); !errors.Is(err, ErrNone) {
			t.Errorf("after the end: %v", err)
		}
		if !slices.Contains(p.gone, s.ID()) {
			t.Error("Gone was not called")
		}
	})
}

// KeepAlive and touches of this process move what is known of the expiry.
func TestATouchMovesTheKnownExpiry(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		s, r := p.start(24 * time.Hour)
		time.Sleep(90 * time.Second)
		if err := p.KeepAlive(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		p.wants("2.5 minutes after the read, 1 after the touch", p.asks(func() { _, _ = p.Peek(r) }))
	})
}

// SES-13: what the store lost without a word, as by FLUSHALL or a hand, is gone after a minute in use, and after two if it is only looked at.
func TestWhatNobodyAnnouncesIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		use    func(p *pair, r *http.Request) error
		within time.Duration
	}{
		"in use":    {func(p *pair, r *http.Request) error { _, err := p.FromRequest(r); return err }, time.Minute},
		"looked at": {func(p *pair, r *http.Request) error { _, err := p.Peek(r); return err }, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			watching(t, 2*time.Second, func(t *testing.T, p *pair) {
				_, r := p.start(24 * time.Hour)
				p.st.mu.Lock()
				clear(p.st.records)
				p.st.mu.Unlock()
				began := time.Now()
				for c.use(p, r) == nil {
					time.Sleep(time.Second)
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("served for %v, want at most %v", took, c.within)
				}
			})
		})
	}
}

// SES-05: the absolute lifetime needs no store.
func TestACopyEndsWithItsDeadline(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		_, r := p.start(24 * time.Hour)
		began := time.Now()
		for {
			if _, err := p.FromRequest(r); errors.Is(err, ErrNone) {
				break
			}
			time.Sleep(time.Minute)
		}
		if lived := time.Since(began); lived != 12*time.Hour {
			t.Errorf("lived for %v, want 12h", lived)
		}
	})
}

// SES-05: nor does a store that forgot the end.
func TestACopyEndsWithItsDeadlineWithoutTheStore(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		s, r := p.start(24 * time.Hour)
		p.st.mu.Lock()
		k := p.st.records[s.ID()]
		k.expires = time.Now().Add(1000 * time.Hour)
		p.st.records[s.ID()] = k
		p.st.mu.Unlock()
		time.Sleep(12*time.Hour - time.Second)
		p.read(t, r)
		time.Sleep(time.Second)
		p.house.gone(t, r)
	})
}

// Time counts on two clocks. A machine that slept has a monotonic clock that did not notice, and one whose clock was set has another wall clock: neither may make old
// proof look fresh.
func TestProofAgesOnBothClocks(t *testing.T) {
	const staleness = 2 * time.Second
	sent := instant{mono: int64(time.Hour), wall: int64(1000 * time.Hour)}
	for _, c := range []struct {
		name       string
		mono, wall time.Duration
		want       bool
	}{
		{"at once", 0, 0, true},
		{"a moment before", staleness - 1, staleness - 1, true},
		{"at staleness", staleness, staleness, false},
		{"the process slept: only the wall clock went on", time.Millisecond, time.Minute, false},
		{"the wall clock was set back", time.Millisecond, -time.Minute, false},
		{"the wall clock was set back to just before", time.Minute, 0, false},
		{"the wall clock was set forward", time.Millisecond, time.Hour, false},
	} {
		now := instant{sent.mono + int64(c.mono), sent.wall + int64(c.wall)}
		if got := now.within(staleness, sent); got != c.want {
			t.Errorf("%s: within = %t, want %t", c.name, got, c.want)
		}
	}
	u := new(use)
	u.until(sent)
	for _, i := range []instant{{sent.mono, sent.wall - 1}, {sent.mono - 1, sent.wall}} {
		if u.lasts(i) {
			t.Errorf("an expiry that has passed on one clock holds on %v", i)
		}
	}
}
