package redis_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/configs/secret"
	"cloakroom/session"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// config is a configuration that fits the server.
func config(server *storetest.Redis) redis.Config {
	return redis.Config{URL: server.URL(), Prefix: "test", Timeout: 5 * time.Second, PoolSize: 16}
}

// open makes a store that the test's end closes.
func open(t testing.TB, cfg redis.Config) *redis.Store {
	t.Helper()
	s, err := redis.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// administrator is a connection that may do anything: to look behind the store's back.
func administrator(t testing.TB, server *storetest.Redis) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// user makes an ACL user with the given rights and returns a configuration that signs in as that.
func user(t testing.TB, server *storetest.Redis, rights string) redis.Config {
	t.Helper()
	allow(t, server, rights)
	cfg := config(server)
	cfg.URL = "redis://cloakroom:p%2540ss%20word@" + server.Addr + "/0"
	return cfg
}

// allow makes an ACL user with the given rights.
func allow(t testing.TB, server *storetest.Redis, rights string) (username string, password secret.String) {
	t.Helper()
	args := []any{"acl", "setuser", "cloakroom", "reset", "on", ">p%40ss word"}
	for _, r := range strings.Fields(rights) {
		args = append(args, r)
	}
	if err := administrator(t, server).Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("make user: %v", err)
	}
	return "cloakroom", "p%40ss word"
}

// leastRights are those that the package's comment lists.
const leastRights = `resetchannels resetkeys ~test:* &test:announce -@all
	+ping +hello +info +select +get +set +del +exists +pttl +pexpireat
	+hset +hdel +hget +hgetall +hrandfield +time +eval +evalsha +subscribe +publish`

// TestConformance runs the suite on a real server, as a user that has only the rights that doc.go lists.
func TestConformance(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, user(t, server, leastRights))
	if err := s.Check(t.Context()); err != nil {
		t.Fatalf("check: %v", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	t.Cleanup(tick.Stop)
	storetest.Run(t, func(*testing.T) storetest.Subject {
		return storetest.Subject{Store: s, Now: time.Now, Short: 50 * time.Millisecond, Pass: func() { <-tick.C }}
	})
}

// TestEveryKeyExpires is SES-06: after a thousand random calls no key is there for ever, whatever its kind.
func TestEveryKeyExpires(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, config(server))
	const lifetime = time.Hour
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		anything(t.Context(), s, random, lifetime)
	}
	admin := administrator(t, server)
	kinds := map[string]int{}
	for keys := admin.Scan(t.Context(), 0, "*", 100).Iterator(); keys.Next(t.Context()); {
		key := keys.Val()
		left := admin.PTTL(t.Context(), key).Val()
		if left == -1 || left > lifetime { // as Redis says it, -1 is for ever; -2 is gone meanwhile
			t.Errorf("key %q has %d left, want at most %s", key, left, lifetime)
		}
		prefix, _, _ := strings.Cut(key, "{")
		kinds[prefix]++
	}
	for _, kind := range []string{"test:s:", "test:e:", "test:l:", "test:i:", "test:m:", "test:c:"} {
		if kinds[kind] == 0 {
			t.Errorf("no key starts with %q: the calls did not reach that kind (%v)", kind, kinds)
		}
	}
	if len(kinds) != 6 {
		t.Errorf("kinds of keys %v, want the six that doc.go lists", kinds)
	}
}

// anything makes one random call. What it answers does not matter.
func anything(ctx context.Context, s *redis.Store, random *rand.Rand, lifetime time.Duration) {
	word := func() string { return string(rune('a' + random.IntN(8))) }
	id, key := session.ID(word()), session.IndexKey(word())
	owner := session.WriteID{byte(random.IntN(3))}
	span := time.Duration(random.Int64N(int64(lifetime))) - time.Second // now and then in the past
	then := time.Now().Add(span)
	rec := session.Record{Version: random.Uint64N(4), Write: owner, Sealed: []byte(word())}
	switch random.IntN(10) {
	case 0, 1:
		_ = s.Create(ctx, id, rec, then)
	case 2:
		_ = s.Update(ctx, id, rec)
	case 3:
		_, _ = s.Touch(ctx, id, then)
	case 4:
		_, _ = s.End(ctx, session.ID("ended "+word()), span, "logout")
	case 5:
		_ = s.AddIndex(ctx, key, session.Member{ID: id, Info: rec.Sealed}, then, then)
	case 6:
		_ = s.DropIndex(ctx, key, id)
	case 7:
		_, _ = s.MarkIndex(ctx, session.IndexKey("marked "+word()), then, span)
	case 8:
		_, _ = s.Lock(ctx, id, owner, span)
	case 9:
		_, _ = s.Claim(ctx, word(), owner, span)
	}
}
