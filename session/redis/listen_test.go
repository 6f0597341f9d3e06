package redis_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// subscribed is a subscription that has answered a ping.
func subscribed(t *testing.T, s *redis.Store) session.Listener {
	t.Helper()
	l, err := s.Listen(t.Context())
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := l.Ping(t.Context(), "first"); err != nil {
		t.Fatalf("ping: %v", err)
	}
	if e, err := l.Receive(t.Context()); err != nil || e.Pong != "first" {
		t.Fatalf("receive = %v, %v", e, err)
	}
	return l
}

// ends waits for the listener's error. An event before it is no mistake.
func ends(t *testing.T, l session.Listener, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for {
		if _, err := l.Receive(ctx); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("nothing happened for %v", within)
			}
			if err := l.Ping(t.Context(), "late"); err == nil {
				t.Error("a ping is sent after the end")
			}
			return
		}
	}
}

// TestABrokenSubscriptionEnds shows that no break is mended behind our back: what was published in between would be lost, and nobody would know.
func TestABrokenSubscriptionEnds(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, server *storetest.Redis){
		"killed": func(t *testing.T, server *storetest.Redis) {
			if err := administrator(t, server).Do(t.Context(), "client", "kill", "type", "pubsub").Err(); err != nil {
				t.Fatal(err)
			}
		},
		"its server is gone": func(_ *testing.T, server *storetest.Redis) { server.Stop() },
		"somebody publishes what we do not understand": func(t *testing.T, server *storetest.Redis) {
			if err := administrator(t, server).Publish(t.Context(), "test:announce", "hello").Err(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t)
			l := subscribed(t, open(t, config(server)))
			harm(t, server)
			ends(t, l, 20*time.Second)
		})
	}
}

// TestAFrozenServerIsSilent shows that a server that hangs answers no ping and announces nothing, and that beginning to listen to it is bounded in time.
func TestAFrozenServerIsSilent(t *testing.T) {
	server := storetest.StartRedis(t)
	cfg := config(server)
	cfg.Timeout = time.Second
	s := open(t, cfg)
	l := subscribed(t, s)
	server.Freeze(t)
	t.Cleanup(func() { server.Thaw(t) })
	if err := l.Ping(t.Context(), "second"); err != nil {
		t.Fatalf("ping: %v", err) // it is sent, that is all
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if e, err := l.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("receive = %v, %v from a frozen server", e, err)
	}
	start := time.Now()
	if other, err := s.Listen(t.Context()); err == nil {
		_ = other.Close()
		t.Error("listening to a frozen server began")
	}
	if took := time.Since(start); took > cfg.Timeout+slack {
		t.Errorf("it took %v", took)
	}
	server.Thaw(t)
	if e, err := l.Receive(t.Context()); err != nil || e.Pong != "second" {
		t.Errorf("receive = %v, %v; want the pong of before", e, err)
	}
}

// TestALostPongIsNoPong shows that a connection whose answers do not arrive proves nothing.
func TestALostPongIsNoPong(t *testing.T) {
	server := storetest.StartRedis(t)
	proxy := storetest.StartLossy(t, server.Addr)
	cfg := config(server)
	cfg.URL = "redis://" + proxy.Addr
	l := subscribed(t, open(t, cfg))
	proxy.Hang("second", 1)
	if err := l.Ping(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if e, err := l.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("receive = %v, %v", e, err)
	}
}

// TestListeningIsRefused shows that a user without the right is told so at once, without its password.
func TestListeningIsRefused(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, user(t, server, strings.Replace(leastRights, "+subscribe", "", 1)))
	l, err := s.Listen(t.Context())
	if err == nil {
		_ = l.Close()
		t.Fatal("it began")
	}
	if !strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), "p%40ss") || strings.Contains(err.Error(), "p@ss") {
		t.Errorf("error %q", err)
	}
}

// TestAServerThatTalksNonsense shows that whatever a server says ends in an error, and neither in a panic nor in proof.
func TestAServerThatTalksNonsense(t *testing.T) {
	confirm := "*3\r\n$9\r\nsubscribe\r\n$13\r\ntest:announce\r\n:1\r\n"
	for name, says := range map[string]string{
		"an empty list":                   confirm + "*0\r\n",
		"a list of numbers":               confirm + "*3\r\n:1\r\n:2\r\n:3\r\n",
		"half a message":                  confirm + "*2\r\n$7\r\nmessage\r\n$13\r\ntest:announce\r\n",
		"a number":                        confirm + ":1\r\n",
		"a pong that nobody asked for":    confirm + "*2\r\n$4\r\npong\r\n$1\r\nx\r\n",
		"a pong without a payload":        confirm + "+PONG\r\n",
		"a second subscription":           confirm + confirm,
		"an announcement without version": confirm + "*3\r\n$7\r\nmessage\r\n$13\r\ntest:announce\r\n$3\r\nabc\r\n",
		"a negative version":              confirm + "*3\r\n$7\r\nmessage\r\n$13\r\ntest:announce\r\n$4\r\na -1\r\n",
		"an error":                        confirm + "-ERR no\r\n",
		"HTTP":                            "HTTP/1.1 400 Bad Request\r\n\r\n",
		"nothing but an error":            "-ERR no\r\n",
		"an empty list at once":           "*0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := redis.Config{URL: "redis://" + talker(t, says), Prefix: "test", Timeout: 2 * time.Second, PoolSize: 2}
			l, err := open(t, cfg).Listen(t.Context())
			if err != nil {
				return
			}
			defer l.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if e, err := l.Receive(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("receive = %+v, %v; want an error", e, err)
			}
		})
	}
}

// talker is a server that knows no HELLO, and answers SUBSCRIBE with says.
func talker(t *testing.T, says string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // ends with the listener
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // ends with its connection, which the store closes
				defer conn.Close()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					switch strings.ToLower(lines.Text()) {
					case "hello":
						_, _ = conn.Write([]byte("-ERR unknown command\r\n"))
					case "subscribe":
						_, _ = conn.Write([]byte(says))
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}
