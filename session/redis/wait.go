package redis

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// What a failover must not undo is followed by WAIT: the end of a session and the mark of a user's logout; the index entry of a sign-in, without which such a
// logout would not find the session; and each update, since a refresh token that was spent must not come back.
//
// Where too few replicas have it in time, who wanted an end or a sign-in hears session.ErrUnreplicated and tries again. An update succeeds nevertheless, and is
// logged: the new tokens are nowhere else, and to give them up would harm in each case what a failover harms in few.

// waiter runs scripts with WAIT behind them. It is for one call.
type waiter struct {
	goredis.UniversalClient
	wait     *goredis.IntCmd
	replicas int
	patience time.Duration
}

// EvalSha implements goredis.Scripter.
func (w *waiter) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *goredis.Cmd {
	return w.eval(ctx, "evalsha", sha, keys, args)
}

// Eval implements goredis.Scripter.
func (w *waiter) Eval(ctx context.Context, script string, keys []string, args ...any) *goredis.Cmd {
	return w.eval(ctx, "eval", script, keys, args)
}

func (w *waiter) eval(ctx context.Context, name, script string, keys []string, args []any) *goredis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, name, script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	d := &durable{
		Cmd:  goredis.NewCmd(ctx, append(all, args...)...),
		wait: goredis.NewIntCmd(ctx, "wait", w.replicas, w.patience.Milliseconds()),
	}
	d.SetFirstKeyPos(3)
	w.wait = d.wait
	_ = w.Process(ctx, d) // the same error is in d
	return d.Cmd
}

// runSafely is run, until as many replicas as Config wants have what the script wrote. If the script ran, its answer comes also with ErrUnreplicated.
func (s *Store) runSafely(ctx context.Context, what string, script *goredis.Script, keys []string, args ...any) (any, error) {
	if s.wait == 0 {
		return s.run(ctx, what, script, keys, args...)
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	// A quarter: a script that the server has to learn first is sent twice, with WAIT behind both.
	w := &waiter{UniversalClient: s.client, replicas: s.wait, patience: s.timeout / 4}
	answer, err := script.Run(ctx, w, keys, args...).Result()
	if err != nil {
		return nil, s.outage(what, err)
	}
	have, err := w.wait.Result()
	if err != nil || have < int64(s.wait) {
		s.health.unreplicated.Add(1)
	}
	if err != nil { // WAIT is not allowed, say
		return answer, fmt.Errorf("%w: %w", session.ErrUnreplicated, s.outage(what, err))
	}
	if have < int64(s.wait) {
		return answer, fmt.Errorf("redis: %s: %w: %d, want %d", what, session.ErrUnreplicated, have, s.wait)
	}
	return answer, nil
}

// decideSafely is decide with runSafely.
func (s *Store) decideSafely(ctx context.Context, what string, script *goredis.Script, keys []string, args ...any) error {
	answer, err := s.runSafely(ctx, what, script, keys, args...)
	if answer == nil {
		return err
	}
	if refusal := verdict(what, answer); refusal != nil {
		return refusal
	}
	return err
}

// tolerate logs what is on too few replicas and goes on.
func (s *Store) tolerate(ctx context.Context, id session.ID, err error) error {
	if !isUnreplicated(err) {
		return err
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "refresh is on too few replicas", slog.String("event", "unreplicated"),
		slog.String("session", id.Short()), slog.Any("error", err))
	return nil
}
