package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// What came of a refresh, for Deps.Refreshed.
const (
	RefreshOK          = "ok"          // new tokens are stored
	RefreshRepeated    = "repeated"    // a token was sent again after a lost answer; counted beside the outcome
	RefreshRefused     = "refused"     // the provider refused the token: the session ended
	RefreshInterrupted = "interrupted" // the same after a lost answer: the session ended
	RefreshUnavailable = "unavailable" // certainly not spent; the session goes on
	RefreshUnknown     = "unknown"     // nobody knows whether it was spent
	RefreshLost        = "lost"        // new tokens came and could not be stored
	RefreshLate        = "late"        // a refusal came after somebody else had changed the session: nothing happened
)

const (
	// writeTime is how much longer than the provider's call a lease lasts: time to read, record and store.
	writeTime = 10 * time.Second
	// tryTime bounds one command of a write that is tried again.
	tryTime = 2 * time.Second
	// Those who wait for another process' refresh look again after pollFirst, then less and less often.
	pollFirst, pollMax = 25 * time.Millisecond, 400 * time.Millisecond
)

// lease is a lock of the store as its holder sees it: until is early, since the clock started before the lock was asked for.
type lease struct {
	id     ID
	owner  WriteID
	errand errand
	until  time.Time
	keep   time.Time // the lock is not freed before
}

func (m *Manager) leaseTime() time.Duration { return m.refreshTimeout() + writeTime }

// fly is a flight from start to end, in its own time: whoever asked for it may have hung up. It lasts at most as long as a dead process' lease and one
// of its own.
func (m *Manager) fly(f *flight, s *Session, e errand) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*m.leaseTime())
	defer cancel()
	f.session, f.err = m.lockAndRun(ctx, s, e)
	if f.err != nil && !errors.Is(f.err, ErrNone) && m.over(s) {
		f.err = ErrNone // no old token serves whoever waited
	}
	key := errandKey{s.id, e.target.Key}
	switch {
	case f.err == nil:
		m.pauses.failed.Remove(key)
	case !errors.Is(f.err, ErrNone):
		p := pause{until: m.now().Add(retryPause), err: f.err}
		if early, ok := errors.AsType[tooEarly](f.err); ok && early.until.After(p.until) {
			p.until = early.until
		}
		m.pauses.failed.Add(key, p)
	}
}

// over reports whether a session has ended meanwhile, where that can be known.
func (m *Manager) over(s *Session) bool {
	if m.copies.trusted(s.id, m.now()) != nil {
		return false
	}
	_, err := m.reread(s)
	return errors.Is(err, ErrNone)
}

// lockAndRun takes the session's lock and runs the errand, or waits until whoever has the lock brought something that is enough.
func (m *Manager) lockAndRun(ctx context.Context, s *Session, e errand) (*Session, error) {
	l := &lease{id: s.id, owner: newWriteID(), errand: e}
	defer m.unlock(l)
	for pause := pollFirst; ; pause = min(2*pause, pollMax) {
		held, err := m.lock(ctx, l)
		if err != nil {
			return nil, fmt.Errorf("lock refresh: %w", err)
		}
		if held {
			return m.underLock(ctx, s, l)
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("another process refreshes for too long")
		case <-time.After(pause):
		}
		_, cur, err := m.writer.load(ctx, s.ticket)
		if err != nil || e.enough(cur) {
			return cur, err
		}
		if cur.Attempt != nil && cur.Attempt.Lost {
			return nil, errLost
		}
	}
}

var errLost = errors.New("the answer to another process' refresh was lost")

// lock takes the lock or keeps it for another lease.
func (m *Manager) lock(ctx context.Context, l *lease) (bool, error) {
	ctx, cancel := context.WithTimeout(settled(ctx), tryTime)
	defer cancel()
	until := m.now().Add(m.leaseTime())
	held, err := m.store.Lock(ctx, l.id, l.owner, m.leaseTime())
	if held && err == nil {
		l.until = until
	}
	return held, err
}

// unlock frees the lock, also where taking it seemed to fail: the answer may have been lost. After a call of unknown outcome it
// leaves it to the store's clock to free it, when the call has ended for certain. If either fails, the lease ends by itself.
func (m *Manager) unlock(l *lease) {
	ctx, cancel := context.WithTimeout(context.Background(), tryTime)
	defer cancel()
	var err error
	if left := l.keep.Sub(m.now()); left > 0 {
		_, err = m.store.Lock(ctx, l.id, l.owner, left)
	} else {
		err = m.store.Unlock(ctx, l.id, l.owner)
	}
	if err != nil {
		m.log.Debug("refresh lock stays until its lease ends", "session", l.id.Short(), "error", err)
	}
}

// tooEarly says that the call of an attempt may still be under way, or that there is nothing more to try for a while.
type tooEarly struct{ until time.Time }

func (tooEarly) Error() string { return "outcome of an earlier refresh is not known" }

// underLock reads the session again, and runs the errand if what is there is not enough.
func (m *Manager) underLock(ctx context.Context, s *Session, l *lease) (*Session, error) {
	writing, cur, err := m.writer.load(ctx, s.ticket)
	if err != nil || l.errand.enough(cur) {
		return cur, err
	}
	if t := l.errand.target; t.Key != "" {
		if err := t.fits(cur); err != nil {
			return nil, err
		}
		if !t.Spends {
			return m.exchange(ctx, writing, l, cur)
		}
	}
	if cur.Tokens.Refresh == "" {
		return m.withoutRefresh(ctx, cur)
	}
	return m.spend(ctx, writing, l, cur)
}

// spend uses the session's refresh token, if what is on record allows it.
func (m *Manager) spend(ctx, writing context.Context, l *lease, cur *Session) (*Session, error) {
	before := m.unmade.counted(cur.Attempt)
	if err := m.stillOurs(settled(ctx), l, before); err != nil {
		return nil, fmt.Errorf("keep refresh lock: %w", err)
	}
	v, repeats := judge(before)
	switch {
	case v == spent && m.alive(cur):
		return nil, tooEarly{until: cur.Tokens.Expires}
	case v == spent:
		return m.giveUp(l, cur, RefreshInterrupted, "refresh_interrupted")
	}
	next, err := m.attempt(ctx, writing, l, cur, before, repeats)
	if errors.Is(err, ErrConflict) { // somebody who was stopped with the lock in hand went on: theirs is the newest
		if next, err = m.reread(cur); err == nil && !l.errand.enough(next) {
			return nil, errChanged
		}
	}
	return next, err
}

// stillOurs reports an error where an attempt is on record and the lock, asked for after that was read or written, is not ours any more: we were stopped, or the store forgot
// the lock in a failover. Then the attempt on record may be that of another, under way. If the lock is ours, an earlier attempt's call is over, and nobody begins another.
func (m *Manager) stillOurs(ctx context.Context, l *lease, recorded *Attempt) error {
	if recorded == nil {
		return nil
	}
	return m.again(ctx, m.now().Add(m.refreshTimeout()/4), func(ctx context.Context) error {
		held, err := m.lock(ctx, l)
		if err == nil && !held {
			return ErrConflict
		}
		return err
	})
}

// attempt records that the refresh token of s is about to be sent, sends it, and writes down what came of it. before is the attempt that counts on record.
func (m *Manager) attempt(ctx, writing context.Context, l *lease, s *Session, before *Attempt, repeats int) (*Session, error) {
	tried := *s
	tried.Attempt = &Attempt{ID: newHandle(), Deadline: m.now().Add(m.refreshTimeout()), Repeats: repeats}
	recorded, err := m.record(writing, &tried, before)
	if err != nil {
		return nil, fmt.Errorf("record attempt: %w", err)
	}
	g, err := m.sendIfOurs(ctx, recorded, l)
	if _, err2 := m.lock(ctx, l); err2 != nil { // a full lease for the writing; without it, the compare-and-set still decides
		m.log.Debug("refresh lock not renewed", "session", l.id.Short(), "error", err2)
	}
	return m.learn(writing, l, recorded, before, g, err)
}

// sendIfOurs sends if the lock is ours and what we recorded is on record, in this order: so nobody else had the lock in between, did something with it, and let it go.
func (m *Manager) sendIfOurs(ctx context.Context, s *Session, l *lease) (Granted, error) {
	if err := m.stillOurs(settled(ctx), l, s.Attempt); err != nil {
		return Granted{}, fmt.Errorf("%w: refresh lock is lost: %w", ErrUnsent, err)
	}
	cur, err := m.reread(s)
	if err == nil && cur.version != s.version {
		err = ErrConflict
	}
	if err != nil {
		return Granted{}, fmt.Errorf("%w: attempt is not on record: %w", ErrUnsent, err)
	}
	return m.send(ctx, s, l)
}

// send makes the one call, if there is time for it: at least half of what a call may take, or its answer could come too late for no other reason. The
// call ends before the attempt's deadline, and that is before the lease's end.
func (m *Manager) send(ctx context.Context, s *Session, l *lease) (g Granted, err error) {
	ctx, cancel := context.WithTimeout(settled(ctx), s.Attempt.Deadline.Sub(m.now())) // a flight that waited long gives its call no less time
	defer cancel()
	if s.Attempt.Deadline.Sub(m.now()) < m.refreshTimeout()/2 || l.until.Before(s.Attempt.Deadline) {
		return Granted{}, fmt.Errorf("%w: this process was stopped for too long", ErrUnsent)
	}
	if s.Attempt.Repeats > 0 {
		m.log.Warn("refresh token is sent again after a lost answer", "event", "refresh_repeated", "session", s.id.Short())
		m.deps.Refreshed(RefreshRepeated)
	}
	return m.ask(ctx, s, l.errand.target)
}

// ask calls the provider, for a grant or, without a target, for the session's own token.
func (m *Manager) ask(ctx context.Context, s *Session, t Target) (g Granted, err error) {
	defer func() {
		if p := recover(); p != nil { // in a goroutine of its own a panic would end the process; its value may quote a token
			m.log.Error("refresh panicked", "session", s.id.Short(), "stack", string(debug.Stack()))
			g, err = Granted{}, errors.New("refresh panicked")
		}
	}()
	if t.Key != "" {
		g, err = t.Fetch(ctx, s)
	} else {
		g.Refreshed, err = m.deps.Refresh(ctx, s)
	}
	if err == nil && g.Refused == nil && g.Tokens.Access == "" {
		return Granted{}, errors.New("provider answered without an access token")
	}
	return g, err
}

// learn writes down what became of the attempt. before is the attempt that was on record earlier.
func (m *Manager) learn(writing context.Context, l *lease, s *Session, before *Attempt, g Granted, err error) (*Session, error) {
	switch {
	case err == nil && l.errand.target.Key != "":
		return l.errand.target.outcome(g)(m.keep(writing, l, s, s.withSpent(l.errand.target, g, m.now())))
	case err == nil:
		return m.keep(writing, l, s, s.with(g.Refreshed, m.now()))
	case errors.Is(err, ErrInvalidGrant) && before != nil:
		return m.giveUp(l, s, RefreshInterrupted, "refresh_interrupted")
	case errors.Is(err, ErrInvalidGrant):
		return m.giveUp(l, s, RefreshRefused, "invalid_grant")
	case errors.Is(err, ErrUnsent):
		m.deps.Refreshed(RefreshUnavailable)
		m.unmade.add(s.Attempt)
		undone := *s
		undone.Attempt = before // as if it had not been made
		if _, err := m.write(writing, l, &undone); err != nil {
			m.log.Debug("attempt stays on record", "session", l.id.Short(), "error", err)
		}
		return nil, fmt.Errorf("refresh: %w", err)
	}
	if errors.Is(err, ErrGrantRefused) {
		return nil, m.answeredAndLost(writing, l, s, err)
	}
	l.keep = s.Attempt.Deadline
	m.markLost(writing, s)
	m.deps.Refreshed(RefreshUnknown)
	m.log.Warn("outcome of a refresh is not known", "event", "refresh_unknown", "session", l.id.Short(), "error", err)
	return nil, fmt.Errorf("refresh: %w: %w", err, tooEarly{until: s.Attempt.Deadline})
}

// keep stores new tokens. If that fails they are lost, and the attempt stays on record as one of unknown outcome.
func (m *Manager) keep(writing context.Context, l *lease, s, next *Session) (*Session, error) {
	next, err := m.roomy(next)
	if err != nil {
		m.log.Warn("refreshed session is too large", "event", "refresh_lost", "session", l.id.Short(), "error", err)
		m.deps.Orphaned(next)
		return m.giveUp(l, s, RefreshLost, "too_large")
	}
	stored, err := m.write(writing, l, next)
	switch {
	case errors.Is(err, ErrNone), err == nil && m.over(stored): // the second: its end may have been heard before we had these tokens for a copy
		m.deps.Orphaned(next) // a logout was first: its tokens must not live on
		return nil, ErrNone
	case err == nil:
		m.deps.Refreshed(RefreshOK)
		return stored, nil
	}
	m.deps.Refreshed(RefreshLost)
	m.log.Error("refreshed tokens could not be stored", "event", "refresh_lost", "session", l.id.Short(), "error", err)
	return nil, err // a conflict: we were late, and somebody repeated the attempt
}

// reread reads on a context of its own: scs answers nothing new on one that has a session.
func (m *Manager) reread(s *Session) (*Session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), tryTime)
	defer cancel()
	_, cur, err := m.writer.load(ctx, s.ticket)
	return cur, err
}

// giveUp ends a session whose refresh token is of no use, and answers ErrNone, or why it could not. Unless somebody else has written meanwhile: we were stopped
// for so long that the attempt was repeated, so what we heard is about a token that is not the newest, and theirs counts.
func (m *Manager) giveUp(l *lease, s *Session, result, reason string) (cur *Session, err error) {
	err = m.again(context.Background(), l.until, func(ctx context.Context) (err error) {
		if _, cur, err = m.writer.load(ctx, s.ticket); err != nil {
			return err
		}
		if cur.version != s.version {
			return ErrConflict
		}
		return m.EndOne(ctx, s, reason)
	})
	if errors.Is(err, ErrConflict) {
		m.log.Warn("refusal of a refresh came too late to count", "event", "refresh_late", "session", l.id.Short())
		m.deps.Refreshed(RefreshLate)
		return cur, nil
	}
	m.log.Warn("session ends with its refresh token", "event", "refresh_refused", "reason", reason, "session", l.id.Short())
	m.deps.Refreshed(result)
	if err == nil {
		err = ErrSpent
	}
	return nil, err
}

// with is s after the provider's answer. What the answer leaves out stays as it was (RFC 6749, sections 5.1 and 6).
func (s *Session) with(r Refreshed, now time.Time) *Session {
	next := *s
	next.Attempt = nil
	next.Tokens = r.Tokens.bounded(now)
	if changedScope(s.Tokens.Scope, r.Tokens.Scope) {
		next.Grants = nil // they were made of rights that the user may not have any more
	}
	if r.Tokens.Refresh == "" {
		next.Tokens.Refresh = s.Tokens.Refresh
	}
	if r.Tokens.Scope == "" {
		next.Tokens.Scope = s.Tokens.Scope
	}
	if r.Tokens.ID == "" {
		next.Tokens.ID = s.Tokens.ID
	}
	if r.Identity {
		next.Claims, next.Roles = r.Claims, r.Roles
	}
	if r.Scopes != nil {
		next.Scopes = r.Scopes
	}
	return &next
}
