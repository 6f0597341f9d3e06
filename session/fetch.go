package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// exchange fetches a grant without spending anything: it takes the access token that was read under the lock. So there is nothing to record, and whoever comes next
// may ask again.
func (m *Manager) exchange(ctx, writing context.Context, l *lease, s *Session) (*Session, error) {
	if !m.alive(s) {
		return nil, errors.New("the session's own access token has run out")
	}
	t := l.errand.target
	asking, cancel := context.WithTimeout(settled(ctx), m.refreshTimeout())
	defer cancel()
	g, err := m.ask(asking, s, t)
	if err == nil {
		err = g.Refused
	}
	if err != nil {
		return nil, fmt.Errorf("fetch grant: %w", err)
	}
	next, err := m.roomy(s.withGrant(t.Key, g.Tokens, m.now()))
	if err != nil {
		return nil, err // the session was too large before
	}
	stored, err := m.write(writing, l, next)
	switch {
	case errors.Is(err, ErrNone):
		m.deps.Orphaned(s.only(g.Tokens.Access)) // the session has ended: what was made from it must not live on
		return nil, ErrNone
	case errors.Is(err, ErrConflict): // we were stopped with the lock in hand, and somebody else went on
		if stored, err = m.reread(s); err == nil && !l.errand.enough(stored) {
			return nil, errChanged
		}
	}
	return t.outcome(g)(stored, err)
}

// withSpent is s after an answer to its refresh token that brought a grant, or was to: the refresh token is another, and where there are newer claims, they hold.
// The session's own access token stays.
func (s *Session) withSpent(t Target, g Granted, now time.Time) *Session {
	next := s.with(g.Refreshed, now)
	own := s.Tokens
	own.Refresh, own.ID = next.Tokens.Refresh, next.Tokens.ID
	next.Tokens, next.Grants = own, s.Grants
	if g.Refused != nil {
		g.Tokens.Access = ""
	}
	return next.withGrant(t.Key, g.Tokens, now)
}

// outcome makes a flight's result of what was stored.
func (t Target) outcome(g Granted) func(*Session, error) (*Session, error) {
	return func(stored *Session, err error) (*Session, error) {
		if err != nil {
			return nil, err
		}
		if g.Refused != nil {
			return nil, g.Refused
		}
		if _, ok := stored.grant(t.Key); !ok {
			return nil, fmt.Errorf("%w: it does not fit into the session", ErrGrantRefused)
		}
		return stored, nil
	}
}

// answeredAndLost is for a provider that took the refresh token, and answered that it does not grant this: some give the next refresh token only with a grant. Nobody
// knows then whether the one on record is good. It will be sent once more, as after a lost answer, but for this resource never again.
func (m *Manager) answeredAndLost(writing context.Context, l *lease, s *Session, cause error) error {
	lost, attempt := *s, *s.Attempt
	attempt.Lost = true
	lost.Attempt = &attempt
	if mark := l.errand.target.Resource; mark != "" {
		lost.Resources = nil
		for _, r := range s.Resources {
			if r == mark {
				r = refusedMark + r
			}
			lost.Resources = append(lost.Resources, r)
		}
	}
	if _, err := m.write(writing, l, &lost); err != nil {
		m.log.Debug("refused resource is not marked", "session", l.id.Short(), "error", err)
	}
	m.deps.Refreshed(RefreshUnknown)
	m.log.Warn("outcome of a refresh is not known", "event", "refresh_unknown", "session", l.id.Short(), "error", cause)
	return fmt.Errorf("fetch grant: %w", cause)
}

// roomy lets go of grants, the oldest first, until the session fits its bound. They can be fetched again; nothing else can.
func (m *Manager) roomy(s *Session) (*Session, error) {
	next := *s
	for {
		err := m.fits(&next)
		if err == nil || len(next.Grants) == 0 {
			return &next, err
		}
		next.Grants = next.Grants[1:]
	}
}

// only is s with nothing but an access token, for whoever revokes that.
func (s *Session) only(access string) *Session {
	next := *s
	next.Tokens, next.Grants = Tokens{Access: access}, nil
	return &next
}
