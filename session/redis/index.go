package redis

import (
	"context"
	"errors"
	"strings"
	"time"

	"cloakroom/session"
)

// AddIndex adds a member, unless the index' mark refuses it.
func (s *Store) AddIndex(ctx context.Context, key session.IndexKey, m session.Member, issued, expires time.Time) error {
	return s.decideSafely(ctx, "add to index", s.scripts.addIndex, []string{s.indexKey(key), s.markKey(key)},
		string(m.ID), m.Info, issued.UnixMilli(), at(expires))
}

// DropIndex removes a member.
func (s *Store) DropIndex(ctx context.Context, key session.IndexKey, id session.ID) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.client.HDel(ctx, s.indexKey(key), string(id)).Err(); err != nil {
		return s.outage("drop from index", err)
	}
	return nil
}

// Members lists an index.
func (s *Store) Members(ctx context.Context, key session.IndexKey) ([]session.Member, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	fields, err := s.client.HGetAll(ctx, s.indexKey(key)).Result()
	if err != nil {
		return nil, s.outage("list index", err)
	}
	members := make([]session.Member, 0, len(fields))
	for id, value := range fields {
		members = append(members, member(id, value))
	}
	return members, nil
}

// member is one field of an index. Its value is the member's times, a colon and its info; what has no colon is damaged, which whoever opens the
// info finds out.
func member(id, value string) session.Member {
	_, info, _ := strings.Cut(value, ":")
	return session.Member{ID: session.ID(id), Info: []byte(info)}
}

// MarkIndex sets the mark and lists the members, in one step.
func (s *Store) MarkIndex(ctx context.Context, key session.IndexKey, issued time.Time, keep time.Duration) ([]session.Member, error) {
	const what = "mark index"
	answer, late := s.runSafely(ctx, what, s.scripts.markIndex, []string{s.indexKey(key), s.markKey(key)}, issued.UnixMilli(), within(keep))
	if answer == nil {
		return nil, late
	}
	members, err := pairs(what, answer)
	return members, errors.Join(err, late)
}

// pairs reads the members that a script answers with.
func pairs(what string, answer any) ([]session.Member, error) {
	flat, ok := answer.([]any)
	if !ok || len(flat)%2 != 0 {
		return nil, damaged(what, "members are no pairs")
	}
	members := make([]session.Member, 0, len(flat)/2)
	for i := 0; i < len(flat); i += 2 {
		id, okID := flat[i].(string)
		value, okValue := flat[i+1].(string)
		if !okID || !okValue {
			return nil, damaged(what, "members are no strings")
		}
		members = append(members, member(id, value))
	}
	return members, nil
}
