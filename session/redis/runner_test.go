package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// setting counts, with the commands that the least rights have.
const setting = `local n = tonumber(redis.call('GET', KEYS[1]) or 0) + 1
redis.call('TIME'); redis.call('SET', KEYS[1], n, 'PX', ARGV[1])
return {n, 7}`

func runner(t testing.TB, cfg redis.Config) *redis.Runner {
	t.Helper()
	r, err := redis.NewRunner(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// script is setting on one key, with the number that it answers.
func script(r *redis.Runner, timeout time.Duration) func(ctx context.Context, key string) (int64, error) {
	run := r.Script(setting, timeout)
	return func(ctx context.Context, key string) (int64, error) {
		answer, err := run(ctx, []string{key}, 60000)
		if err == nil && (len(answer) != 2 || answer[1] != 7) {
			return 0, fmt.Errorf("answer %v", answer)
		}
		if err != nil {
			return 0, err
		}
		return answer[0], nil
	}
}

// ran says how often the server ran a command.
func ran(t testing.TB, server *storetest.Redis, command string) string {
	t.Helper()
	info := administrator(t, server).Info(t.Context(), "commandstats").Val()
	_, after, _ := strings.Cut(info, "cmdstat_"+command+":calls=")
	n, _, _ := strings.Cut(after, ",")
	return n
}

// A run is one command, also with the least rights; after the server has forgotten the script it is two, once.
func TestAScriptIsOneCommand(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	count := script(runner(t, user(t, server, leastRights)), 5*time.Second)
	for n := range int64(10) {
		if n == 5 {
			if err := administrator(t, server).ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := count(t.Context(), "test:r:{x}"); err != nil || got != n+1 {
			t.Fatalf("run %d counts %d, %v", n+1, got, err)
		}
	}
	if evalsha, eval := ran(t, server, "evalsha"), ran(t, server, "eval"); evalsha != "10" || eval != "2" {
		t.Errorf("%s evalsha and %s eval, want 10 and 2", evalsha, eval)
	}
	if _, err := count(t.Context(), "other:r:{x}"); err == nil {
		t.Error("a key with another prefix was taken, so that the prefix is not what gave the right")
	}
}

// An answer that was lost is an error, and what was counted is counted once.
func TestAScriptIsNotRunAgain(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	proxy := storetest.StartLossy(t, server.Addr)
	cfg := config(server)
	cfg.URL = "redis://" + proxy.Addr
	count := script(runner(t, cfg), 5*time.Second)
	if _, err := count(t.Context(), "test:r:{warm}"); err != nil {
		t.Fatal(err)
	}
	proxy.Lose("{victim}", 3)
	if got, err := count(t.Context(), "test:r:{victim}"); err == nil {
		t.Errorf("an answer that was lost is %d", got)
	}
	proxy.Lose("{victim}", 0)
	if got, err := count(t.Context(), "test:r:{victim}"); err != nil || got != 2 {
		t.Errorf("the next one counts %d, %v, want 2", got, err)
	}
}

// A server that hangs costs each run its timeout, and soon only a few of them: the others fail at once. When it answers again, so do they.
func TestAScriptWaitsForNobody(t *testing.T) {
	t.Parallel()
	const timeout = 100 * time.Millisecond
	server := storetest.StartRedis(t)
	count := script(runner(t, config(server)), timeout)
	storetest.Eventually(t, 5*time.Second, "counts", func() bool { _, err := count(t.Context(), "test:r:{x}"); return err == nil })
	server.Freeze(t)
	atOnce := 0
	for range 200 {
		_, err := count(t.Context(), "test:r:{x}")
		if err == nil {
			t.Fatal("a server that stands still answers")
		}
		if strings.Contains(err.Error(), "is asked again in a moment") {
			atOnce++
		}
	}
	server.Thaw(t)
	if atOnce < 150 {
		t.Errorf("of 200 runs %d failed at once", atOnce)
	}
	storetest.Eventually(t, 5*time.Second, "counts again", func() bool { _, err := count(t.Context(), "test:r:{x}"); return err == nil })
}

// On a cluster each run goes to the key's primary. Where that has just changed, the redirection is followed.
func TestAScriptFindsItsServer(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, 3, false)
	count := script(runner(t, cluster(c)), 5*time.Second)
	for n := range int64(2) {
		for i := range 12 {
			if got, err := count(t.Context(), fmt.Sprintf("test:r:{%d}", i)); err != nil || got != n+1 {
				t.Fatalf("key %d, run %d counts %d, %v", i, n+1, got, err)
			}
		}
	}
	for i, node := range c.Nodes {
		if ran(t, node, "evalsha") == "" {
			t.Errorf("server %d counted nothing", i)
		}
	}
	moveAway(t, c, "test:r:{moved}")
	if got, err := count(t.Context(), "test:r:{moved}"); err != nil || got != 1 {
		t.Errorf("after the slot has moved: %d, %v", got, err)
	}
}

// moveAway moves the slot of a key that is not there to another primary.
func moveAway(t testing.TB, c *storetest.Cluster, key string) {
	t.Helper()
	slot := administrator(t, c.Nodes[0]).ClusterKeySlot(t.Context(), key).Val()
	is := func(n *storetest.Redis) bool {
		return !strings.HasPrefix(fmt.Sprint(administrator(t, n).Get(t.Context(), key).Err()), "MOVED")
	}
	for i, owner := range c.Nodes {
		if !is(owner) {
			continue
		}
		next := c.Nodes[(i+1)%len(c.Nodes)]
		name := administrator(t, next).Do(t.Context(), "cluster", "myid").Val()
		for _, n := range []*storetest.Redis{next, owner} {
			if err := administrator(t, n).Do(t.Context(), "cluster", "setslot", slot, "node", name).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if is(owner) || !is(next) {
			t.Fatal("the slot has not moved")
		}
		return
	}
	t.Fatal("nobody has the slot")
}
