package redis_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// Whoever wanted an end hears when too few replicas have it, in bounded time; a refresh goes on, and is logged. A repeat, which writes nothing, is
// counted as well, and once the replicas are back everything is done.
func TestWait(t *testing.T) {
	t.Parallel()
	primary := storetest.StartRedis(t)
	replica := storetest.StartRedis(t, "--replicaof", strings.Replace(primary.Addr, ":", " ", 1), "--repl-diskless-sync-delay", "0")
	primary.InSync(t, 1)
	var log strings.Builder
	cfg := user(t, primary, leastRights+" +wait")
	cfg.Wait, cfg.Timeout = 1, time.Second
	s, err := redis.New(cfg, slog.New(slog.NewTextHandler(&locked{w: &log}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	hour := time.Now().Add(time.Hour)
	first, next := session.Record{Version: 1, Write: session.WriteID{1}}, session.Record{Version: 2, Write: session.WriteID{2}}
	done := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	done("create", s.Create(t.Context(), "s", first, hour))
	replicated := func(what string, write func() error) { // a busy machine's replica may miss a quarter of the timeout
		t.Helper()
		storetest.Eventually(t, 20*time.Second, what, func() bool { return write() == nil })
	}
	replicated("add", func() error { return s.AddIndex(t.Context(), "k", session.Member{ID: "s"}, time.Now(), hour) })
	before := s.Health().Unreplicated
	replica.Freeze(t)
	t.Cleanup(func() { replica.Thaw(t) })
	short := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, session.ErrUnreplicated) || !isOutage(err) {
			t.Errorf("%s: %v, want %v", what, err, session.ErrUnreplicated)
		}
	}
	begin := time.Now()
	existed, err := s.End(t.Context(), "s", time.Minute, "logout")
	short("end", err)
	if took := time.Since(begin); !existed || took > cfg.Timeout {
		t.Errorf("end answered %t after %s, want that it was there, within %s", existed, took, cfg.Timeout)
	}
	_, err = s.Read(t.Context(), "s")
	if !errors.Is(err, session.ErrNone) {
		t.Errorf("read after the end: %v, want %v", err, session.ErrNone)
	}
	members, err := s.MarkIndex(t.Context(), "k", time.Now(), time.Minute)
	short("mark", err)
	if len(members) != 1 {
		t.Errorf("mark answered %d members, want the one to end", len(members))
	}
	short("add", s.AddIndex(t.Context(), "other", session.Member{ID: "s"}, time.Now(), hour))
	done("create while the replica hangs", s.Create(t.Context(), "t", first, hour))
	for range 2 { // the repeat writes nothing
		log.Reset()
		done("update", s.Update(t.Context(), "t", next))
		if !strings.Contains(log.String(), "event=unreplicated") {
			t.Errorf("log %q, want the event", log.String())
		}
	}
	if n := s.Health().Unreplicated - before; n != 5 {
		t.Errorf("%d writes are counted, want an end, a mark, an entry and two updates", n)
	}
	replica.Thaw(t)
	primary.InSync(t, 1)
	replicated("end again", func() error {
		_, err := s.End(t.Context(), "s", time.Minute, "logout")
		return err
	})
}

// Without the right to use WAIT nothing is acknowledged, and the error says why.
func TestWaitThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	cfg := user(t, storetest.StartRedis(t), leastRights)
	cfg.Wait = 1
	_, err := open(t, cfg).End(t.Context(), "s", time.Minute, "logout")
	if !errors.Is(err, session.ErrUnreplicated) || !strings.Contains(err.Error(), "wait") {
		t.Errorf("end: %v, want %v that names the command", err, session.ErrUnreplicated)
	}
}

// SES-11: a server that hangs costs the first commands their timeout; then one at a time finds out whether it is back, and all others are told at once.
func TestBreaker(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	cfg := config(server)
	cfg.Timeout = 400 * time.Millisecond
	s := open(t, cfg)
	read := func() (took time.Duration, err error) {
		begin := time.Now()
		_, err = s.Read(t.Context(), "nobody")
		return time.Since(begin), err
	}
	for range 20 { // states are answers
		if _, err := read(); !errors.Is(err, session.ErrNone) {
			t.Fatal(err)
		}
		if err := s.Update(t.Context(), "nobody", session.Record{Version: 2}); !errors.Is(err, session.ErrNone) {
			t.Fatal(err)
		}
	}
	server.Freeze(t)
	t.Cleanup(func() { server.Thaw(t) })
	for range 20 { // a caller who leaves says nothing about the server
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := s.Read(ctx, "nobody"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("read of a caller who leaves: %v", err)
		}
		cancel()
	}
	for i := range 5 {
		if took, err := read(); took < cfg.Timeout || !isOutage(err) {
			t.Errorf("read %d took %s and said %v: the server was not asked", i, took, err)
		}
	}
	var told time.Duration
	for range 1000 {
		took, err := read()
		if told += took; !isOutage(err) {
			t.Fatal(err)
		}
	}
	if told > cfg.Timeout {
		t.Errorf("1000 requests waited for %s together", told)
	}
	server.Thaw(t)
	storetest.Eventually(t, 5*time.Second, "is asked again", func() bool {
		_, err := read()
		return errors.Is(err, session.ErrNone)
	})
}

// In a cluster a primary that hangs does not cost the others' sessions anything.
func TestBreakerInACluster(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, 3, false, "--cluster-require-full-coverage", "no")
	cfg := cluster(c)
	cfg.Timeout, cfg.Cluster = time.Second, c.Addresses()
	s := open(t, cfg)
	ids := map[bool]session.ID{} // one of the server that will hang, one of another
	for i := 0; len(ids) < 2; i++ {
		id := session.ID(strings.Repeat("x", i+1))
		slot, err := administrator(t, c.Nodes[0]).ClusterKeySlot(t.Context(), string(id)).Result()
		if err != nil {
			t.Fatal(err)
		}
		ids[slot < 16384/3] = id
	}
	c.Nodes[0].Freeze(t)
	t.Cleanup(func() { c.Nodes[0].Thaw(t) })
	storetest.Eventually(t, 20*time.Second, "is told at once", func() bool {
		begin := time.Now()
		_, err := s.Read(t.Context(), ids[true])
		return isOutage(err) && time.Since(begin) < 100*time.Millisecond
	})
	for range 50 {
		begin := time.Now()
		if _, err := s.Read(t.Context(), ids[false]); !errors.Is(err, session.ErrNone) || time.Since(begin) > cfg.Timeout/2 {
			t.Errorf("read at another server: %v after %s, want %v", err, time.Since(begin), session.ErrNone)
		}
	}
}
