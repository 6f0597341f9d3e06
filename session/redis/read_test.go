package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// crowded opens a store on addr that takes each read for one of many, and stores 50 sessions that name themselves.
func crowded(t *testing.T, addr string, timeout time.Duration) *Store {
	t.Helper()
	s, err := New(Config{URL: "redis://" + addr, Prefix: "test", Timeout: timeout, PoolSize: 16}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	s.reads.underway.Add(crowd)
	for i := range 50 {
		rec := session.Record{Version: 1, Sealed: []byte(user(i))}
		if err := s.Create(t.Context(), session.ID(user(i)), rec, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// user is a session's ID, and what is sealed in it.
func user(i int) string { return fmt.Sprintf("user %d", i%50) }

// readAll reads from many goroutines at once, and fails for each answer that is an error or somebody else's.
func readAll(t *testing.T, s *Store, each int) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for range each {
				rec, err := s.Read(t.Context(), session.ID(user(i)))
				if err != nil || string(rec.Sealed) != user(i) {
					t.Errorf("read of %s = %q, %v", user(i), rec.Sealed, err)
				}
			}
		})
	}
	all.Wait()
}

// TestSharedReads shows that a read in a crowd gets the answer to its own question, and ErrNone where there is none.
func TestSharedReads(t *testing.T) {
	s := crowded(t, storetest.StartRedis(t).Addr, 10*time.Second)
	readAll(t, s, 50)
	if _, err := s.Read(t.Context(), "nobody"); !errors.Is(err, session.ErrNone) {
		t.Errorf("read of nobody: %v, want %v", err, session.ErrNone)
	}
}

// TestSharedConnectionBreaks shows that a shared connection that is cut, or hangs, costs the reads on it time and nothing else.
func TestSharedConnectionBreaks(t *testing.T) {
	for name, harm := range map[string]func(*storetest.Lossy){
		"cut":   func(l *storetest.Lossy) { l.Lose("user 7}", 1) },
		"hangs": func(l *storetest.Lossy) { l.Hang("user 7}", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := storetest.StartLossy(t, storetest.StartRedis(t).Addr)
			s := crowded(t, proxy.Addr, 4*time.Second)
			harm(proxy)
			readAll(t, s, 5)
			if proxy.Lost() != 1 {
				t.Errorf("%d answers were lost, want 1", proxy.Lost())
			}
		})
	}
}

// TestSharedReadsFrozen shows that a crowd's reads end in time when the server hangs, however many wait in line, and that
// they are answered again soon after it goes on.
func TestSharedReadsFrozen(t *testing.T) {
	server := storetest.StartRedis(t)
	const timeout, slack = time.Second, 900 * time.Millisecond
	s := crowded(t, server.Addr, timeout)
	server.Freeze(t)
	t.Cleanup(func() { server.Thaw(t) })
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			start := time.Now()
			_, err := s.Read(t.Context(), session.ID(user(i)))
			if took := time.Since(start); took > timeout+slack || err == nil || errors.Is(err, session.ErrNone) {
				t.Errorf("read took %s and said %v, want an outage within %s", took, err, timeout+slack)
			}
		})
	}
	all.Wait()
	server.Thaw(t)
	storetest.Eventually(t, timeout, "serves after it goes on", func() bool {
		_, err := s.Read(t.Context(), session.ID(user(0)))
		return err == nil
	})
	readAll(t, s, 1)
}

// TestSharedReadHonoursItsContext shows that one caller's deadline is not the others'.
func TestSharedReadHonoursItsContext(t *testing.T) {
	s := crowded(t, storetest.StartRedis(t).Addr, 10*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(ctx, "user 1"); !errors.Is(err, context.Canceled) {
		t.Errorf("read of a caller who left: %v, want %v", err, context.Canceled)
	}
	readAll(t, s, 1)
}
