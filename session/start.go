package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// unknownLife is how long an access token counts as good whose provider did not say.
const unknownLife = 5 * time.Minute

// signInTime is how long Start may take. Later than that its index entries, or the mark of a logout that it overlooked, may be gone.
const signInTime = 30 * time.Second

// Start makes s a session and gives the browser its ticket, a new one always: whatever cookie the request had, it is not adopted.
// s is filled by the caller, which must not have shared it yet; Handle, Created and Deadline are set here. The caller ends the sessions that s
// replaces, afterwards: they do not count towards the limit of sessions per user.
//
// ErrTooLarge if tokens and claims exceed the bound; ErrEnded if a logout that counts for s, or newer sign-ins under a limit, overtook it;
// ErrTooMany if the limit refuses it; ErrFull from a bounded store. After any error no cookie was set.
func (m *Manager) Start(ctx context.Context, w http.ResponseWriter, s *Session, replaces ...ID) error {
	now := m.now().UTC().Truncate(time.Millisecond)
	s.Handle = newHandle()
	s.Created, s.Deadline = now, now.Add(m.cfg.Lifetime)
	s.Tokens = s.Tokens.bounded(now)
	if err := m.fits(s); err != nil {
		return err
	}
	writing, ticket, err := m.writer.begin(ctx, s.Deadline)
	if err != nil {
		return err
	}
	_, s.id, _ = parseTicket(ticket)
	s.ticket, s.version = ticket, 0
	over, err := m.enter(ctx, s, replaces)
	if err != nil {
		m.leave(settled(ctx), s)
		return err
	}
	created, err := m.writer.commit(writing, s, newWriteID())
	switch {
	case err == nil && m.now().Sub(s.Created) > signInTime:
		return m.undo(ctx, s, errors.New("sign-in was interrupted for too long"))
	case err != nil && (decided(err) || errors.Is(err, ErrFull)): // there is no session
		m.leave(settled(ctx), s)
		return err
	case err != nil: // there may be one
		return m.undo(ctx, s, err)
	}
	if err := m.makeRoom(ctx, s, over); err != nil {
		return err
	}
	s.version = created.version
	m.cookie.set(w, ticket, m.cfg.Lifetime)
	m.deps.Started()
	return nil
}

// undo ends a session that no browser has a ticket of, and returns why, with what went wrong in doing so. Where the end cannot be written, the
// index entries stay: if there is a session after all, a logout finds it.
func (m *Manager) undo(ctx context.Context, s *Session, why error) error {
	ctx, cancel := context.WithTimeout(settled(ctx), endTime)
	defer cancel()
	if _, err := m.store.End(ctx, s.id, endedMark, "undone"); err != nil {
		return errors.Join(why, err)
	}
	m.leave(ctx, s)
	return why
}

// fits holds a session to the bound.
func (m *Manager) fits(s *Session) error {
	b, err := encode(s)
	if err != nil {
		return err
	}
	if limit := int(m.cfg.MaxSize); limit > 0 && len(b) > limit {
		return fmt.Errorf("%w: %d bytes of at most %d", ErrTooLarge, len(b), limit)
	}
	return nil
}

// bounded gives the access token an end where the provider gave none, or one that makes no sense: never "good for ever".
func (t Tokens) bounded(now time.Time) Tokens {
	if t.Issued.IsZero() {
		t.Issued = now
	}
	if !t.Expires.After(t.Issued) {
		t.Expires = t.Issued.Add(unknownLife)
	}
	return t
}

func newHandle() string {
	var b [8]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func newWriteID() (w WriteID) {
	rand.Read(w[:])
	return w
}
