package session_test

import (
	"context"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// outside is a real Redis as the model reaches it from its own time: each command runs on a goroutine outside, while the model's clock stands, with expiries counted from now there; and
// when the model's time has passed, Redis' keys grow older by as much.
type outside struct {
	session.Store // Redis; what is asked of it goes through do
	admin         *goredis.Client

	mu   sync.Mutex // one command at a time
	jobs chan func()
	done chan struct{}
}

func openOutside(t *testing.T) *outside {
	t.Helper()
	server := storetest.StartRedis(t)
	o := &outside{
		Store: openRedis(t, server), admin: goredis.NewClient(&goredis.Options{Addr: server.Addr}),
		jobs: make(chan func()), done: make(chan struct{}),
	}
	var worker sync.WaitGroup
	worker.Go(func() {
		for job := range o.jobs {
			job()
			o.done <- struct{}{}
		}
	})
	t.Cleanup(func() { close(o.jobs); worker.Wait(); _ = o.admin.Close() })
	return o
}

// do runs job outside and waits for its end.
func (o *outside) do(job func(ctx context.Context)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.jobs <- func() { job(context.Background()) }
	<-o.done
}

const grow = `for _, key in ipairs(redis.call('KEYS', '*')) do
	local left = redis.call('PTTL', key) - ARGV[1]
	if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('DEL', key) end
end`

// pass makes every key older by d.
func (o *outside) pass(d time.Duration) {
	if d < time.Millisecond {
		return
	}
	o.do(func(ctx context.Context) {
		if err := o.admin.Eval(ctx, grow, nil, d.Milliseconds()).Err(); err != nil && err != goredis.Nil {
			panic(err)
		}
	})
}

// everyKeyExpires reports the first key that does not.
func (o *outside) everyKeyExpires() (lasting string) {
	o.do(func(ctx context.Context) {
		for at := o.admin.Scan(ctx, 0, "*", 1000).Iterator(); at.Next(ctx); {
			if left := o.admin.PTTL(ctx, at.Val()).Val(); left == -1 {
				lasting = at.Val()
			}
		}
	})
	return lasting
}

// from turns a time of the model into one of Redis.
func from(left time.Duration) time.Time { return time.Now().Add(left) }

func (o *outside) Read(_ context.Context, id session.ID) (rec session.Record, err error) {
	o.do(func(ctx context.Context) { rec, err = o.Store.Read(ctx, id) })
	return rec, err
}

func (o *outside) TTL(_ context.Context, id session.ID) (left time.Duration, err error) {
	o.do(func(ctx context.Context) { left, err = o.Store.TTL(ctx, id) })
	return left, err
}

func (o *outside) ReadTTL(_ context.Context, id session.ID) (rec session.Record, left time.Duration, err error) {
	o.do(func(ctx context.Context) { rec, left, err = o.Store.ReadTTL(ctx, id) })
	return rec, left, err
}

func (o *outside) TTLs(_ context.Context, ids []session.ID) (left []time.Duration, err error) {
	o.do(func(ctx context.Context) { left, err = o.Store.TTLs(ctx, ids) })
	return left, err
}

func (o *outside) Create(_ context.Context, id session.ID, rec session.Record, expires time.Time) (err error) {
	left := time.Until(expires)
	o.do(func(ctx context.Context) { err = o.Store.Create(ctx, id, rec, from(left)) })
	return err
}

func (o *outside) Update(_ context.Context, id session.ID, rec session.Record) (err error) {
	o.do(func(ctx context.Context) { err = o.Store.Update(ctx, id, rec) })
	return err
}

func (o *outside) Touch(_ context.Context, id session.ID, until time.Time) (moved bool, err error) {
	left := time.Until(until)
	o.do(func(ctx context.Context) { moved, err = o.Store.Touch(ctx, id, from(left)) })
	return moved, err
}

func (o *outside) End(_ context.Context, id session.ID, mark time.Duration, reason string) (existed bool, err error) {
	o.do(func(ctx context.Context) { existed, err = o.Store.End(ctx, id, mark, reason) })
	return existed, err
}

func (o *outside) AddIndex(_ context.Context, key session.IndexKey, m session.Member, issued, expires time.Time) (err error) {
	left := time.Until(expires)
	o.do(func(ctx context.Context) { err = o.Store.AddIndex(ctx, key, m, issued, from(left)) })
	return err
}

func (o *outside) AddWithin(_ context.Context, key session.IndexKey, m session.Member, issued, expires time.Time, limit session.Limit) (over []session.Member, err error) {
	left := time.Until(expires)
	o.do(func(ctx context.Context) { over, err = o.Store.AddWithin(ctx, key, m, issued, from(left), limit) })
	return over, err
}

func (o *outside) DropIndex(_ context.Context, key session.IndexKey, id session.ID) (err error) {
	o.do(func(ctx context.Context) { err = o.Store.DropIndex(ctx, key, id) })
	return err
}

func (o *outside) Members(_ context.Context, key session.IndexKey) (all []session.Member, err error) {
	o.do(func(ctx context.Context) { all, err = o.Store.Members(ctx, key) })
	return all, err
}

func (o *outside) MarkIndex(_ context.Context, key session.IndexKey, issued time.Time, keep time.Duration) (all []session.Member, err error) {
	o.do(func(ctx context.Context) { all, err = o.Store.MarkIndex(ctx, key, issued, keep) })
	return all, err
}

func (o *outside) Lock(_ context.Context, id session.ID, owner session.WriteID, lease time.Duration) (held bool, err error) {
	o.do(func(ctx context.Context) { held, err = o.Store.Lock(ctx, id, owner, lease) })
	return held, err
}

func (o *outside) Unlock(_ context.Context, id session.ID, owner session.WriteID) (err error) {
	o.do(func(ctx context.Context) { err = o.Store.Unlock(ctx, id, owner) })
	return err
}

func (o *outside) Claim(_ context.Context, name string, owner session.WriteID, keep time.Duration) (first bool, err error) {
	o.do(func(ctx context.Context) { first, err = o.Store.Claim(ctx, name, owner, keep) })
	return first, err
}

// Laws 2 and 3, SES-06: the long stories again, on a real Redis, where besides no key may live for ever.
func TestModelOnRedis(t *testing.T) {
	o := openOutside(t)
	playSeeds(t, stress(t, 3*time.Second, 5), func(t *testing.T, seed uint64) (string, *world) {
		o.do(func(ctx context.Context) { o.admin.FlushAll(ctx) })
		failure, w := wander(t, o, setting{pass: o.pass}, seed, 100)
		if key := o.everyKeyExpires(); failure == "" && key != "" {
			failure = "key " + key + " never expires\n" + w.story()
		}
		return failure, w
	})
}
