package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// FromRequest returns the session of a request and counts the request as use: the idle timeout starts anew. While the store's announcements
// prove alive it asks the store nothing, else once.
//
// ErrNone if there is none: no cookie, an unknown, ended or expired session, one that this server's secrets do not open. ErrTwoCookies
// if there are several. Any other error is an outage.
func (m *Manager) FromRequest(r *http.Request) (*Session, error) {
	now := m.now()
	o, err := m.find(r, now, true)
	if err != nil {
		return nil, err
	}
	if m.touch(r.Context(), o, now) {
		return o.session, nil
	}
	// The store moved nothing: another replica was first, or the session has just gone.
	if o, err = m.find(r, now, false); err != nil {
		return nil, err
	}
	return o.session, nil
}

// Peek is FromRequest without counting as use.
func (m *Manager) Peek(r *http.Request) (*Session, error) {
	o, err := m.find(r, m.now(), true)
	if err != nil {
		return nil, err
	}
	return o.session, nil
}

// CookieIDs names the sessions whose tickets a request carries, without asking the store: they may be over. Several mean that
// somebody planted one.
func (m *Manager) CookieIDs(r *http.Request) (ids []ID) {
	for ticket := range m.cookie.all(r.Header) {
		if _, id, ok := parseTicket(ticket); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// Alive reports whether a session is in the store, which it always asks. For streams, whose sessions may have ended while nobody heard it.
func (m *Manager) Alive(ctx context.Context, id ID) (bool, error) {
	_, err := m.store.TTL(ctx, id)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrNone) || errors.Is(err, ErrCorrupt):
		m.copies.doubt(id)
		return false, nil
	}
	return false, fmt.Errorf("read session's expiry: %w", err)
}

// find returns the session of a request, where trust allows it a copy that the store need not confirm. now is when the request came.
func (m *Manager) find(r *http.Request, now time.Time, trust bool) (*opened, error) {
	ticket, err := m.cookie.read(r.Header)
	if err != nil {
		return nil, err
	}
	key, id, ok := parseTicket(ticket)
	if !ok {
		return nil, ErrNone
	}
	if trust {
		if o := m.copies.trusted(id, now); o != nil {
			return o, nil // ended, changed or expired it is not: that would have been heard, or is not due yet
		}
	}
	return m.load(r.Context(), ticket, key, id)
}

// load asks the store.
func (m *Manager) load(ctx context.Context, ticket string, key ticketKey, id ID) (*opened, error) {
	began, l := m.now(), m.copies.begin(id)
	defer m.copies.done(id, l)
	rec, left, err := m.read(ctx, id, l != nil)
	switch {
	case err == nil:
	case errors.Is(err, ErrCorrupt):
		m.unreadable(id, errDamaged)
		return nil, ErrNone
	case errors.Is(err, ErrNone):
		m.missing(id)
		return nil, ErrNone
	default:
		return nil, fmt.Errorf("read session: %w", err)
	}
	o := m.copies.get(id, rec)
	if o == nil || !m.seal.knows(rec.Sealed) { // it may have been opened with a secret that is no more
		s, err := m.open(key, id, rec)
		if err != nil {
			m.unreadable(id, err)
			return nil, ErrNone
		}
		s.ticket = ticket
		o = m.copies.put(id, rec, s)
	}
	if !m.now().Before(o.session.Deadline) {
		m.gone(id, ReasonLifetime)
		return nil, ErrNone
	}
	if l != nil {
		o.use.until(m.askAgain(began, left))
		m.copies.current(id, o, l)
	}
	return o, nil
}

// read asks for the time to live only where it is of use.
func (m *Manager) read(ctx context.Context, id ID, withTTL bool) (rec Record, left time.Duration, err error) {
	if withTTL {
		return m.store.ReadTTL(ctx, id)
	}
	rec, err = m.store.Read(ctx, id)
	return rec, 0, err
}

// askAgain is from when on a session's copy has to be confirmed, that had left to live at began: when the store may have expired it, and at the latest after two
// turns of the touch. The touch confirms a session in use; what nobody touches and nobody announces, such as a key that was deleted by hand, shows by then.
func (m *Manager) askAgain(began time.Time, left time.Duration) instant {
	return m.copies.instant(began).add(min(left, 2*touchEvery(m.cfg.IdleTimeout)))
}

// keepWritten keeps a copy of what this process has just stored. It is not trusted before the store was asked; but if another process ends the session before the next
// request comes, its newest tokens are known here and perhaps nowhere else.
func (m *Manager) keepWritten(ticket string, key ticketKey, id ID, rec Record) {
	if s, err := m.open(key, id, rec); err == nil {
		s.ticket = ticket
		m.copies.put(id, rec, s)
	}
}

// open turns a record into a session without its ticket.
func (m *Manager) open(key ticketKey, id ID, rec Record) (*Session, error) {
	content, deadline, err := m.seal.open(key, id, rec.Version, rec.Sealed)
	if err != nil {
		return nil, err
	}
	s, err := decode(content)
	if err != nil {
		return nil, err
	}
	s.id, s.version, s.Deadline, s.memo = id, rec.Version, deadline, newMemo()
	return s, nil
}

// unreadable is the alarm for something sealed that does not open. It is never deleted, and the cookie stays: during a rolling
// restart another replica may know a secret or a format that we do not.
func (m *Manager) unreadable(id ID, err error) {
	var why unreadable
	if !errors.As(err, &why) {
		why = errForged
	}
	m.log.Warn("sealed session does not open", "event", "session_unreadable", "reason", string(why), "session", id.Short())
}
