package memory

import (
	"bytes"
	"context"
	"time"

	"cloakroom/session"
)

// AddIndex adds a member, unless the index' mark refuses it.
func (s *Store) AddIndex(ctx context.Context, key session.IndexKey, m session.Member, issued, expires time.Time) error {
	now, release, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	if mark, marked := s.marks.get(key, now); marked && mark.value.UnixMilli() >= issued.UnixMilli() {
		return session.ErrEnded
	}
	return s.add(key, m, now, expires)
}

// add adds a member, or replaces its info: its place stays.
func (s *Store) add(key session.IndexKey, m session.Member, now, expires time.Time) error {
	k := member{key, m.ID}
	if !s.members.room(k, now) {
		return session.ErrFull
	}
	at, there := s.members.get(k, now)
	if !there {
		s.arrived++
		at.value = seat{added: now, order: s.arrived}
	}
	at.value.info = bytes.Clone(m.Info)
	s.members.put(k, at.value, expires)
	if s.indexes[key] == nil {
		s.indexes[key] = map[session.ID]struct{}{}
	}
	s.indexes[key][m.ID] = struct{}{}
	return nil
}

// DropIndex removes a member.
func (s *Store) DropIndex(ctx context.Context, key session.IndexKey, id session.ID) error {
	_, release, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	s.members.del(member{key, id})
	return nil
}

// Members lists an index.
func (s *Store) Members(ctx context.Context, key session.IndexKey) ([]session.Member, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.list(key, now), nil
}

// MarkIndex sets the mark and lists the members, in one step.
func (s *Store) MarkIndex(ctx context.Context, key session.IndexKey, issued time.Time, keep time.Duration) ([]session.Member, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if !s.marks.room(key, now) {
		return nil, session.ErrFull
	}
	until := now.Add(keep)
	if old, marked := s.marks.get(key, now); marked {
		if old.value.After(issued) {
			issued = old.value
		}
		if old.expires.After(until) {
			until = old.expires
		}
	}
	s.marks.put(key, issued, until)
	return s.list(key, now), nil
}

// list returns an index' members at now.
func (s *Store) list(key session.IndexKey, now time.Time) []session.Member {
	members := make([]session.Member, 0, len(s.indexes[key]))
	for id := range s.indexes[key] {
		if e, there := s.members.get(member{key, id}, now); there {
			members = append(members, session.Member{ID: id, Info: bytes.Clone(e.value.info)})
		}
	}
	return members
}

// unlist takes a removed member out of its index and, with the last one, forgets the index.
func (s *Store) unlist(k member) {
	delete(s.indexes[k.key], k.id)
	if len(s.indexes[k.key]) == 0 {
		delete(s.indexes, k.key)
	}
}
