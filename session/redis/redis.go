package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// Store is a session.Store in one Redis, in what sentinels watch, or in a cluster. Any number of processes may share it.
type Store struct {
	client   goredis.UniversalClient
	reads    *shared
	scripts  scripts
	prefix   string
	timeout  time.Duration
	wait     int
	log      *slog.Logger
	health   *health
	evicting bool     // Config.InsecureAllowEviction
	secrets  []string // what no error may contain
}

var _ session.Store = (*Store)(nil)

// New prepares a store. It does not connect: a Redis that is down is an error of the first call, not of New.
func New(cfg Config, log *slog.Logger) (*Store, error) {
	opt, err := options(cfg)
	if err != nil {
		return nil, err
	}
	// The library logs failed dials through one logger for the whole process, by default as bare text on stderr. The
	// same error reaches the caller, who logs it once; so here it is detail.
	goredis.SetLogger(detail{log})
	reads, err := share(opt, cfg.Timeout)
	if err != nil {
		return nil, fmt.Errorf("prepare reads: %w", err)
	}
	seen := &health{}
	return &Store{
		client: connect(opt, func(c *goredis.Client) {
			c.AddHook(&guard{client: c, breaker: newBreaker(seen)})
		}),
		reads:    reads,
		scripts:  newScripts(),
		prefix:   cfg.Prefix,
		timeout:  cfg.Timeout,
		wait:     cfg.Wait,
		log:      log,
		health:   seen,
		evicting: cfg.InsecureAllowEviction,
		secrets:  forbiddenIn(opt),
	}, nil
}

// Close closes the connections. Calls after it, and those under way, fail as in an outage.
func (s *Store) Close() error {
	err := errors.Join(s.reads.close(), s.client.Close())
	if err == nil || errors.Is(err, goredis.ErrClosed) {
		return nil
	}
	return s.outage("close", err)
}

// bounded is the time that one call has, dials and repeats included.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.timeout, errSlow)
}

// run runs a script within the deadline of one command. what says in a few words what the caller is doing.
func (s *Store) run(ctx context.Context, what string, script *goredis.Script, keys []string, args ...any) (any, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	answer, err := script.Run(ctx, s.client, keys, args...).Result()
	if err != nil {
		return nil, s.outage(what, err)
	}
	return answer, nil
}

// decide runs a script that answers with one of the numbers in scripts.go.
func (s *Store) decide(ctx context.Context, what string, script *goredis.Script, keys []string, args ...any) error {
	answer, err := s.run(ctx, what, script, keys, args...)
	if err != nil {
		return err
	}
	return verdict(what, answer)
}

// detail hands the library's log lines to ours.
type detail struct{ log *slog.Logger }

// Printf implements the library's logger.
func (d detail) Printf(ctx context.Context, format string, args ...any) {
	d.log.DebugContext(ctx, "redis client", "detail", lazy{format, args})
}
