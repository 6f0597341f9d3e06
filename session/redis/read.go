package redis

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// A signed-in request costs one GET, and under load most of a GET's processor time goes into its two system calls. So while many
// are under way they share them: the library's pipeliner sends what has come up while its last batch was answered, on one
// connection. With few under way that costs more than it saves, and they go on connections of their own (BenchmarkRead
// shows both).
//
// Sharing must not mean failing together. A shared read has a quarter of the timeout; when it gets no answer in it, for
// whatever reason, the read starts again on a connection of its own with the rest. So a connection that hangs or breaks costs time, and no read.

// crowd is how many reads are under way before they are sent together.
const crowd = 4

// queue bounds the shared reads that wait. Beyond it reads go alone.
const queue = 1024

// calm is how long all servers must have answered.
const calm = 2 * time.Second

// shared sends reads together.
type shared struct {
	client   goredis.UniversalClient
	face     *goredis.AutoPipeliner
	patience time.Duration
	underway atomic.Int64 // all reads, shared or not
}

// share prepares it, with a client of its own: a batch that fails is not repeated as a whole.
func share(opt *goredis.UniversalOptions, timeout time.Duration) (*shared, error) {
	r := &shared{patience: timeout / 4}
	own := *opt
	own.MaxRetries = -1
	own.ReadTimeout = r.patience + 100*time.Millisecond // see bound
	own.WriteTimeout = own.ReadTimeout
	own.PoolSize = 1
	own.PipelinePoolSize = 1 // each server
	r.client = connect(&own, func(*goredis.Client) {})
	batches := goredis.DefaultAutoPipelineOptions()
	batches.MaxQueuedCommands = queue
	face, err := r.client.AsyncAutoPipelineWithOptions(batches)
	if err != nil {
		_ = r.client.Close()
		return nil, err
	}
	r.face = face
	return r, nil
}

// get reads a value together with others, if it is answered soon.
func (r *shared) get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	cmd := goredis.NewStringCmd(ctx, "get", key)
	if err := r.face.Submit(ctx, cmd).WaitContext(ctx); err != nil {
		return nil, err // cmd may be written to still: hands off
	}
	return cmd.Bytes()
}

// close sends what waits and closes the connection.
func (r *shared) close() error {
	return errors.Join(r.face.Close(), r.client.Close())
}

// Read returns the record by one GET, or session.ErrNone.
func (s *Store) Read(ctx context.Context, id session.ID) (session.Record, error) {
	value, err := s.get(ctx, s.recordKey(id))
	if errors.Is(err, goredis.Nil) {
		return session.Record{}, session.ErrNone
	}
	if err != nil {
		return session.Record{}, s.outage("read record", err)
	}
	return decode(value)
}

// get reads a value, together with others in a crowd.
func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err() // whoever has left gets no answer, even where one is quick
	}
	left := s.timeout
	defer s.reads.underway.Add(-1)
	if s.reads.underway.Add(1) > crowd && !s.troubled() {
		value, err := s.reads.get(ctx, key)
		if err == nil || errors.Is(err, goredis.Nil) {
			return value, err
		}
		left -= s.reads.patience
	}
	ctx, cancel := context.WithTimeoutCause(ctx, left, errSlow)
	defer cancel()
	return s.client.Get(ctx, key).Bytes()
}

// troubled tells whether a server gave no answer lately. Reads then go alone, past the breaker that knows which one.
func (s *Store) troubled() bool {
	last := s.health.failing.Load()
	return last != 0 && time.Now().UnixMilli()-last < calm.Milliseconds()
}
