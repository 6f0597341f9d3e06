package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// endedMark is how long an ended session, and a user's logout, refuse what comes late. It covers a sign-in under way,
	// whose own cookie lives as long.
	endedMark = 10 * time.Minute
	// endTime bounds an end that nobody waits for any more.
	endTime = 5 * time.Second
)

// End ends a session that only its ID is known of. An error means that it was not written: the session may go on, and nobody
// may be told otherwise. Ending what is gone is fine.
//
// The reason is a stable word for metrics and the log.
func (m *Manager) End(ctx context.Context, id ID, reason string) error {
	_, err := m.end(ctx, id, m.known(ctx, id), reason)
	return err
}

// known is the session of an ID, where a copy of ours has its ticket. It is read again, since another process may have refreshed it, and whoever hears
// of the end revokes its tokens. nil if we have no copy.
func (m *Manager) known(ctx context.Context, id ID) *Session {
	s := m.copies.session(id)
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(settled(ctx), tryTime)
	defer cancel()
	if _, cur, err := m.writer.load(ctx, s.ticket); err == nil {
		return cur
	}
	return s // good enough for its indexes
}

// EndOne is End for a session in hand.
func (m *Manager) EndOne(ctx context.Context, s *Session, reason string) error {
	_, err := m.end(ctx, s.id, s, reason)
	return err
}

// end deletes and marks first, then cleans the indexes. Once begun it does not stop because the client went away.
func (m *Manager) end(ctx context.Context, id ID, s *Session, reason string) (existed bool, err error) {
	ctx, cancel := context.WithTimeout(settled(ctx), endTime)
	defer cancel()
	existed, err = m.store.End(ctx, id, endedMark)
	if err != nil {
		m.copies.doubt(id)
		err = fmt.Errorf("end session: %w", err)
	}
	if err != nil && !errors.Is(err, ErrUnreplicated) {
		return false, err
	}
	m.gone(id)
	if s != nil && err == nil { // where a failover may bring the session back, it must be found again
		m.leave(ctx, s)
	}
	if existed {
		m.deps.Ended(s, reason)
	}
	return existed, err
}

// settled is ctx without its end: for what has to be finished although the request that began it is over.
// Whoever uses it adds a deadline, or calls only a store that has its own.
func settled(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
