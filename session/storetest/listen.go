package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/session"
)

// runListen checks what is heard of writes.
func runListen(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range heardStories {
		each(t, c.name, open, func(t *testing.T, s Subject) { hears(t, s, c.story, c.heard) })
	}
	each(t, "a pong comes behind every write that was there before the ping", open, pongsComeLast)
	each(t, "every listener hears everything", open, allHear)
	each(t, "a closed listener hears nothing, and its waiting ends", open, closes)
	each(t, "a caller whose time is up waits no more", open, waitsNoMore)
}

// heardStories tell what is announced: sessions in the order of the writes, each with its version, 0 and the reason for an end, + where it was prolonged.
var heardStories = []struct{ name, story, heard string }{
	{"every write is heard with its version, in order", `
		create s A 1h = ok
		update s 2B = ok
		create t A 1h = ok
		update s 3C = ok
		end s 10m limit = true`, "s1 s2 t1 s3 s0limit"},
	{"a write that is repeated is heard once or again, and no other", `
		create s A 1h = ok
		create s A 1h = ok
		update s 2B = ok
		update s 2B = ok`, "s1 s2"},
	{"an end is heard each time, also of what is not there", `
		end s 10m device = false
		end s 10m device = false`, "s0device"},
	{"whoever hears the end hears first why, as the end did that was first", `
		create s A 1h = ok
		end s 10m backchannel = true
		end s 10m logout = false`, "s1 s0backchannel"},
	{"a prolonged session is heard of, where it was prolonged", `
		create s A 30m = ok
		prolong s 1h = true
		prolong s 40m = false
		prolong t 1h = false`, "s1 s+"},
	{"what is refused is not heard", `
		create s A 1h = ok
		create s X 1h = conflict
		update s 3X = conflict
		update t 2X = none
		end s 10m = true
		create s X 1h = ended
		update s 2X = none`, "s1 s0logout"},
	{"what changes no session is not heard", `
		create s A 10m = ok
		touch s 1h = true
		read s = 1A
		ttl s = 1h
		add k s 5 1h = ok
		mark k 5 10m = s
		members k = s
		drop k s = ok
		lock s A 1m = true
		unlock s A = ok
		claim n A 1h = true`, "s1"},
}

// ear is a subscription and what it heard of one case's sessions: others share the server.
type ear struct {
	*teller
	session.Listener
	pings int
}

func listen(t testing.TB, s Subject) *ear {
	t.Helper()
	l, err := s.Store.Listen(t.Context())
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &ear{teller: &teller{t: t, Subject: s}, Listener: l}
}

// until returns what was heard before the answer to a ping that is sent now.
func (e *ear) untilPong() (heard []session.Event) {
	e.t.Helper()
	e.pings++
	payload := fmt.Sprint("ping ", e.pings)
	if err := e.Ping(e.t.Context(), payload); err != nil {
		e.t.Fatalf("ping: %v", err)
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), 20*time.Second)
	defer cancel()
	for {
		event, err := e.Receive(ctx)
		switch {
		case err != nil:
			e.t.Fatalf("receive: %v after %v", err, heard)
		case event.Pong == payload:
			return heard
		case event.Pong != "":
			e.t.Fatalf("pong %q, want %q", event.Pong, payload)
		}
		heard = append(heard, event)
	}
}

// hears tells a story and compares what was heard of it. Of each write the first time counts: in a cluster each server says it, sooner or later.
func hears(t *testing.T, s Subject, story, want string) {
	e := listen(t, s)
	tell(t, s, story)
	var words []string
	for _, event := range e.untilPong() {
		for _, word := range []string{"s", "t"} {
			if said := word + saidOf(event); event.ID == e.id(word) && !slices.Contains(words, said) {
				words = append(words, said)
			}
		}
	}
	if got := strings.Join(words, " "); got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
}

// saidOf is what an event says of its session.
func saidOf(e session.Event) string {
	if e.Prolonged {
		return "+"
	}
	return fmt.Sprint(e.Version, e.Reason)
}

// pongsComeLast writes from many sides at once. After each round, what was written is heard before the pong.
func pongsComeLast(t *testing.T, s Subject) {
	e := listen(t, s)
	latest := map[session.ID]uint64{}
	for w := range writers {
		latest[e.id(letter(w))] = 0
	}
	for version := uint64(1); version <= 20; version++ {
		together(func(w int) string {
			rec := session.Record{Version: version, Write: write(letter(w)), Sealed: []byte("x")}
			rec.Write[0] = byte(version)
			if version == 1 {
				return answer("ok", s.Store.Create(t.Context(), e.id(letter(w)), rec, s.Now().Add(time.Hour)))
			}
			return answer("ok", s.Store.Update(t.Context(), e.id(letter(w)), rec))
		})
		for _, event := range e.untilPong() {
			if before, ours := latest[event.ID]; ours {
				latest[event.ID] = max(event.Version, before) // each server of a cluster says it once, sooner or later
			}
		}
		for w := range writers {
			if got := latest[e.id(letter(w))]; got != version {
				t.Fatalf("version %d was heard of writer %d before the pong, want %d", got, w, version)
			}
		}
	}
}

func allHear(t *testing.T, s Subject) {
	one, two := listen(t, s), listen(t, s)
	tell(t, s, "create s A 1h = ok")
	for i, e := range []*ear{one, two} {
		if !slices.Contains(e.untilPong(), session.Event{ID: e.id("s"), Version: 1}) {
			t.Errorf("listener %d did not hear it", i)
		}
	}
}

func closes(t *testing.T, s Subject) {
	e := listen(t, s)
	e.untilPong()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		for {
			if _, err := e.Receive(context.Background()); err != nil {
				return
			}
		}
	})
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	waiting.Wait()
	if err := e.Ping(t.Context(), "late"); err == nil {
		t.Error("a ping after the close was sent")
	}
	if err := e.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

func waitsNoMore(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := s.Store.Listen(ctx); err == nil {
		_ = l.Close()
		t.Error("listen began although its time was up")
	}
	e := listen(t, s)
	for {
		event, err := e.Receive(ctx)
		if err != nil {
			break
		}
		if event.Pong != "" {
			t.Fatalf("pong %q without a ping", event.Pong)
		}
	}
	e.untilPong() // it still hears
}
