package limit_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/bff/limit"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// replica is a limiter with connections of its own, as each process has one.
func replica(t testing.TB, cfg limit.Config, at redis.Config) *limit.Limiter {
	t.Helper()
	r, err := redis.NewRunner(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return limiter(t, cfg, limit.Deps{Run: r.Script(limit.Lua, cfg.Timeout), Cluster: len(at.Cluster) > 0, Prefix: at.Prefix})
}

// patient is a configuration whose store has time to answer on a busy machine, unless a test is about that.
func patient() limit.Config {
	cfg := settings()
	cfg.Timeout = 5 * time.Second
	return cfg
}

func at(addr string) redis.Config {
	return redis.Config{URL: "redis://" + addr, Prefix: "test", Timeout: 5 * time.Second, PoolSize: 32}
}

func administrator(t testing.TB, server *storetest.Redis) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// RL-01: two replicas together never let more through than burst and rate, in any span of time, whatever comes when.
func TestTwoReplicasAreOneLimit(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	both := []*limit.Limiter{replica(t, patient(), at(server.Addr)), replica(t, patient(), at(server.Addr))}
	refused := 0
	for seed := range uint64(24) {
		c := newChance(seed, []string{"200/1s", "1000/1s", "3000/1s"}[seed%3])
		name := fmt.Sprint("/", seed)
		var mu sync.Mutex
		var all []admission
		var crowd sync.WaitGroup
		for n := range 4 {
			s, random := compile(t, both[n%2], name, c.limit), newChance(seed*4+uint64(n), "1/1s")
			crowd.Go(func() {
				for range 150 {
					if random.IntN(10) == 0 {
						<-time.After(time.Duration(random.Int64N(int64(5 * time.Millisecond))))
					}
					begin := time.Now()
					v, _ := s.Take(t.Context(), user("anna"))
					end := time.Now()
					mu.Lock()
					if v.Err != nil || v.Local() {
						t.Errorf("seed %d: %v", seed, v.Err)
					}
					if v.Allow {
						all = append(all, admission{begin, end})
					} else {
						refused++
					}
					mu.Unlock()
				}
			})
		}
		crowd.Wait()
		withinLimit(t, all, c.rate, c.burst)
		if len(all) < c.burst {
			t.Errorf("seed %d: %d admitted of a burst of %d", seed, len(all), c.burst)
		}
	}
	if refused < 1000 {
		t.Errorf("%d refused: this shows little", refused)
	}
}

// Of a request that one limit refuses nothing is counted in Redis either; a limit that reports only refuses nothing, and what it would have refused is not counted.
func TestARefusalCostsNothingInRedis(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	r, err := redis.NewRunner(at(server.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	deps := limit.Deps{Run: r.Script(limit.Lua, 5*time.Second), Prefix: "test"}
	limits := []limit.Limit{{Concurrent: 99}, {Rate: "1/1h", Per: "session", ReportOnly: true}, {Rate: "10/1h"}, {Rate: "3/1h", Per: "ip"}}
	anna := user("anna")
	for n := range 20 { // by as many processes, none of which remembers another's refusal
		v, _ := compile(t, limiter(t, patient(), deps), "/", limits...).Take(t.Context(), anna)
		if v.Err != nil || v.Allow != (n < 3) || (len(v.Reports()) == 1) != (n > 0) || n >= 3 && v.Limit != "ip" {
			t.Errorf("request %d: %+v, reports %q", n+1, v, v.Reports())
		}
	}
	allowed := 0
	for n := range 9 {
		anna.Client = netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})
		allowed += ask(t, compile(t, limiter(t, patient(), deps), "/", limits...), anna, 1)
	}
	if allowed != 7 {
		t.Errorf("elsewhere %d allowed, want the 7 that are left of 10", allowed)
	}
}

// A request with limits is one command; one that is refused soon none. All that is kept expires, and soon: RL-07.
func TestARequestIsOneCommand(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	admin := administrator(t, server)
	cfg := patient()
	cfg.Shared = map[string]limit.Limit{"search": {Rate: "600/1m", Per: "ip", Burst: 500}}
	s := compile(t, replica(t, cfg, at(server.Addr)), "/", limit.Limit{Rate: "600/1m", Burst: 500}, limit.Limit{Rate: "5/1s", Per: "route", ReportOnly: true}, limit.Limit{Shared: "search"})
	ask(t, s, user("anna"), 1) // which teaches the server the script
	if err := admin.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, user("anna"), 20); got != 20 {
		t.Fatalf("%d allowed", got)
	}
	stats := admin.InfoMap(t.Context(), "commandstats").Item("Commandstats", "cmdstat_evalsha")
	if !strings.HasPrefix(stats, "calls=20,") {
		t.Errorf("20 requests were %q", stats)
	}
	if eval := admin.InfoMap(t.Context(), "commandstats").Item("Commandstats", "cmdstat_eval"); eval != "" {
		t.Errorf("the script was sent again: %q", eval)
	}
	keys := admin.Keys(t.Context(), "*").Val()
	for _, key := range keys {
		if left := admin.PTTL(t.Context(), key).Val(); left <= 0 || left > 22*100*time.Millisecond {
			t.Errorf("%s lives for %s, want until it is over", key, left)
		}
		if size := admin.MemoryUsage(t.Context(), key).Val(); size > 160 {
			t.Errorf("%s takes %d bytes, want at most the 160 that docs/redis.md says", key, size)
		}
	}
	if len(keys) != 3 {
		t.Errorf("keys %q, want 3", keys)
	}
}

// An answer that is lost is counted at most once, and the request is judged by memory.
func TestALostAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	proxy := storetest.StartLossy(t, server.Addr)
	a, b := replica(t, patient(), at(proxy.Addr)), replica(t, patient(), at(server.Addr))
	three := limit.Limit{Rate: "3/1h"}
	ask(t, compile(t, a, "/warm", three), user("anna"), 1)
	proxy.Lose("{route-", 1)
	v, _ := compile(t, a, "/", three).Take(t.Context(), user("anna"))
	if !v.Allow || v.Err == nil || !v.Local() || proxy.Lost() != 1 {
		t.Errorf("the one whose answer was lost: %+v", v)
	}
	if got := ask(t, compile(t, b, "/", three), user("anna"), 9); got != 2 {
		t.Errorf("another replica allows %d, want 2 of 3", got)
	}
}

// RL-05: Redis hangs, is killed, or is full. No request takes longer than the timeout, soon none takes any time, and memory counts as long as it lasts;
// a limit that is closed is. When Redis is back, it counts again.
func TestRedisGoesAway(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	cfg := settings()
	cfg.Replicas = 2
	l := replica(t, cfg, at(server.Addr))
	local, closed := compile(t, l, "/local", limit.Limit{Rate: "20/1h", Burst: 20}), compile(t, l, "/closed", limit.Limit{Rate: "20/1h", Burst: 20, Outage: "closed"})
	counted := func(s *limit.Set, who string) bool {
		v, _ := s.Take(t.Context(), user(who))
		return v.Allow && v.Err == nil
	}
	storetest.Eventually(t, 10*time.Second, "Redis counts", func() bool { return counted(closed, "somebody") })
	for _, c := range []struct {
		name   string
		begin  func()
		finish func()
	}{
		{"hangs", func() { server.Freeze(t) }, func() { server.Thaw(t) }},
		{"is full", func() { administrator(t, server).ConfigSet(t.Context(), "maxmemory", "1") }, func() { administrator(t, server).ConfigSet(t.Context(), "maxmemory", "0") }},
		{"is killed", server.Stop, nil},
	} {
		c.begin()
		begin, slowest := time.Now(), time.Duration(0)
		allowed := 0
		for range 60 {
			each := time.Now()
			v, _ := local.Take(t.Context(), user(c.name))
			slowest = max(slowest, time.Since(each))
			allowed += btoi(v.Allow)
			if v, _ := closed.Take(t.Context(), user(c.name)); v.Allow || !v.Unavailable {
				t.Errorf("Redis %s: a limit that is closed says %+v", c.name, v)
			}
		}
		if allowed != 10 {
			t.Errorf("Redis %s: %d allowed, want this replica's half of 20", c.name, allowed)
		}
		if took := time.Since(begin); slowest > 10*cfg.Timeout || took > 5*time.Second {
			t.Errorf("Redis %s: the slowest of 120 requests took %s, all together %s", c.name, slowest, took)
		}
		if c.finish != nil {
			c.finish()
			storetest.Eventually(t, 10*time.Second, "Redis counts again", func() bool { return counted(closed, fmt.Sprint("back ", time.Now())) })
		}
	}
}

// What stands in Redis of another configuration, or was never written by us, frees nobody and locks nobody out for ever.
func TestCountsSurviveAnotherConfiguration(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	admin := administrator(t, server)
	slow, fast := limit.Limit{Rate: "60/1m", Burst: 40}, limit.Limit{Rate: "600/1m", Burst: 5}
	l := replica(t, patient(), at(server.Addr))
	if got := ask(t, compile(t, l, "/", slow), user("anna"), 60); got < 40 || got > 45 {
		t.Fatalf("%d allowed", got)
	}
	fresh := compile(t, replica(t, patient(), at(server.Addr)), "/", fast)
	v, _ := fresh.Take(t.Context(), user("anna"))
	if v.Allow || v.RetryAfter != time.Second {
		t.Errorf("after 40 at once in vain, a limit of 10 a second: %+v", v)
	}
	key := admin.Keys(t.Context(), "*").Val()[0]
	for _, found := range []string{"nonsense", "-5", "1e99", "9007199254740993000"} {
		if err := admin.Set(t.Context(), key, found, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		s := compile(t, replica(t, patient(), at(server.Addr)), "/", fast)
		v, _ := s.Take(t.Context(), user("anna"))
		if v.Err != nil || v.RetryAfter > time.Second {
			t.Errorf("%q in Redis: %+v", found, v)
		}
		storetest.Eventually(t, 5*time.Second, fmt.Sprintf("with %q in Redis, a request is allowed", found), func() bool { return ask(t, s, user("anna"), 1) == 1 })
	}
}

// On a cluster: the route's limits in one slot, the shared one in its own; each holds.
func TestLimitsOnACluster(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, 3, false)
	cfg := patient()
	cfg.Shared = map[string]limit.Limit{}
	for i := range 9 { // so that each server has some
		cfg.Shared[fmt.Sprint("s", i)] = limit.Limit{Rate: "5/1h"}
	}
	cluster := redis.Config{Cluster: []string{c.Nodes[0].Addr}, Prefix: "test", Timeout: 5 * time.Second, PoolSize: 32}
	l := replica(t, cfg, cluster)
	for i := range 9 {
		s := compile(t, l, fmt.Sprint("/", i), limit.Limit{Rate: "20/1h", Burst: 20, Per: "ip"}, limit.Limit{Rate: "30/1h", Burst: 30}, limit.Limit{Shared: fmt.Sprint("s", i)})
		if got := ask(t, s, user("anna"), 8); got != 5 {
			t.Errorf("route %d: %d allowed, want 5", i, got)
		}
		v, _ := s.Take(t.Context(), limit.Who{User: "somebody else", Client: netip.MustParseAddr("192.0.2.9")})
		if !v.Allow || v.Err != nil || len(strings.Split(v.Remaining(), ",")) != 3 {
			t.Errorf("route %d: somebody else: %+v %s", i, v, v.Remaining())
		}
	}
	for i, n := range c.Nodes {
		if administrator(t, n).DBSize(t.Context()).Val() == 0 {
			t.Errorf("server %d has nothing", i)
		}
	}
}
