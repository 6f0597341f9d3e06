package stack

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"cloakroom/e2e/tokscan"
)

// Redis is a real server with a switch in front, by which the tests play an outage.
type Redis struct {
	*Process
	// Link is what the replicas dial.
	Link *Switch
	// Client talks to the server directly.
	Client *redis.Client

	direct  string
	corpus  *tokscan.Corpus
	monitor net.Conn
	watched sync.WaitGroup
}

// StartRedis starts a server without persistence on a free port. With a corpus every command is recorded.
func StartRedis(ctx context.Context, dir string, corpus *tokscan.Corpus) (*Redis, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is missing: run `make setup`: %w", err)
	}
	// Without compression a value's bytes stand in its dump as they are.
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no",
		"--rdbcompression", "no", "--maxmemory-policy", "noeviction")
	p, err := launch("redis", cmd, nil)
	if err != nil {
		return nil, err
	}
	r := &Redis{Process: p, direct: "127.0.0.1:" + port, corpus: corpus}
	if _, err := p.Await(ctx, "ready line", func(l Line) bool { return strings.Contains(l.Text, "Ready to accept connections") }); err != nil {
		_ = p.Kill()
		return nil, err
	}
	if r.Link, err = NewSwitch(r.direct); err != nil {
		_ = p.Kill()
		return nil, err
	}
	r.Client = redis.NewClient(&redis.Options{Addr: r.direct})
	if corpus != nil {
		if err := r.watch(); err != nil {
			_ = r.Close()
			return nil, err
		}
	}
	return r, nil
}

// Restore ends an outage that Link.Cut began.
func (r *Redis) Restore() { r.Link.Use(r.direct) }

// watch records every command that the server gets.
func (r *Redis) watch() error {
	conn, err := net.Dial("tcp", r.direct)
	if err != nil {
		return fmt.Errorf("watch redis: %w", err)
	}
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		return fmt.Errorf("watch redis: %w", err)
	}
	r.monitor = conn
	ready := make(chan struct{})
	r.watched.Go(func() {
		lines := bufio.NewReader(conn)
		var seen []byte
		for n := 0; ; n++ {
			line, err := lines.ReadBytes('\n')
			if n == 0 {
				close(ready) // +OK, or the connection is gone
			}
			seen = append(seen, line...)
			if err != nil || len(seen) > 256<<10 {
				r.corpus.See(tokscan.Store, "redis commands", seen)
				seen = nil
			}
			if err != nil {
				return
			}
		}
	})
	<-ready
	return nil
}

// Dump records every key and its serialized value as they are now.
func (r *Redis) Dump(ctx context.Context) error {
	keys := r.Client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		value, err := r.Client.Dump(ctx, keys.Val()).Bytes()
		if err == redis.Nil {
			continue // expired between the two commands
		}
		if err != nil {
			return fmt.Errorf("dump redis: %w", err)
		}
		r.corpus.See(tokscan.Store, "redis key "+keys.Val(), append([]byte(keys.Val()+"\n"), value...))
	}
	return keys.Err()
}

// Immortal returns the keys that have no expiry.
func (r *Redis) Immortal(ctx context.Context) ([]string, error) {
	var immortal []string
	keys := r.Client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		ttl, err := r.Client.TTL(ctx, keys.Val()).Result()
		if err != nil {
			return nil, err
		}
		if ttl == -1 {
			immortal = append(immortal, keys.Val())
		}
	}
	return immortal, keys.Err()
}

// Close ends the server.
func (r *Redis) Close() error {
	_ = r.Client.Close()
	err := r.Link.Close()
	if r.monitor != nil {
		_ = r.monitor.Close()
		r.watched.Wait()
	}
	if killed := r.Kill(); err == nil {
		err = killed
	}
	return err
}

// freePort returns a port that was free a moment ago, for programs that do not take port 0.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return port, l.Close()
}
