package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// ReadTTL returns the record and how long it lives, by GET and PTTL sent together, or session.ErrNone.
func (s *Store) ReadTTL(ctx context.Context, id session.ID) (session.Record, time.Duration, error) {
	const what = "read record and its time to live"
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	both := s.client.Pipeline()
	get := both.Get(ctx, s.recordKey(id))
	ttl := goredis.NewIntCmd(ctx, "pttl", s.recordKey(id)) // the raw answer, as in TTL
	_ = both.Process(ctx, ttl)                             // only queues it
	_, err := both.Exec(ctx)
	value, errGet := get.Bytes()
	switch {
	case errors.Is(errGet, goredis.Nil):
		return session.Record{}, 0, session.ErrNone
	case errGet != nil:
		return session.Record{}, 0, s.outage(what, errGet)
	case err != nil:
		return session.Record{}, 0, s.outage(what, err)
	}
	rec, err := decode(value)
	left := ttl.Val()
	if err == nil && left == -1 {
		err = damaged(what, "key has no expiry")
	}
	if err != nil {
		return session.Record{}, 0, err
	}
	return rec, time.Duration(max(0, left)) * time.Millisecond, nil
}
