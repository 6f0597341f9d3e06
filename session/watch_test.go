package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pair are two processes on one store: one keeps copies and listens, the other writes.
type pair struct {
	*house
	t       *testing.T
	st      *fakeStore // as the listening process sees it
	other   *house
	idp     *fakeProvider
	flushed int
	resubs  int
	gone    []ID
	why     []string // of those
	tokens  []string // refresh tokens of ends elsewhere, with the reason
	changed int
}

// watching runs a story in time of its own.
func watching(t *testing.T, staleness time.Duration, story func(t *testing.T, p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st, provider := newFakeStore(), newFakeProvider()
		p := &pair{t: t, st: st, idp: provider}
		note := func(f func()) { p.mu.Lock(); defer p.mu.Unlock(); f() }
		p.house = newHouse(t, st, provider, func(c *Config, d *Deps) {
			c.Staleness = staleness
			d.Flushed = func() { note(func() { p.flushed++ }) }
			d.Resubscribed = func() { note(func() { p.resubs++ }) }
			d.Gone = func(id ID, why string) { note(func() { p.gone, p.why = append(p.gone, id), append(p.why, why) }) }
			d.Changed = func(ID) { note(func() { p.changed++ }) }
			d.EndedElsewhere = func(s *Session, why string) {
				note(func() { p.tokens = append(p.tokens, s.Tokens.Refresh+" "+why) })
			}
		})
		p.other = newHouse(t, st.view(), provider)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { p.Watch(ctx) })
		t.Cleanup(func() { cancel(); running.Wait() })
		synctest.Wait()
		story(t, p)
	})
}

// start signs alice in and fetches the copy that the requests after it use.
func (p *pair) start(life time.Duration) (*Session, *http.Request) {
	p.t.Helper()
	s := alice(life)
	r := p.signIn(p.t, s)
	synctest.Wait()
	p.read(p.t, r)
	return s, r
}

// asks tells what the store was asked while f ran, but for pings.
func (p *pair) asks(f func()) []string {
	p.st.mu.Lock()
	before := len(p.st.ops)
	p.st.mu.Unlock()
	f()
	p.st.mu.Lock()
	defer p.st.mu.Unlock()
	return slices.Clone(p.st.ops[before:])
}

// wants compares what the store was asked.
func (p *pair) wants(what string, got []string, want ...string) {
	p.t.Helper()
	if !slices.Equal(got, want) {
		p.t.Errorf("%s: the store was asked %q, want %q", what, got, want)
	}
}

func TestAProvenCopyAsksTheStoreNothing(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		_, r := p.start(24 * time.Hour)
		asked := p.asks(func() {
			for range 3600 { // an hour
				first := p.read(t, r)
				if second, err := p.Peek(r); err != nil || second != first {
					t.Fatalf("Peek = %v, %v", second, err)
				}
				time.Sleep(time.Second)
			}
		})
		if n := len(asked); n < 59 || n > 60 || slices.Contains(asked, "read") {
			t.Errorf("in an hour the store was asked %d times, %q; want 60 touches", n, slices.Compact(asked))
		}
		if !p.CopiesTrusted() {
			t.Error("copies are not trusted")
		}
	})
}

func TestStalenessZeroAsksEachTime(t *testing.T) {
	watching(t, 0, func(t *testing.T, p *pair) {
		s, r := p.start(time.Hour)
		p.wants("three requests", p.asks(func() { p.read(t, r); p.read(t, r); p.read(t, r) }), "read", "read", "read")
		if p.CopiesTrusted() {
			t.Error("copies are trusted")
		}
		if err := p.other.EndOne(t.Context(), s, "logout"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !slices.Contains(p.gone, s.ID()) {
			t.Error("the end was not heard: streams depend on it, whatever staleness is")
		}
	})
}

func TestAnEndElsewhereIsObeyedWhenItIsHeard(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		s, r := p.start(time.Hour)
		if err := p.other.EndOne(t.Context(), s, "logout"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // no time passes
		p.house.gone(t, r)
		if !slices.Contains(p.gone, s.ID()) {
			t.Error("Gone was not called")
		}
		if alive, err := p.Alive(t.Context(), s.ID()); alive || err != nil {
			t.Errorf("Alive = %t, %v", alive, err)
		}
	})
}

func TestAWriteElsewhereIsSeenWhenItIsHeard(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		s, r := p.start(time.Hour)
		next, err := p.other.OtherToken(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.wants("the next request", p.asks(func() {
			if got := p.read(t, r); got.Tokens.Access != next.Tokens.Access {
				t.Error("it has the old token")
			}
		}), "read")
		p.wants("the one after it", p.asks(func() { p.read(t, r) }))
	})
}

// What this process wrote holds at once, before it is heard, and its own announcement takes nothing back.
func TestOwnWritesHoldAtOnce(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		s, r := p.start(time.Hour)
		ear := p.st.ear()
		ear.set(func() { ear.held = true })
		next, err := p.OtherToken(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.read(t, r); got.Tokens.Access != next.Tokens.Access {
			t.Error("the request after a refresh has the old token")
		}
		ear.set(func() { ear.held = false })
		synctest.Wait()
		p.wants("after our own announcement", p.asks(func() { p.read(t, r) }))
		ear.set(func() { ear.held = true })
		if err := p.EndOne(t.Context(), s, "logout"); err != nil {
			t.Fatal(err)
		}
		p.house.gone(t, r)
		ear.set(func() { ear.held = false })
	})
}

func TestAnEndThatMayHaveBeenWrittenTakesTheTrust(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		s, r := p.start(time.Hour)
		p.st.breakWith(errDown, "end")
		if err := p.EndOne(t.Context(), s, "logout"); err == nil {
			t.Fatal("no error")
		}
		p.wants("the next request", p.asks(func() { p.read(t, r) }), "read")
	})
}

// Old and repeated announcements change nothing; a newer one makes the next request ask. Whatever their order.
func TestAnnouncementsInAnyOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		heard []uint64
		asks  []string
	}{
		{"the version that we have", []uint64{1}, nil},
		{"the version that we have, twice", []uint64{1, 1}, nil},
		{"a newer one", []uint64{2}, []string{"read"}},
		{"newer ones the wrong way round", []uint64{3, 2}, []string{"read"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			watching(t, 2*time.Second, func(t *testing.T, p *pair) {
				s, r := p.start(time.Hour)
				for _, version := range c.heard {
					p.st.ear().push(Event{ID: s.ID(), Version: version})
				}
				synctest.Wait()
				p.wants("the next request", p.asks(func() { p.read(t, r) }), c.asks...)
			})
		})
	}
	t.Run("an end before a write that came earlier", func(t *testing.T) {
		watching(t, 2*time.Second, func(t *testing.T, p *pair) {
			s, r := p.start(time.Hour)
			ear := p.st.ear()
			ear.set(func() { ear.dropped = func(e Event) bool { return e.Pong == "" } })
			if err := p.other.EndOne(t.Context(), s, "logout"); err != nil {
				t.Fatal(err)
			}
			ear.set(func() { ear.dropped = nil })
			ear.push(Event{ID: s.ID()})
			ear.push(Event{ID: s.ID(), Version: 1})
			synctest.Wait()
			p.house.gone(t, r)
		})
	})
}

// A read that is overtaken serves the request that it was made for, which began before, and no other.
func TestWhatHappensDuringALoad(t *testing.T) {
	write := func(p *pair, s *Session) error { _, err := p.other.OtherToken(p.t.Context(), s); return err }
	end := func(p *pair, s *Session) error { return p.other.EndOne(p.t.Context(), s, "logout") }
	for _, c := range []struct {
		name   string
		during func(p *pair, s *Session) error
		asks   []string
		gone   bool
	}{
		{"nothing", func(*pair, *Session) error { return nil }, nil, false},
		{"a write", write, []string{"read"}, false},
		{"an end", end, []string{"read"}, true},
		{"the connection breaks and is back", func(p *pair, _ *Session) error { p.st.ear().snap(); time.Sleep(time.Second); return nil }, []string{"read"}, false},
		{"the connection breaks, and misses an end", func(p *pair, s *Session) error {
			ear := p.st.ear()
			ear.set(func() { ear.deaf = true })
			if err := end(p, s); err != nil {
				return err
			}
			ear.snap()
			time.Sleep(time.Second)
			return nil
		}, []string{"read"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			watching(t, 2*time.Second, func(t *testing.T, p *pair) {
				s := alice(time.Hour)
				r := p.signIn(t, s)
				synctest.Wait()
				p.st.after = func(op string) error {
					if op != "read" {
						return nil
					}
					p.st.after = nil
					err := c.during(p, s)
					synctest.Wait()
					return err
				}
				if _, err := p.Peek(r); err != nil {
					t.Fatal(err)
				}
				if !p.CopiesTrusted() {
					t.Fatal("copies are not trusted: the case shows nothing")
				}
				p.wants("the next request", p.asks(func() {
					if _, err := p.Peek(r); errors.Is(err, ErrNone) != c.gone {
						t.Errorf("Peek = %v", err)
					}
				}), c.asks...)
			})
		})
	}
}

// A slow read does not replace what a faster one brought.
func TestASlowLoadTakesNothingBack(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		s := alice(time.Hour)
		r := p.signIn(t, s)
		synctest.Wait()
		ear, slow, turn := p.st.ear(), make(chan struct{}), make(chan struct{})
		ear.set(func() { ear.held = true })
		p.st.after = func(string) error { p.st.after = nil; close(turn); <-slow; return nil }
		done := make(chan struct{})
		go func() { _, _ = p.Peek(r); close(done) }()
		<-turn
		next, err := p.other.OtherToken(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		p.read(t, r)
		close(slow)
		<-done
		if got := p.read(t, r); got.Tokens.Access != next.Tokens.Access {
			t.Error("the old session is back")
		}
		ear.set(func() { ear.held = false })
	})
}

// newSeed is where chance comes from; a failing test prints it.
func newSeed(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// The loss is logged once, whatever the tries, and the recovery once.
func (p *pair) logged(lost, heard int) {
	p.t.Helper()
	synctest.Wait()
	log := p.log.String()
	if n := strings.Count(log, "event=announcements_lost"); n != lost {
		p.t.Errorf("%d losses were logged, want %d\n%s", n, lost, log)
	}
	if n := strings.Count(log, "event=announcements_heard"); n != heard {
		p.t.Errorf("%d recoveries were logged, want %d\n%s", n, heard, log)
	}
}
