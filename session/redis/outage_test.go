package redis_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// calls are all calls of a store, but Close.
func calls(s *redis.Store) map[string]func(context.Context) error {
	hour := time.Now().Add(time.Hour)
	return map[string]func(context.Context) error{
		"read":    func(ctx context.Context) error { _, err := s.Read(ctx, "s"); return err },
		"ttl":     func(ctx context.Context) error { _, err := s.TTL(ctx, "s"); return err },
		"readttl": func(ctx context.Context) error { _, _, err := s.ReadTTL(ctx, "s"); return err },
		"listen": func(ctx context.Context) error {
			l, err := s.Listen(ctx)
			if err == nil {
				err = l.Close()
			}
			return err
		},
		"create":  func(ctx context.Context) error { return s.Create(ctx, "s", session.Record{Version: 1}, hour) },
		"update":  func(ctx context.Context) error { return s.Update(ctx, "s", session.Record{Version: 2}) },
		"touch":   func(ctx context.Context) error { _, err := s.Touch(ctx, "s", hour); return err },
		"prolong": func(ctx context.Context) error { _, err := s.Prolong(ctx, "s", hour); return err },
		"why":     func(ctx context.Context) error { _, err := s.Why(ctx, "s"); return err },
		"end":     func(ctx context.Context) error { _, err := s.End(ctx, "s", time.Minute, "logout"); return err },
		"add":     func(ctx context.Context) error { return s.AddIndex(ctx, "k", session.Member{ID: "s"}, hour, hour) },
		"add within": func(ctx context.Context) error {
			_, err := s.AddWithin(ctx, "k", session.Member{ID: "s"}, hour, hour, session.Limit{Max: 1})
			return err
		},
		"ttls":    func(ctx context.Context) error { _, err := s.TTLs(ctx, []session.ID{"s", "t"}); return err },
		"drop":    func(ctx context.Context) error { return s.DropIndex(ctx, "k", "s") },
		"members": func(ctx context.Context) error { _, err := s.Members(ctx, "k"); return err },
		"mark":    func(ctx context.Context) error { _, err := s.MarkIndex(ctx, "k", hour, time.Minute); return err },
		"lock": func(ctx context.Context) error {
			_, err := s.Lock(ctx, "s", session.WriteID{}, time.Minute)
			return err
		},
		"unlock": func(ctx context.Context) error { return s.Unlock(ctx, "s", session.WriteID{}) },
		"claim": func(ctx context.Context) error {
			_, err := s.Claim(ctx, "n", session.WriteID{}, time.Minute)
			return err
		},
		"put entry":  func(ctx context.Context) error { return s.PutEntry(ctx, "r", "n", []byte("v")) },
		"entry":      func(ctx context.Context) error { _, err := s.Entry(ctx, "r", "n"); return err },
		"entries":    func(ctx context.Context) error { _, err := s.Entries(ctx, "r"); return err },
		"drop entry": func(ctx context.Context) error { _, err := s.DropEntry(ctx, "r", "n"); return err },
		"check":      func(ctx context.Context) error { return s.Check(ctx) },
	}
}

// isOutage reports whether an error says nothing about the session.
func isOutage(err error) bool {
	for _, state := range []error{nil, session.ErrNone, session.ErrConflict, session.ErrEnded, session.ErrFull, session.ErrCorrupt} {
		if errors.Is(err, state) {
			return false
		}
	}
	return true
}

// slack is what a busy machine may need on top of a deadline. It is less than a second try would take.
const slack = 900 * time.Millisecond

// TestFrozenServer shows that every call ends within the configured timeout when the server hangs, dials and repeats
// included, and that the same store serves when it goes on.
func TestFrozenServer(t *testing.T) {
	server := storetest.StartRedis(t)
	cfg := config(server)
	cfg.Timeout = time.Second
	s := open(t, cfg)
	if err := s.Create(t.Context(), "s", session.Record{Version: 1}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	server.Freeze(t)
	t.Cleanup(func() { server.Thaw(t) })
	var all sync.WaitGroup
	for name, call := range calls(s) {
		all.Go(func() {
			start := time.Now()
			err := call(t.Context())
			if took := time.Since(start); took > cfg.Timeout+slack {
				t.Errorf("%s took %s, want at most %s", name, took, cfg.Timeout+slack)
			}
			if !isOutage(err) {
				t.Errorf("%s: error %v, want an outage", name, err)
			}
		})
	}
	all.Wait()
	server.Thaw(t)
	storetest.Eventually(t, cfg.Timeout, "serves after it goes on", func() bool {
		_, err := s.Members(t.Context(), "other")
		return err == nil
	})
}

// TestCallersDeadline shows that a caller's earlier deadline counts.
func TestCallersDeadline(t *testing.T) {
	server := storetest.StartRedis(t)
	cfg := config(server)
	cfg.Timeout = 20 * time.Second
	s := open(t, cfg)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Freeze(t)
	t.Cleanup(func() { server.Thaw(t) })
	var all sync.WaitGroup
	for name, call := range calls(s) {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			if err := call(ctx); !isOutage(err) {
				t.Errorf("%s: error %v, want an outage", name, err)
			}
			if took := time.Since(start); took > 100*time.Millisecond+slack {
				t.Errorf("%s took %s, want at most %s", name, took, 100*time.Millisecond+slack)
			}
		})
	}
	all.Wait()
}

// TestNobodyListens shows that a Redis that is down is an outage, at once, and no reason not to start.
func TestNobodyListens(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, config(server))
	server.Stop()
	for name, call := range calls(s) {
		if err := call(t.Context()); !isOutage(err) {
			t.Errorf("%s: error %v, want an outage", name, err)
		}
	}
}

// TestRestart shows that idle connections that a restart broke cost nothing: neither a read nor a write fails.
func TestRestart(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, config(server))
	if err := s.Create(t.Context(), "s", session.Record{Version: 1}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := administrator(t, server).Do(t.Context(), "client", "kill", "type", "normal", "skipme", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), "s"); err != nil {
		t.Errorf("read: %v", err)
	}
	if err := administrator(t, server).ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), "s", session.Record{Version: 2}); err != nil {
		t.Errorf("update by a script that the server forgot: %v", err)
	}
}

// TestPasswordStaysInside shows that neither an error nor a log line has the password, whatever the server says about it.
func TestPasswordStaysInside(t *testing.T) {
	const password = "s3cret p@ss\"word/%"
	server := storetest.StartRedis(t)
	for name, addr := range map[string]string{
		"wrong password":                        server.Addr,
		"a server that quotes what it was sent": parrot(t),
		"nobody listens":                        "127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			cfg := config(server)
			cfg.URL = (&url.URL{Scheme: "redis", User: url.UserPassword("someone", password), Host: addr}).String()
			cfg.Timeout = time.Second
			s, err := redis.New(cfg, slog.New(slog.NewTextHandler(&locked{w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug})))
			if err != nil {
				t.Fatal(err)
			}
			for call, run := range calls(s) {
				err := run(t.Context())
				if !isOutage(err) {
					t.Errorf("%s: error %v, want an outage", call, err)
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					hides(t, e.Error(), password)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			hides(t, log.String(), password)
		})
	}
	for _, raw := range []string{
		"redis://:s3cret@host:port/0", "redis://:s3cret%zz@host", "http://:s3cret@host", "redis://:s3cret@host/zero", "redis:s3cret",
		"redis://:s3cret@host?skip_verify=true", "redis://:s3cret#x@host", "redis://:s3cret@", "s3cret", "redis://host/:s3cret",
	} {
		cfg := config(server)
		cfg.URL = raw
		_, err := redis.New(cfg, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("URL %q was taken", raw)
			continue
		}
		hides(t, err.Error(), "s3cret")
	}
}

// hides fails if text has the secret, as it is, quoted or percent-encoded.
func hides(t *testing.T, text, secret string) {
	t.Helper()
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ReplaceAll(secret, `"`, `\"`)} {
		if strings.Contains(text, form) {
			t.Errorf("%q contains the password", text)
		}
	}
}

// locked is a writer for several goroutines.
type locked struct {
	mu sync.Mutex
	w  *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// parrot is a server that answers every request with an error that quotes it, as old versions do for commands that they do not know.
func parrot(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				buf := make([]byte, 4096)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					said := strings.NewReplacer("\r", " ", "\n", " ").Replace(string(buf[:n]))
					if _, err := c.Write([]byte("-ERR unknown command, with args beginning with: " + said + "\r\n")); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	return listener.Addr().String()
}
