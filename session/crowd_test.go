package session_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// crowdLua makes what many other users' sessions leave in Redis, for numbers from ARGV[1] to ARGV[2]: a record, and an entry in two indexes.
const crowdLua = `
local record, info = string.rep('r', 400), '9999999999999-1:' .. string.rep('i', 150)
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local id = string.format('%043d', i)
  redis.call('SET', 'test:s:{' .. id .. '}', record, 'PX', 3600000)
  for _, index in ipairs({'u', 'p'}) do
    local key = 'test:i:{' .. index .. id .. '}'
    redis.call('HSET', key, id, info)
    redis.call('PEXPIRE', key, 3600000)
  end
end
return 0`

// among is a process on a Redis that holds n sessions of other users, with one session of alice's in hand.
type among struct {
	t       testing.TB
	manager *session.Manager
	admin   *goredis.Client
}

func amongOthers(t testing.TB, n int) *among {
	t.Helper()
	server := storetest.StartRedis(t)
	a := &among{t: t, admin: goredis.NewClient(&goredis.Options{Addr: server.Addr, ReadTimeout: time.Minute})}
	t.Cleanup(func() { _ = a.admin.Close() })
	const step = 10_000
	for from := 0; from < n; from += step {
		if err := a.admin.Eval(t.Context(), crowdLua, nil, from, min(from+step, n)-1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	p := &singleUse{now: time.Now}
	a.manager, err = session.New(config(firstSecret), openRedis(t, server), session.Deps{Refresh: p.refresh})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.manager.Close(context.Background()) })
	return a
}

// signIn starts that many sessions of alice and returns the last.
func (a *among) signIn(n int) (s *session.Session) {
	a.t.Helper()
	for i := range n {
		now := time.Now().UTC().Truncate(time.Second)
		s = &session.Session{
			Provider: "main", Issuer: "https://id.test", Subject: "alice", ProviderSession: fmt.Sprint("sid-", i), IssuedAt: now,
			Tokens: tokens("access", "refresh", now),
		}
		if err := a.manager.Start(a.t.Context(), httptest.NewRecorder(), s); err != nil {
			a.t.Fatal(err)
		}
	}
	return s
}

// REV-03: among 100,000 sessions it takes less than 200 ms to list one user's twenty, to end nineteen and to end all, and no command that walks through the
// keyspace. (BenchmarkEndOneUser shows that it takes no longer among a million.)
func TestEndingOneUserAmongMany(t *testing.T) {
	a := amongOthers(t, 100_000)
	mine := a.signIn(20)
	for _, reset := range [][]any{{"config", "resetstat"}, {"slowlog", "reset"}} {
		if err := a.admin.Do(t.Context(), reset...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name   string
		before int // further sign-ins, which are not timed
		do     func() (int, error)
		want   int
	}{
		{"list", 0, func() (int, error) { list, err := a.manager.Devices(t.Context(), mine); return len(list), err }, 20},
		{"end the others", 0, func() (int, error) { return a.manager.EndOthers(t.Context(), mine) }, 19},
		{"end all, by back-channel logout", 19, func() (int, error) {
			return a.manager.EndByProvider(t.Context(), mine.Issuer, mine.Subject, "", time.Now().Add(time.Second))
		}, 20},
	} {
		a.signIn(step.before)
		begun := time.Now()
		n, err := step.do()
		took := time.Since(begun)
		t.Logf("%s: %v", step.name, took)
		if n != step.want || err != nil || took > 200*time.Millisecond {
			t.Errorf("%s: %d, %v, after %v; want %d in 200ms", step.name, n, err, took, step.want)
		}
	}
	stats, err := a.admin.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	if walks := regexp.MustCompile(`cmdstat_(?:keys|[hsz]?scan|randomkey|dbsize):\S+`).FindAllString(stats, -1); walks != nil {
		t.Errorf("commands that walk: %q", walks)
	}
	if slow, err := a.admin.SlowLogGet(t.Context(), 10).Result(); err != nil || len(slow) != 0 {
		t.Errorf("slow commands: %v, %v", slow, err)
	}
	if left, err := a.admin.DBSize(t.Context()).Result(); err != nil || left < 300_000 {
		t.Errorf("%d keys left, %v; want the others' 300,000", left, err)
	}
}

// BenchmarkEndOneUser ends twenty sessions of one user among those of others.
func BenchmarkEndOneUser(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a := amongOthers(b, n)
			for b.Loop() {
				b.StopTimer()
				mine := a.signIn(21)
				b.StartTimer()
				if ended, err := a.manager.EndOthers(b.Context(), mine); ended < 20 || err != nil {
					b.Fatalf("EndOthers = %d, %v", ended, err)
				}
				b.StopTimer()
				if err := a.manager.EndOne(b.Context(), mine, "logout"); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
