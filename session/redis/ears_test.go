package redis

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// choir is a listener to several servers, as in a cluster.
type choir struct {
	*listener
	servers []*storetest.Redis
	now     map[string]*goredis.Client // what takes writes now
}

func newChoir(t *testing.T) *choir {
	t.Helper()
	c := &choir{now: map[string]*goredis.Client{}}
	for range 3 {
		server := storetest.StartRedis(t)
		c.servers = append(c.servers, server)
		c.now[server.Addr] = clientOf(t, server)
	}
	s := storeOn(t, c.servers[0])
	c.listener = &listener{store: s, primaries: func(context.Context) (map[string]*goredis.Client, error) { return c.now, nil }}
	if err := c.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func storeOn(t *testing.T, server *storetest.Redis) *Store {
	t.Helper()
	s, err := New(Config{URL: server.URL(), Prefix: "test", Timeout: 2 * time.Second, PoolSize: 2}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// clientOf is the library's client of one server, as a cluster's client has it.
func clientOf(t *testing.T, server *storetest.Redis) *goredis.Client {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// publish announces a session's version at one server.
func (c *choir) publish(t *testing.T, n int, id session.ID, version uint64) {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: c.servers[n].Addr})
	defer client.Close()
	if err := client.Publish(t.Context(), c.store.channel(), announcement(id, version)).Err(); err != nil {
		t.Fatal(err)
	}
}

// hears returns what is next, or the error.
func (c *choir) hears(t *testing.T, within time.Duration) (session.Event, error) {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return c.Receive(ctx)
}

// A pong comes when each server has answered, behind what each published before the ping.
func TestAPongIsAllServersPong(t *testing.T) {
	c := newChoir(t)
	for round := range 20 {
		for n := range c.servers {
			c.publish(t, n, session.ID(rune('a'+n)), uint64(round+1))
		}
		if err := c.Ping(t.Context(), string(rune('A'+round))); err != nil {
			t.Fatal(err)
		}
		heard := map[session.ID]uint64{}
		for {
			e, err := c.hears(t, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if e.Pong != "" {
				break
			}
			heard[e.ID] = e.Version
		}
		for n := range c.servers {
			if heard[session.ID(rune('a'+n))] != uint64(round+1) {
				t.Fatalf("round %d: before the pong was heard %v", round, heard)
			}
		}
	}
}

// While one server does not answer there is no pong, although the others do.
func TestOneSilentServerMeansNoPong(t *testing.T) {
	c := newChoir(t)
	c.servers[1].Freeze(t)
	t.Cleanup(func() { c.servers[1].Thaw(t) })
	if err := c.Ping(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if e, err := c.hears(t, 300*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("receive = %v, %v", e, err)
	}
	c.servers[1].Thaw(t)
	if e, err := c.hears(t, 10*time.Second); err != nil || e.Pong != "p" {
		t.Errorf("receive = %v, %v; want the pong", e, err)
	}
}

// One lost connection ends all.
func TestOneLostServerEndsAll(t *testing.T) {
	c := newChoir(t)
	c.servers[2].Stop()
	if e, err := c.hears(t, 10*time.Second); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("receive = %v, %v", e, err)
	}
	if err := c.Ping(t.Context(), "p"); err == nil {
		t.Error("a ping is sent after the end")
	}
}

// Other servers than those that were subscribed to end it, whether one came, went or was replaced.
func TestAnotherTopologyEndsIt(t *testing.T) {
	for name, change := range map[string]func(now map[string]*goredis.Client, first string){
		"one came":         func(now map[string]*goredis.Client, first string) { now["other:1"] = now[first] },
		"one went":         func(now map[string]*goredis.Client, first string) { delete(now, first) },
		"one was replaced": func(now map[string]*goredis.Client, first string) { now["other:1"] = now[first]; delete(now, first) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChoir(t)
			change(c.now, c.servers[0].Addr)
			if err := c.Ping(t.Context(), "p"); !errors.Is(err, errTopology) {
				t.Errorf("ping: %v", err)
			}
			if e, err := c.hears(t, 10*time.Second); !errors.Is(err, errTopology) {
				t.Errorf("receive = %v, %v", e, err)
			}
		})
	}
}

// Pings that wait for an answer are bounded.
func TestUnansweredPingsAreBounded(t *testing.T) {
	c := newChoir(t)
	c.servers[0].Freeze(t)
	t.Cleanup(func() { c.servers[0].Thaw(t) })
	var err error
	for n := 0; err == nil && n <= maxAsked; n++ {
		err = c.Ping(t.Context(), string(rune('A'+n)))
	}
	if !errors.Is(err, errUnanswered) {
		t.Errorf("after %d pings: %v", maxAsked, err)
	}
}

// Behind sentinels a pong wants a message that went the way of the commands, too: a primary that was replaced still answers pings.
func TestAReplacedPrimarysPongIsNone(t *testing.T) {
	c := newChoir(t)
	l := &listener{store: c.store, beacon: "mine", primaries: func(context.Context) (map[string]*goredis.Client, error) {
		return map[string]*goredis.Client{"old": clientOf(t, c.servers[1])}, nil // while commands go to c.servers[0]
	}}
	if err := l.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	old := &choir{listener: l, servers: c.servers}
	if err := l.Ping(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if e, err := old.hears(t, 300*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("receive = %v, %v", e, err)
	}
	right := &listener{store: c.store, beacon: "mine too", primaries: c.store.primaries}
	if err := right.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer right.Close()
	if err := right.Ping(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if e, err := (&choir{listener: right}).hears(t, 10*time.Second); err != nil || e.Pong != "p" {
		t.Errorf("receive = %v, %v; want the pong", e, err)
	}
}
