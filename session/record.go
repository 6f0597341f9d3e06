package session

import (
	"context"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// What a refresh writes must be known to be written, or known not to be. A store's answer may be lost although the write took place, and each write here is
// about a token that can be spent once. So each is tried again, under one write ID.

// record writes down the attempt that tried holds. The token may be sent after it succeeded, and not otherwise. Where nobody knows whether it is written, it is taken back: an
// attempt that was never made must not pass for one whose answer was lost. before is the attempt that counted earlier.
func (m *Manager) record(writing context.Context, tried *Session, before *Attempt) (*Session, error) {
	begun := m.now()
	recorded, err := m.writeUntil(writing, begun.Add(m.refreshTimeout()/4), tried)
	if err != nil && !decided(err) {
		m.takeBack(tried, before, begun.Add(m.refreshTimeout()/2))
	}
	return recorded, err
}

var errChanged = errors.New("session has just changed")

// takeBack takes an attempt from the record that was not made and may have been written, or may still be: then another write
// in its place keeps it out. As long as the store cannot be reached this process remembers; another one cannot know.
func (m *Manager) takeBack(tried *Session, before *Attempt, until time.Time) {
	m.unmade.add(tried.Attempt)
	err := m.again(context.Background(), until, func(ctx context.Context) error {
		writing, cur, err := m.writer.load(ctx, tried.ticket)
		if err != nil {
			return err
		}
		there := cur.Attempt != nil && cur.Attempt.ID == tried.Attempt.ID
		if !there && cur.version != tried.version {
			return nil // it can no more be written
		}
		next := *cur
		next.Attempt = before
		if _, err = m.writer.commit(writing, &next, newWriteID()); errors.Is(err, ErrConflict) {
			return errChanged // it has just arrived
		}
		return err
	})
	if err != nil && !decided(err) {
		m.log.Debug("attempt that was not made stays on record", "session", tried.id.Short(), "error", err)
	}
}

// unmade remembers attempts that were not made and could not be taken from the record, bounded in number.
type unmade struct {
	ids *lru.Cache[string, struct{}]
}

func newUnmade() (*unmade, error) {
	ids, err := lru.New[string, struct{}](maxPauses)
	if err != nil {
		return nil, err
	}
	return &unmade{ids}, nil
}

func (u *unmade) add(a *Attempt) { u.ids.Add(a.ID, struct{}{}) }

// counted is what an attempt on record stands for: itself, or where it was not made, the one before it, if there was one.
func (u *unmade) counted(a *Attempt) *Attempt {
	switch {
	case a == nil || !u.ids.Contains(a.ID):
		return a
	case a.Repeats == 0:
		return nil
	}
	return &Attempt{ID: newHandle(), Repeats: a.Repeats - 1, Lost: true}
}

// markLost tells those who wait that there will be no answer.
func (m *Manager) markLost(writing context.Context, s *Session) {
	ctx, cancel := context.WithTimeout(settled(writing), tryTime)
	defer cancel()
	lost, attempt := *s, *s.Attempt
	attempt.Lost = true
	lost.Attempt = &attempt
	if _, err := m.writer.commit(ctx, &lost, newWriteID()); err != nil {
		m.log.Debug("lost answer is not marked", "session", s.id.Short(), "error", err)
	}
}

// write commits next, again and again while the lease lasts: what it holds is nowhere else.
func (m *Manager) write(writing context.Context, l *lease, next *Session) (*Session, error) {
	return m.writeUntil(writing, l.until, next)
}

// writeUntil commits next, again and again. All tries are one write to the store.
func (m *Manager) writeUntil(writing context.Context, until time.Time, next *Session) (stored *Session, err error) {
	id := newWriteID()
	err = m.again(settled(writing), until, func(ctx context.Context) (err error) {
		stored, err = m.writer.commit(ctx, next, id)
		return err
	})
	return stored, err
}

// again repeats try until it decides something or there is no more time.
func (m *Manager) again(ctx context.Context, until time.Time, try func(context.Context) error) error {
	for pause := pollFirst; ; pause = min(2*pause, pollMax) {
		ctx, cancel := context.WithTimeout(ctx, tryTime)
		err := try(ctx)
		cancel()
		if err == nil || decided(err) {
			return err
		}
		if !m.now().Add(pause).Before(until) {
			return err
		}
		time.Sleep(pause)
	}
}

// decided tells a store's answer from an outage.
func decided(err error) bool {
	return errors.Is(err, ErrNone) || errors.Is(err, ErrConflict) || errors.Is(err, ErrEnded) || errors.Is(err, ErrCorrupt)
}
