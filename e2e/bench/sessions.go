package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cloakroom/e2e/stack"
)

// fewSessions is what many are compared with.
const fewSessions = 1000

// moreSessions compares the cost of a request while few sessions are in Redis and while many are, with copies and without.
func (b *bench) moreSessions(ctx context.Context, w io.Writer) error {
	var sides []*side
	for _, n := range []int{fewSessions, b.sessions} {
		s, err := b.sidesAt(ctx, w, n)
		if err != nil {
			return err
		}
		sides = append(sides, s...)
	}
	if err := b.interleave(ctx, sides, b.once); err != nil {
		return err
	}
	fmt.Fprint(w, "CPU time per signed-in proxied request, by how many sessions are in Redis; and Redis' own\n\n")
	table(w, sides)
	ratio(w, sides[2], sides[0])
	ratio(w, sides[3], sides[1])
	return nil
}

// sidesAt starts a Redis with n sessions, and two replicas on it: one as usual, one that asks Redis for each request.
func (b *bench) sidesAt(ctx context.Context, w io.Writer, n int) (sides []*side, err error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("redis-%d", n))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	store, err := stack.StartRedis(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	b.stores = append(b.stores, store)
	if err := fill(ctx, w, store, n); err != nil {
		return nil, err
	}
	cookie := ""
	for _, kind := range []struct{ name, session string }{{"copies", ""}, {"staleness 0", "  staleness: 0s\n"}} {
		r, err := b.replica(ctx, fmt.Sprintf("sessions-%d-%s", n, kind.name), func(c *stack.Config) {
			c.RedisURL, c.Session = "redis://"+store.Link.Address+"/0", kind.session
		})
		if err != nil {
			return nil, err
		}
		if cookie == "" { // it is good for both
			if cookie, err = b.signIn(ctx, r); err != nil {
				return nil, err
			}
		}
		s := b.side(fmt.Sprintf("%d sessions, %s", n, kind.name), r, cookie)
		s.redis = store.Pid()
		sides = append(sides, s)
	}
	return sides, nil
}

// fillScript writes sessions as wide as those with 1.5 KB of tokens, each with its two index entries: the same keys, sizes and expiries, other bytes.
// Where they come from does not matter: nobody presents their tickets.
var fillScript = redis.NewScript(`
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
	local id = redis.sha1hex("s" .. i) .. "xyz"
	redis.call("SET", "cloakroom:s:{" .. id .. "}", ARGV[3], "PX", 43200000)
	for _, kind in ipairs({"sub", "sid"}) do
		local index = "cloakroom:i:{" .. redis.sha1hex(kind .. i) .. "xyz}"
		redis.call("HSET", index, id, ARGV[4])
		redis.call("PEXPIRE", index, 43200000)
	end
end
return redis.status_reply("OK")`)

// fill writes n sessions and says what they take.
func fill(ctx context.Context, w io.Writer, store *stack.Redis, n int) error {
	const batch = 2000 // a script holds Redis up for as long as it runs
	began := time.Now()
	sealed, entry := strings.Repeat("s", 2300), strings.Repeat("i", 200)
	for from := 1; from <= n; from += batch {
		if err := fillScript.Run(ctx, store.Client, nil, from, min(n, from+batch-1), sealed, entry).Err(); err != nil {
			return fmt.Errorf("fill redis: %w", err)
		}
	}
	info, err := store.Client.Info(ctx, "memory").Result()
	if err != nil {
		return fmt.Errorf("ask redis: %w", err)
	}
	_, rest, ok := strings.Cut(info, "used_memory_human:")
	if !ok {
		return errors.New("ask redis: no used_memory_human")
	}
	used, _, _ := strings.Cut(rest, "\r\n")
	fmt.Fprintf(w, "%d sessions in Redis: %s, written in %.1f s\n", n, used, time.Since(began).Seconds())
	return nil
}
