package memory

import (
	"context"
	"time"

	"cloakroom/session"
)

// Lock takes the lock for owner, or extends its lease.
func (s *Store) Lock(ctx context.Context, id session.ID, owner session.WriteID, lease time.Duration) (bool, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if held, taken := s.locks.get(id, now); taken && held.value != owner {
		return false, nil
	}
	if !s.locks.room(id, now) {
		return false, session.ErrFull
	}
	s.locks.put(id, owner, now.Add(lease))
	return true, nil
}

// Unlock frees the lock if owner has it.
func (s *Store) Unlock(ctx context.Context, id session.ID, owner session.WriteID) error {
	now, release, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	if held, taken := s.locks.get(id, now); taken && held.value == owner {
		s.locks.del(id)
	}
	return nil
}

// Claim takes a name once.
func (s *Store) Claim(ctx context.Context, name string, owner session.WriteID, keep time.Duration) (bool, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if held, taken := s.claims.get(name, now); taken {
		return held.value == owner, nil
	}
	if !s.claims.room(name, now) {
		return false, session.ErrFull
	}
	s.claims.put(name, owner, now.Add(keep))
	return true, nil
}
