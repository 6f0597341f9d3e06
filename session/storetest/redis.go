package storetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Redis is a real redis-server of one test's own, empty and without persistence. It ends with the test.
type Redis struct {
	// Addr is its host:port, on loopback.
	Addr string

	cmd  *exec.Cmd
	once sync.Once
	bus  string // its port for the other nodes of a cluster

	mu    sync.Mutex
	admin *goredis.Client
}

// StartRedis starts a redis-server on a free port. args are further arguments, as on its command line; they win over ours.
// It fails the test if there is no redis-server, with the command that installs it.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("no redis-server on PATH; install it: apt-get install -y --no-install-recommends redis-server redis-tools")
	}
	return start(t, "Ready to accept connections", func(host, port string) *exec.Cmd {
		base := []string{"--bind", host, "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no"}
		return exec.Command(path, append(base, args...)...)
	})
}

// start starts a server on a free port, and returns when its log says that it serves.
func start(t testing.TB, serves string, command func(host, port string) *exec.Cmd) *Redis {
	t.Helper()
	var err error
	for range 5 { // a port that is free now may be taken a moment later
		var r *Redis
		if r, err = startOnce(serves, command); err == nil {
			t.Cleanup(r.Stop)
			return r
		}
	}
	t.Fatalf("start redis-server: %v", err)
	return nil
}

func startOnce(serves string, command func(host, port string) *exec.Cmd) (*Redis, error) {
	host, port, err := free()
	if err != nil {
		return nil, err
	}
	cmd := command(host, port)
	cmd.SysProcAttr = dieWithTest()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &Redis{Addr: net.JoinHostPort(host, port), cmd: cmd}
	if err := ready(out, serves); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// free finds a port that nobody listens on.
func free() (host, port string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer l.Close()
	return net.SplitHostPort(l.Addr().String())
}

// ready waits until the server's log says that it serves, and goes on reading so that the server never blocks on it.
func ready(log io.Reader, serves string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	said := make(chan error, 1)
	go func() { // ends when the server does: Stop closes the pipe
		var lines []string
		for in := bufio.NewScanner(log); in.Scan(); {
			if strings.Contains(in.Text(), serves) {
				said <- nil
				_, _ = io.Copy(io.Discard, log)
				return
			}
			lines = append(lines, in.Text())
		}
		said <- fmt.Errorf("it ended with:\n%s", strings.Join(lines, "\n"))
	}()
	select {
	case err := <-said:
		return err
	case <-ctx.Done():
		return fmt.Errorf("it was not ready after 20s")
	}
}

// URL is what a store's configuration takes.
func (r *Redis) URL() string { return "redis://" + r.Addr + "/0" }

// Freeze stops the process where it is: connections stay open, nothing is answered.
func (r *Redis) Freeze(t testing.TB) { r.signal(t, syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (r *Redis) Thaw(t testing.TB) { r.signal(t, syscall.SIGCONT) }

// Stop kills the server and waits for its end. Again is harmless.
func (r *Redis) Stop() {
	r.once.Do(func() {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	})
}

func (r *Redis) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatalf("send %s to redis-server: %v", s, err)
	}
}
