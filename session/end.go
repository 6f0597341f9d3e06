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
		return false, fmt.Errorf("end session: %w", err)
	}
	m.copies.drop(id)
	if s != nil {
		m.leave(ctx, s)
	}
	if existed {
		m.deps.Ended(s, reason)
	}
	return existed, nil
}

// settled is ctx without its end: for what has to be finished although the request that began it is over.
// Whoever uses it adds a deadline, or calls only a store that has its own.
func settled(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// EndByProvider ends what a back-channel logout asks for: with a sid the sessions that hang on it, without one all sessions of
// the subject; in each case those whose ID token was not issued later than the logout token. The same holds, by the mark that stays, for a sign-in that
// is under way. It reports how many sessions it ended; none is fine.
//
// ErrMismatch if subject and sid are given and contradict each other: then nobody is signed out. Any other error means that
// not all ends were written, and that the provider should try again.
func (m *Manager) EndByProvider(ctx context.Context, issuer, subject, sid string, issued time.Time) (ended int, err error) {
	key := userIndex(issuer, subject)
	if sid != "" {
		key = providerIndex(issuer, sid)
		if err := m.agree(ctx, key, subject); err != nil {
			return 0, err
		}
	}
	members, err := m.mark(ctx, key, issued)
	if err != nil {
		return 0, fmt.Errorf("mark index: %w", err)
	}
	var failed []error
	for _, member := range members {
		info, readable := m.info(key, member)
		if readable && !meant(info, subject, issued) {
			continue
		}
		entries := []IndexKey{key}
		if readable {
			entries = indexesOf(&Session{Issuer: issuer, Subject: info.Subject, ProviderSession: info.ProviderSession})
		}
		existed, err := m.endMember(ctx, member.ID, entries, "backchannel")
		if err != nil {
			failed = append(failed, err)
		}
		if existed {
			ended++
		}
	}
	return ended, errors.Join(failed...)
}

// meant tells whether a logout token is about this session. Order is by the provider's clock on both sides; in the same second the logout wins.
func meant(i memberInfo, subject string, issued time.Time) bool {
	return (subject == "" || i.Subject == subject) && !fromMillis(i.IssuedAt).After(issued)
}

// agree refuses a logout token whose sid belongs to another subject's session.
func (m *Manager) agree(ctx context.Context, key IndexKey, subject string) error {
	if subject == "" {
		return nil
	}
	members, err := m.living(ctx, key)
	if err != nil {
		return err
	}
	for _, member := range members {
		if info, ok := m.info(key, member); ok && info.Subject != subject {
			return ErrMismatch
		}
	}
	return nil
}

// mark refuses from now on what was issued before, and lists what is there, in one step of the store.
func (m *Manager) mark(ctx context.Context, key IndexKey, issued time.Time) ([]Member, error) {
	ctx, cancel := context.WithTimeout(settled(ctx), endTime)
	defer cancel()
	return m.store.MarkIndex(ctx, key, issued, endedMark)
}

// endMember ends one member of an index and takes it out of the indexes that it says it is in.
func (m *Manager) endMember(ctx context.Context, id ID, entries []IndexKey, reason string) (existed bool, err error) {
	s := m.known(ctx, id)
	existed, err = m.end(ctx, id, s, reason)
	if err == nil && s == nil {
		for _, key := range entries {
			m.dropEntry(settled(ctx), key, id)
		}
	}
	return existed, err
}
