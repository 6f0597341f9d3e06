package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"cloakroom/session"
)

// perSession is how many marks, locks, claims and index members there may be for each possible session. Marks outlive
// their session by minutes, claims belong to sign-ins that may never finish: so more than one, and a bound all the same.
const perSession = 16

// sweepEvery is how often the sweeper frees what has expired.
const sweepEvery = time.Minute

// errClosed is what every call answers after Close: an outage.
var errClosed = errors.New("memory store is closed")

// Store is a session.Store in this process' memory.
type Store struct {
	now func() time.Time

	mu      sync.Mutex // guards all below; nothing blocks under it
	closed  bool
	records *expiring[session.ID, session.Record]
	ended   *expiring[session.ID, string] // why
	locks   *expiring[session.ID, session.WriteID]
	claims  *expiring[string, session.WriteID]
	marks   *expiring[session.IndexKey, time.Time]
	members *expiring[member, seat]
	indexes map[session.IndexKey]map[session.ID]struct{} // the members by index
	arrived uint64                                       // counts the members that came
	entries map[entryID][]byte                           // of registers

	listeners map[*listener]struct{}

	stop    chan struct{}
	sweeper sync.WaitGroup
}

// member is one session in one index.
type member struct {
	key session.IndexKey
	id  session.ID
}

// seat is what an index holds of a session.
type seat struct {
	info  []byte
	added time.Time
	order uint64 // of arrival
}

var _ session.Store = (*Store)(nil)

// An Option changes what New makes.
type Option func(*Store)

// Now sets the clock, for tests. The default is time.Now.
func Now(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// New makes an empty store and starts its sweeper, which Close ends.
func New(cfg Config, options ...Option) *Store {
	n := max(1, cfg.MaxSessions)
	s := &Store{
		now:     time.Now,
		records: newExpiring[session.ID, session.Record](n),
		ended:   newExpiring[session.ID, string](perSession * n),
		locks:   newExpiring[session.ID, session.WriteID](perSession * n),
		claims:  newExpiring[string, session.WriteID](perSession * n),
		marks:   newExpiring[session.IndexKey, time.Time](perSession * n),
		members: newExpiring[member, seat](perSession * n),
		indexes: map[session.IndexKey]map[session.ID]struct{}{},
		entries: map[entryID][]byte{},
		stop:    make(chan struct{}),

		listeners: map[*listener]struct{}{},
	}
	s.members.dropped = s.unlist
	for _, option := range options {
		option(s)
	}
	s.sweeper.Go(func() { s.sweepUntilStopped(time.Tick(sweepEvery)) })
	return s
}

// Check reports whether the store is open.
func (s *Store) Check(ctx context.Context) error {
	_, release, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	return nil
}

// Close forgets everything and waits for the sweeper. Again is harmless.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	for l := range s.listeners {
		l.end(errClosed)
	}
	s.mu.Unlock()
	if first {
		close(s.stop)
	}
	s.sweeper.Wait()
	return nil
}

// enter begins a call: it takes the lock and the time, unless the caller's time is up.
func (s *Store) enter(ctx context.Context) (now time.Time, release func(), err error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, nil, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return time.Time{}, nil, errClosed
	}
	return s.now(), s.mu.Unlock, nil
}

// sweepUntilStopped sweeps at every tick until Close.
func (s *Store) sweepUntilStopped(tick <-chan time.Time) {
	for {
		select {
		case <-s.stop:
			return
		case <-tick:
			s.sweep()
		}
	}
}

// sweep frees what has expired, one kind at a time so that calls get their turn in between.
func (s *Store) sweep() {
	for _, part := range []func(time.Time){
		s.records.sweep, s.ended.sweep, s.locks.sweep, s.claims.sweep, s.marks.sweep, s.members.sweep,
	} {
		s.mu.Lock()
		part(s.now())
		s.mu.Unlock()
	}
}
