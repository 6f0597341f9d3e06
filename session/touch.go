package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// touchEvery is how often a process moves one session's idle timeout: a twentieth of it, at most once a minute.
// So a session may end that much earlier than its last request would have it, and a busy one costs almost no writes.
func touchEvery(idle time.Duration) time.Duration { return min(time.Minute, idle/20) }

// touch moves the idle timeout if it is time to. It returns false if it turned out that the session may be gone.
// An outage is not reported: the session was just read, and the next request tries again.
func (m *Manager) touch(ctx context.Context, o *opened, now time.Time) bool {
	previous, due := o.use.claimTouch(now, touchEvery(m.cfg.IdleTimeout))
	if !due {
		return true
	}
	end := m.idleEnd(o.session, now)
	moved, err := m.store.Touch(ctx, o.session.id, end)
	if err != nil {
		o.use.touched.CompareAndSwap(now.UnixMilli(), previous)
		m.log.Debug("idle timeout not moved", "session", o.session.id.Short(), "error", err)
		return true
	}
	if moved {
		o.use.until(m.askAgain(now, end.Sub(now)))
	}
	return moved
}

// idleEnd is when s ends if nobody uses it from now on. Never later than its deadline.
func (m *Manager) idleEnd(s *Session, now time.Time) time.Time {
	return earlier(now.Add(m.cfg.IdleTimeout), s.Deadline)
}

// KeepAlive moves the idle timeout at once, and announces it: pages that were warned of the end learn that it is off. ErrNone if the session is gone.
func (m *Manager) KeepAlive(ctx context.Context, s *Session) error {
	now := m.now()
	end := m.idleEnd(s, now)
	moved, err := m.store.Prolong(ctx, s.id, end)
	if err != nil {
		return fmt.Errorf("move idle timeout: %w", err)
	}
	if moved {
		m.copies.extend(s.id, m.askAgain(now, end.Sub(now)))
		return nil
	}
	_, err = m.IdleLeft(ctx, s) // already later, or gone
	return err
}

// IdleLeft is how long s lives if nothing touches it, without touching it. ErrNone if it is gone.
func (m *Manager) IdleLeft(ctx context.Context, s *Session) (time.Duration, error) {
	ttl, err := m.store.TTL(ctx, s.id)
	if errors.Is(err, ErrNone) {
		m.missing(s.id)
	}
	if err != nil {
		return 0, fmt.Errorf("read session's expiry: %w", err)
	}
	return min(ttl, s.Deadline.Sub(m.now())), nil
}
