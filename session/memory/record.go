package memory

import (
	"bytes"
	"context"
	"time"

	"cloakroom/session"
)

// Read returns the record, or session.ErrNone.
func (s *Store) Read(ctx context.Context, id session.ID) (session.Record, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return session.Record{}, err
	}
	defer release()
	e, ok := s.records.get(id, now)
	if !ok {
		return session.Record{}, session.ErrNone
	}
	return own(e.value), nil
}

// ReadTTL returns the record and how long it lives, or session.ErrNone.
func (s *Store) ReadTTL(ctx context.Context, id session.ID) (session.Record, time.Duration, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return session.Record{}, 0, err
	}
	defer release()
	e, ok := s.records.get(id, now)
	if !ok {
		return session.Record{}, 0, session.ErrNone
	}
	return own(e.value), e.expires.Sub(now), nil
}

// TTL returns how long the record lives if nothing touches it, or session.ErrNone.
func (s *Store) TTL(ctx context.Context, id session.ID) (time.Duration, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	e, ok := s.records.get(id, now)
	if !ok {
		return 0, session.ErrNone
	}
	return e.expires.Sub(now), nil
}

// Create stores a new record.
func (s *Store) Create(ctx context.Context, id session.ID, rec session.Record, expires time.Time) error {
	now, release, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	// The mark comes first: a repeat after an end must not say that the session is there.
	if _, marked := s.ended.get(id, now); marked {
		return session.ErrEnded
	}
	if old, there := s.records.get(id, now); there {
		if old.value.Write == rec.Write {
			return nil
		}
		return session.ErrConflict
	}
	// Marks too: End of a session that exists is never refused, so they outgrow their bound, but by no more than the sessions that exist.
	if !s.records.room(id, now) || !s.ended.room(id, now) {
		return session.ErrFull
	}
	s.records.put(id, own(rec), expires)
	s.announce(session.Event{ID: id, Version: rec.Version})
	return nil
}

// Update replaces the version before rec's.
func (s *Store) Update(ctx context.Context, id session.ID, rec session.Record) error {
	now, release, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	old, there := s.records.get(id, now)
	switch {
	case !there:
		return session.ErrNone
	case old.value.Version == rec.Version && old.value.Write == rec.Write:
		return nil
	case old.value.Version != rec.Version-1:
		return session.ErrConflict
	}
	s.records.put(id, own(rec), old.expires)
	s.announce(session.Event{ID: id, Version: rec.Version})
	return nil
}

// Touch moves the record's expiry to a later time.
func (s *Store) Touch(ctx context.Context, id session.ID, until time.Time) (bool, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	return s.move(id, until, now), nil
}

// Prolong is Touch that is announced.
func (s *Store) Prolong(ctx context.Context, id session.ID, until time.Time) (bool, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	moved := s.move(id, until, now)
	if moved {
		s.announce(session.Event{ID: id, Prolonged: true})
	}
	return moved, nil
}

// move moves the record's expiry to a later time. The caller has the store's lock.
func (s *Store) move(id session.ID, until, now time.Time) bool {
	old, there := s.records.get(id, now)
	if !there || !until.After(old.expires) {
		return false
	}
	s.records.put(id, old.value, until)
	return true
}

// Why returns the reason of the ended mark.
func (s *Store) Why(ctx context.Context, id session.ID) (string, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	mark, marked := s.ended.get(id, now)
	if !marked {
		return "", session.ErrNone
	}
	return mark.value, nil
}

// End deletes the record and leaves a mark. For a session that is not there it answers session.ErrFull where no
// further mark fits.
func (s *Store) End(ctx context.Context, id session.ID, mark time.Duration, reason string) (bool, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	_, existed := s.records.get(id, now)
	if !existed && !s.ended.room(id, now) {
		return false, session.ErrFull
	}
	s.records.del(id)
	until := now.Add(mark)
	if old, marked := s.ended.get(id, now); marked {
		reason = old.value // whatever there was ended then
		if old.expires.After(until) {
			until = old.expires
		}
	}
	s.ended.put(id, reason, until)
	s.announce(session.Event{ID: id, Reason: reason})
	return existed, nil
}

// own copies a record whose memory would have two owners.
func own(rec session.Record) session.Record {
	rec.Sealed = bytes.Clone(rec.Sealed)
	return rec
}
