package memory_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/memory"
)

// marks is the documented multiple of MaxSessions by which marks, locks, claims and members are bounded.
const marks = 16

// TestBounds shows that every kind of thing has a bound, that a full store refuses with ErrFull what would start something new and
// nothing else, and that what has expired makes room.
func TestBounds(t *testing.T) {
	const sessions = 3
	for _, c := range []struct {
		name  string
		bound int
		add   func(t *testing.T, s *memory.Store, now time.Time, i int) error
	}{
		{"sessions", sessions, func(t *testing.T, s *memory.Store, now time.Time, i int) error {
			return s.Create(t.Context(), id(i), session.Record{Version: 1}, now.Add(time.Hour))
		}},
		{"ended marks of sessions that are not there", marks * sessions, func(t *testing.T, s *memory.Store, _ time.Time, i int) error {
			_, err := s.End(t.Context(), id(i), time.Hour, "logout")
			return err
		}},
		{"locks", marks * sessions, func(t *testing.T, s *memory.Store, _ time.Time, i int) error {
			_, err := s.Lock(t.Context(), id(i), session.WriteID{1}, time.Hour)
			return err
		}},
		{"claims", marks * sessions, func(t *testing.T, s *memory.Store, _ time.Time, i int) error {
			_, err := s.Claim(t.Context(), fmt.Sprint(i), session.WriteID{1}, time.Hour)
			return err
		}},
		{"members of one index", marks * sessions, func(t *testing.T, s *memory.Store, now time.Time, i int) error {
			return s.AddIndex(t.Context(), "k", session.Member{ID: id(i)}, now, now.Add(time.Hour))
		}},
		{"members of many indexes", marks * sessions, func(t *testing.T, s *memory.Store, now time.Time, i int) error {
			return s.AddIndex(t.Context(), session.IndexKey(fmt.Sprint(i)), session.Member{ID: "s"}, now, now.Add(time.Hour))
		}},
		{"marks of indexes", marks * sessions, func(t *testing.T, s *memory.Store, now time.Time, i int) error {
			_, err := s.MarkIndex(t.Context(), session.IndexKey(fmt.Sprint(i)), now, time.Hour)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, clock := open(t, sessions)
			for i := range c.bound {
				if err := c.add(t, s, clock.Now(), i); err != nil {
					t.Fatalf("number %d of %d: %v", i+1, c.bound, err)
				}
			}
			if err := c.add(t, s, clock.Now(), c.bound); !errors.Is(err, session.ErrFull) {
				t.Errorf("one too many: %v, want %v", err, session.ErrFull)
			}
			if err := c.add(t, s, clock.Now(), 0); err != nil {
				t.Errorf("one that is there already: %v, want none", err)
			}
			clock.advance(time.Hour)
			if err := c.add(t, s, clock.Now(), c.bound); err != nil {
				t.Errorf("after the others expired: %v, want none", err)
			}
		})
	}
}

// id is session number i.
func id(i int) session.ID { return session.ID(fmt.Sprint("session ", i)) }

// TestFullStoreEnds shows that a store that can take no further mark still ends every session that exists, and then takes none until
// there is room.
func TestFullStoreEnds(t *testing.T) {
	s, clock := open(t, 1)
	if err := s.Create(t.Context(), "mine", session.Record{Version: 1}, clock.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for i := range marks {
		if _, err := s.End(t.Context(), id(i), time.Hour, "logout"); err != nil {
			t.Fatal(err)
		}
	}
	if existed, err := s.End(t.Context(), "mine", time.Hour, "logout"); !existed || err != nil {
		t.Errorf("end = %t, %v, want true", existed, err)
	}
	if err := s.Create(t.Context(), "mine", session.Record{Version: 1}, clock.Now().Add(2*time.Hour)); !errors.Is(err, session.ErrEnded) {
		t.Errorf("create of the ended one: %v, want %v", err, session.ErrEnded)
	}
	if err := s.Create(t.Context(), "other", session.Record{Version: 1}, clock.Now().Add(2*time.Hour)); !errors.Is(err, session.ErrFull) {
		t.Errorf("create of another: %v, want %v", err, session.ErrFull)
	}
	clock.advance(time.Hour)
	if err := s.Create(t.Context(), "other", session.Record{Version: 1}, clock.Now().Add(2*time.Hour)); err != nil {
		t.Errorf("create of another when the marks have passed: %v, want none", err)
	}
}

// TestClosed shows that a closed store answers with an outage, and that Close may be called again.
func TestClosed(t *testing.T) {
	s, clock := open(t, 1)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := s.Create(t.Context(), "s", session.Record{Version: 1}, clock.Now().Add(time.Hour)); err == nil {
		t.Error("create on a closed store succeeded")
	}
	if _, err := s.Read(t.Context(), "s"); err == nil || errors.Is(err, session.ErrNone) {
		t.Errorf("read on a closed store: %v, want an outage", err)
	}
}
