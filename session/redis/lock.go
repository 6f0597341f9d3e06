package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// Lock takes the lock for owner, or extends its lease.
func (s *Store) Lock(ctx context.Context, id session.ID, owner session.WriteID, lease time.Duration) (bool, error) {
	answer, err := s.run(ctx, "take lock", s.scripts.lock, []string{s.lockKey(id)}, owner[:], within(lease))
	return answer == int64(1), err
}

// Unlock frees the lock if owner has it.
func (s *Store) Unlock(ctx context.Context, id session.ID, owner session.WriteID) error {
	return s.decide(ctx, "free lock", s.scripts.unlock, []string{s.lockKey(id)}, owner[:])
}

// Claim takes a name once. The owner is the value, so that one command tells a stranger's claim from our own whose
// answer was lost.
func (s *Store) Claim(ctx context.Context, name string, owner session.WriteID, keep time.Duration) (bool, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	cmd := goredis.NewStringCmd(ctx, "set", s.claimKey(name), owner[:], "nx", "get", "px", within(keep))
	err := s.client.Process(ctx, cmd)
	if errors.Is(err, goredis.Nil) {
		return true, nil // nobody had it
	}
	if err != nil {
		return false, s.outage("claim", err)
	}
	return cmd.Val() == string(owner[:]), nil
}
