package memory_test

import (
	"sync"
	"testing"
	"time"

	"cloakroom/session/memory"
	"cloakroom/session/storetest"
)

// clock is a clock that moves when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// open makes a store of one case with a clock of its own.
func open(t *testing.T, sessions int) (*memory.Store, *clock) {
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	s := memory.New(memory.Config{MaxSessions: sessions}, memory.Now(c.Now))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s, c
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		s, c := open(t, 100)
		return storetest.Subject{Store: s, Now: c.Now, Short: time.Second, Pass: func() { c.advance(100 * time.Millisecond) }}
	})
}
