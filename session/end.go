package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
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
	existed, err = m.store.End(ctx, id, endedMark, reason)
	if err != nil {
		m.copies.doubt(id)
		err = fmt.Errorf("end session: %w", err)
	}
	if err != nil && !errors.Is(err, ErrUnreplicated) {
		return false, err
	}
	m.gone(id, reason)
	if s != nil && err == nil { // where a failover may bring the session back, it must be found again
		m.leave(ctx, s)
	}
	switch {
	case existed:
		m.deps.Ended(s, reason)
	case s != nil: // somebody was faster, perhaps without knowing the tokens
		m.deps.EndedElsewhere(s, reason)
	}
	return existed, err
}

// missing takes notice that a session is not in the store any more. Its copy stays, though nobody is served by it: if somebody has ended it, that is heard in a moment, and
// then its tokens are wanted.
func (m *Manager) missing(id ID) {
	m.copies.doubt(id)
	m.deps.Gone(id, "")
}

// gone takes notice that a session is over. reason is empty where it is not known.
func (m *Manager) gone(id ID, reason string) {
	m.copies.hear(id, 0)
	m.deps.Gone(id, reason)
}

// heardEnd is gone for an end that was announced.
func (m *Manager) heardEnd(id ID, reason string) {
	if reason != "" {
		reason = understood(reason)
	}
	s := m.copies.newest(id)
	m.gone(id, reason)
	if s != nil {
		m.deps.EndedElsewhere(s, cmp.Or(reason, ReasonUnknown))
	}
}

// Why is the reason for which a session is over that is not in the store any more: what its mark says, or ReasonUnknown. ErrNone if no mark stands: it
// expired, or has been over for longer than marks last. Any other error is an outage.
func (m *Manager) Why(ctx context.Context, id ID) (string, error) {
	reason, err := m.store.Why(ctx, id)
	if err != nil {
		return "", fmt.Errorf("read why the session ended: %w", err)
	}
	return understood(reason), nil
}

// ClaimRevocation takes the revocation of an ended session's tokens for owner, once for all processes that know them. It answers true to the same owner
// again. After an error nothing is known.
func (m *Manager) ClaimRevocation(ctx context.Context, s *Session, owner WriteID) (bool, error) {
	// The version is part of it: a process that has missed the newest tokens must not keep the others from revoking them.
	return m.claim(ctx, "revocation", string(s.id)+" "+strconv.FormatUint(s.version, 10), owner)
}

// settled is ctx without its end: for what has to be finished although the request that began it is over.
// Whoever uses it adds a deadline, or calls only a store that has its own.
func settled(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
