package redis

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// head is the length of what stands before the sealed session: version and write ID.
const head = 8 + len(session.WriteID{})

// TTL returns how long the record lives if nothing touches it, or session.ErrNone.
func (s *Store) TTL(ctx context.Context, id session.ID) (time.Duration, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	// The raw answer: the library's PTTL cannot tell 1 ns from a key without expiry.
	cmd := goredis.NewIntCmd(ctx, "pttl", s.recordKey(id))
	if err := s.client.Process(ctx, cmd); err != nil {
		return 0, s.outage("ask record's time to live", err)
	}
	switch left := cmd.Val(); left {
	case -2:
		return 0, session.ErrNone
	case -1:
		return 0, damaged("ask record's time to live", "key has no expiry")
	default:
		return time.Duration(left) * time.Millisecond, nil
	}
}

// Create stores a new record.
func (s *Store) Create(ctx context.Context, id session.ID, rec session.Record, expires time.Time) error {
	return s.decide(ctx, "create record", s.scripts.create, []string{s.recordKey(id), s.endedKey(id)},
		encode(rec), at(expires), s.channel(), announcement(id, rec.Version))
}

// Update replaces the version before rec's.
func (s *Store) Update(ctx context.Context, id session.ID, rec session.Record) error {
	err := s.decideSafely(ctx, "update record", s.scripts.update, []string{s.recordKey(id)},
		encode(rec), binary.BigEndian.AppendUint64(nil, rec.Version-1), s.channel(), announcement(id, rec.Version))
	return s.tolerate(ctx, id, err)
}

// Touch moves the record's expiry to a later time.
func (s *Store) Touch(ctx context.Context, id session.ID, until time.Time) (bool, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	cmd := goredis.NewBoolCmd(ctx, "pexpireat", s.recordKey(id), at(until), "gt")
	if err := s.client.Process(ctx, once{cmd}); err != nil {
		return false, s.outage("touch record", err)
	}
	return cmd.Val(), nil
}

// Prolong moves the record's expiry to a later time and announces it. Where its answer is lost and the library asks again, nothing is left to
// move: it answers false, as if somebody else had been faster.
func (s *Store) Prolong(ctx context.Context, id session.ID, until time.Time) (bool, error) {
	answer, err := s.run(ctx, "prolong session", s.scripts.prolong, []string{s.recordKey(id)}, at(until), s.channel(), prolonged(id))
	return answer == int64(1), err
}

// End deletes the record and leaves a mark.
func (s *Store) End(ctx context.Context, id session.ID, mark time.Duration, reason string) (bool, error) {
	var write session.WriteID
	rand.Read(write[:]) // never fails
	answer, err := s.runSafely(ctx, "end session", s.scripts.end, []string{s.recordKey(id), s.endedKey(id)},
		write[:], within(mark), s.channel(), announcement(id, 0), endedFor(id, ""), reason)
	return answer == int64(1), err
}

// Why returns the reason of the ended mark. One of a version without reasons has none.
func (s *Store) Why(ctx context.Context, id session.ID) (string, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	mark, err := s.client.Get(ctx, s.endedKey(id)).Result()
	switch {
	case errors.Is(err, goredis.Nil):
		return "", session.ErrNone
	case err != nil:
		return "", s.outage("read ended mark", err)
	}
	return mark[min(len(mark), markHead):], nil
}

// markHead is the length of what stands in an ended mark before the reason: the end's write ID, and whether a record was there.
const markHead = len(session.WriteID{}) + 1

// once is a command that is never sent again: its answer would be another, or it would count twice.
type once struct{ goredis.Cmder }

// NoRetry tells the library so.
func (once) NoRetry() bool { return true }

// encode lays a record out as one value.
func encode(rec session.Record) []byte {
	value := make([]byte, 0, head+len(rec.Sealed))
	value = binary.BigEndian.AppendUint64(value, rec.Version)
	value = append(value, rec.Write[:]...)
	return append(value, rec.Sealed...)
}

// decode is encode's inverse. The record shares value's memory.
func decode(value []byte) (session.Record, error) {
	if len(value) < head {
		return session.Record{}, damaged("read record", "value is too short")
	}
	return session.Record{
		Version: binary.BigEndian.Uint64(value),
		Write:   session.WriteID(value[8:head]),
		Sealed:  value[head:],
	}, nil
}

// at is a time as Redis takes it: milliseconds since 1970, and positive.
func at(t time.Time) int64 { return max(1, t.UnixMilli()) }

// within is a duration as Redis takes it: milliseconds, rounded up, and positive.
func within(d time.Duration) int64 {
	return max(1, int64((d+time.Millisecond-1)/time.Millisecond))
}
