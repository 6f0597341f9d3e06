package redis

import (
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// aloneFor is how long a server counts as left alone since somebody last wanted it. One that a cluster has replaced is wanted by nobody.
const aloneFor = 15 * time.Second

// Health is what a store's owner may want to measure.
type Health struct {
	// LeftAlone tells whether a server that gave no answers is left alone, but for one command at a time: all others fail at once.
	LeftAlone bool
	// Opened counts how often that began. A server that is asked again, in vain, is not counted again.
	Opened int64
	// Unreplicated counts writes, each try, that were on fewer replicas in time than Config.Wait says.
	Unreplicated int64
}

// Health says how the servers are doing.
func (s *Store) Health() Health {
	last := s.health.alone.Load()
	return Health{
		LeftAlone:    last != 0 && time.Now().UnixMilli()-last < aloneFor.Milliseconds(),
		Opened:       s.health.opened.Load(),
		Unreplicated: s.health.unreplicated.Load(),
	}
}

// health is what a store's breakers and writes note. Times are milliseconds since 1970.
type health struct {
	failing      atomic.Int64 // when a command last got no answer
	alone        atomic.Int64 // when a server was last left alone; 0: an answer came since
	opened       atomic.Int64
	unreplicated atomic.Int64
}

// changed is told of a breaker's states.
func (h *health) changed(from, to gobreaker.State) {
	switch to {
	case gobreaker.StateOpen:
		if from == gobreaker.StateClosed {
			h.opened.Add(1)
		}
		h.leave()
	case gobreaker.StateClosed:
		h.alone.Store(0) // in a cluster another server may be left alone: its next command says so again
	}
}

// leave notes that a server is left alone.
func (h *health) leave() { h.alone.Store(time.Now().UnixMilli()) }
