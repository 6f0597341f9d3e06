package memory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"cloakroom/session"
)

// AddWithin adds a member under a limit.
func (s *Store) AddWithin(ctx context.Context, key session.IndexKey, m session.Member, issued, expires time.Time, limit session.Limit) ([]session.Member, error) {
	now, release, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if mark, marked := s.marks.get(key, now); marked && mark.value.UnixMilli() >= issued.UnixMilli() {
		return nil, session.ErrEnded
	}
	others := s.counted(key, m.ID, now, limit)
	if limit.Refuse && len(others) >= limit.Max {
		return nil, session.ErrTooMany
	}
	if err := s.add(key, m, now, expires); err != nil {
		return nil, err
	}
	all := append(others, m.ID)
	slices.SortFunc(all, func(a, b session.ID) int {
		return cmp.Compare(s.members.entries[member{key, a}].value.order, s.members.entries[member{key, b}].value.order)
	})
	var over []session.Member
	for _, id := range all[:max(0, len(all)-limit.Max)] {
		if id != m.ID {
			over = append(over, session.Member{ID: id, Info: bytes.Clone(s.members.entries[member{key, id}].value.info)})
		}
	}
	return over, nil
}

// counted drops the members that are gone for certain and lists those that count beside newcomer.
func (s *Store) counted(key session.IndexKey, newcomer session.ID, now time.Time, limit session.Limit) (others []session.ID) {
	for id := range s.indexes[key] {
		e, there := s.members.get(member{key, id}, now)
		switch {
		case !there, id == newcomer:
		case slices.Contains(limit.Gone, id) && !e.value.added.Add(limit.Grace).After(now):
			s.members.del(member{key, id})
		case !slices.Contains(limit.Leaving, id):
			others = append(others, id)
		}
	}
	return others
}

// TTLs returns how long each record lives, zero where none is.
func (s *Store) TTLs(ctx context.Context, ids []session.ID) ([]time.Duration, error) {
	left := make([]time.Duration, 0, len(ids))
	for _, id := range ids {
		ttl, err := s.TTL(ctx, id)
		if err != nil && !errors.Is(err, session.ErrNone) {
			return nil, err
		}
		left = append(left, ttl)
	}
	return left, nil
}
