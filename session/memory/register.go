package memory

import (
	"bytes"
	"context"

	"cloakroom/session"
)

// entryID is one entry of one register.
type entryID struct{ register, name string }

// PutEntry writes an entry, or replaces it.
func (s *Store) PutEntry(ctx context.Context, register, name string, value []byte) error {
	_, release, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	k := entryID{register, name}
	if _, there := s.entries[k]; !there && len(s.entries) >= s.members.bound {
		return session.ErrFull
	}
	s.entries[k] = bytes.Clone(value)
	return nil
}

// DropEntry deletes an entry, and reports whether it was there.
func (s *Store) DropEntry(ctx context.Context, register, name string) (bool, error) {
	_, release, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	_, there := s.entries[entryID{register, name}]
	delete(s.entries, entryID{register, name})
	return there, nil
}

// Entry returns an entry, or session.ErrNone.
func (s *Store) Entry(ctx context.Context, register, name string) ([]byte, error) {
	_, release, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	value, there := s.entries[entryID{register, name}]
	if !there {
		return nil, session.ErrNone
	}
	return bytes.Clone(value), nil
}

// Entries returns all entries of a register by name.
func (s *Store) Entries(ctx context.Context, register string) (map[string][]byte, error) {
	_, release, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	all := map[string][]byte{}
	for k, value := range s.entries {
		if k.register == register {
			all[k.name] = bytes.Clone(value)
		}
	}
	return all, nil
}
