package stack

import (
	"bufio"
	"context"
	"errors"
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

	dir     string
	direct  string
	corpus  *tokscan.Corpus
	monitor net.Conn
	watched sync.WaitGroup
}

// StartRedis starts a server without persistence on a free port. With a corpus every command is recorded.
func StartRedis(ctx context.Context, dir string, corpus *tokscan.Corpus) (*Redis, error) {
	r := &Redis{dir: dir, corpus: corpus}
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	var err error
	if r.Link, err = NewSwitch(r.direct); err != nil {
		_ = r.stop()
		return nil, err
	}
	return r, nil
}

// start starts the server and looks at its commands.
func (r *Redis) start(ctx context.Context) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("redis-server is missing: run `make setup`: %w", err)
	}
	// Without compression a value's bytes stand in its dump as they are.
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "no",
		"--rdbcompression", "no", "--maxmemory-policy", "noeviction")
	if r.Process, err = launch("redis", cmd, nil); err != nil {
		return err
	}
	if _, err := r.Await(ctx, "ready line", func(l Line) bool { return strings.Contains(l.Text, "Ready to accept connections") }); err != nil {
		_ = r.Kill()
		return err
	}
	r.direct = "127.0.0.1:" + port
	r.Client = redis.NewClient(&redis.Options{Addr: r.direct})
	if r.corpus == nil {
		return nil
	}
	if err := r.watch(); err != nil {
		_ = r.stop()
		return err
	}
	return nil
}

// Restart kills the server and starts an empty one in its place.
func (r *Redis) Restart(ctx context.Context) error {
	if err := r.Link.Refuse(); err != nil {
		return err
	}
	if err := r.stop(); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	return r.Link.Accept(r.direct)
}

// Direct is the address behind Link.
func (r *Redis) Direct() string { return r.direct }

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
	return errors.Join(r.Link.Close(), r.stop())
}

// stop ends the server and what looks at it, but not the link.
func (r *Redis) stop() error {
	_ = r.Client.Close()
	if r.monitor != nil {
		_ = r.monitor.Close()
		r.watched.Wait()
	}
	return r.Kill()
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
