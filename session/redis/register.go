package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// A register is a list of entries by name that have nothing to do with sessions and do not expire, such as API keys. It is one hash, so that it can be listed without a
// walk through the keyspace, and an ACL can let a server read it and not write it.

// KEYS register. ARGV name, value.
const putEntryLua = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 0`

// KEYS register. ARGV name. Answers whether it was there.
const dropEntryLua = `
return redis.call('HDEL', KEYS[1], ARGV[1])`

func (s *Store) registerKey(register string) string { return s.prefix + ":k:{" + register + "}" }

// PutEntry writes an entry, or replaces it.
func (s *Store) PutEntry(ctx context.Context, register, name string, value []byte) error {
	return s.decideSafely(ctx, "write entry", s.scripts.putEntry, []string{s.registerKey(register)}, name, value)
}

// DropEntry deletes an entry, and reports whether it was there. Where the answer is lost and the library asks again, it was not: it is gone all the same.
func (s *Store) DropEntry(ctx context.Context, register, name string) (bool, error) {
	answer, err := s.runSafely(ctx, "delete entry", s.scripts.dropEntry, []string{s.registerKey(register)}, name)
	return answer == int64(1), err
}

// Entry returns an entry, or session.ErrNone.
func (s *Store) Entry(ctx context.Context, register, name string) ([]byte, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	value, err := s.client.HGet(ctx, s.registerKey(register), name).Bytes()
	switch {
	case errors.Is(err, goredis.Nil):
		return nil, session.ErrNone
	case err != nil:
		return nil, s.outage("read entry", err)
	}
	return value, nil
}

// Entries returns all entries of a register by name.
func (s *Store) Entries(ctx context.Context, register string) (map[string][]byte, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	fields, err := s.client.HGetAll(ctx, s.registerKey(register)).Result()
	if err != nil {
		return nil, s.outage("list entries", err)
	}
	all := make(map[string][]byte, len(fields))
	for name, value := range fields {
		all[name] = []byte(value)
	}
	return all, nil
}
