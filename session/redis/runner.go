package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Runner runs scripts of others, each at most once: what counts must not be sent again after an answer that was lost. It has
// connections and breakers of its own, so that neither it nor a Store waits for the other.
type Runner struct {
	client  goredis.UniversalClient
	secrets []string
}

// NewRunner prepares one. Like New it does not connect. Its keys have to start with Config.Prefix where an ACL says so.
func NewRunner(cfg Config) (*Runner, error) {
	opt, err := options(cfg)
	if err != nil {
		return nil, err
	}
	opt.PoolSize = max(1, cfg.PoolSize/4)
	health := &health{} // how a runner fares says nothing about sessions
	return &Runner{
		client: connect(opt, func(c *goredis.Client) {
			c.AddHook(&guard{client: c, breaker: newBreaker(health)})
		}),
		secrets: forbiddenIn(opt),
	}, nil
}

// Script prepares a script that answers with whole numbers. Each run ends within timeout, or sooner where the servers gave no answers lately. Its error says nothing of
// whether the script ran.
func (r *Runner) Script(source string, timeout time.Duration) func(ctx context.Context, keys []string, args ...any) ([]int64, error) {
	sha := goredis.NewScript(source).Hash()
	return func(ctx context.Context, keys []string, args ...any) ([]int64, error) {
		ctx, cancel := context.WithTimeoutCause(ctx, timeout, errSlow)
		defer cancel()
		answer, err := r.once(ctx, "evalsha", sha, keys, args)
		if goredis.HasErrorPrefix(err, "NOSCRIPT") { // so it did not run
			answer, err = r.once(ctx, "eval", source, keys, args)
		}
		if err != nil {
			return nil, conceal("run script", err, r.secrets)
		}
		return answer, nil
	}
}

// once sends a command that is not sent again. A cluster's redirection is followed: who redirects has done nothing.
func (r *Runner) once(ctx context.Context, name, script string, keys []string, args []any) ([]int64, error) {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, name, script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	cmd := goredis.NewCmd(ctx, append(all, args...)...)
	cmd.SetFirstKeyPos(3)
	if err := r.client.Process(ctx, once{cmd}); err != nil {
		return nil, err
	}
	numbers, err := cmd.Int64Slice()
	if err != nil {
		return nil, fmt.Errorf("unexpected answer: %w", err)
	}
	return numbers, nil
}

// Close closes the connections.
func (r *Runner) Close() error {
	if err := r.client.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return conceal("close", err, r.secrets)
	}
	return nil
}
