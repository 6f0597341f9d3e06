package storetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Sentinel is a primary with two replicas, watched by three sentinels that replace it when it gives no answer for a second. All end with the test.
type Sentinel struct {
	// Master is the name by which the sentinels know the primary.
	Master string
	// Addresses are those of the sentinels.
	Addresses []string
	// Nodes are the primary at the start, and its replicas.
	Nodes []*Redis
	// Watchers are the sentinels.
	Watchers []*Redis
}

// StartSentinel starts all six, and returns when each sentinel knows everybody and the replicas have all that the primary has. args are further arguments of the
// three that hold data.
func StartSentinel(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	path, err := exec.LookPath("redis-sentinel")
	if err != nil {
		t.Fatal("no redis-sentinel on PATH; install it: apt-get install -y --no-install-recommends redis-sentinel")
	}
	s := &Sentinel{Master: "cloakroom", Nodes: []*Redis{StartRedis(t, args...)}}
	host, port, _ := net.SplitHostPort(s.Nodes[0].Addr)
	for range 2 {
		replica := append([]string{"--replicaof", host + " " + port, "--repl-diskless-sync-delay", "0"}, args...)
		s.Nodes = append(s.Nodes, StartRedis(t, replica...))
	}
	s.Nodes[0].InSync(t, 2)
	for range 3 {
		watcher := start(t, "+monitor master", func(own, at string) *exec.Cmd {
			return exec.Command(path, sentinelFile(t, own, at, s.Master, host, port))
		})
		s.Watchers, s.Addresses = append(s.Watchers, watcher), append(s.Addresses, watcher.Addr)
	}
	for _, w := range s.Watchers {
		Eventually(t, 30*time.Second, "sentinel knows everybody", func() bool { return s.knowsAll(t, w) })
	}
	return s
}

// sentinelFile writes a sentinel's configuration, which it rewrites itself.
func sentinelFile(t testing.TB, own, at, master, host, port string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("bind %s\nport %s\ndir %s\nsentinel monitor %s %s %s 2\n", own, at, dir, master, host, port) +
		fmt.Sprintf("sentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 5000\n", master, master)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (s *Sentinel) knowsAll(t testing.TB, w *Redis) bool {
	t.Helper()
	said, err := w.client(t).Do(t.Context(), "sentinel", "master", s.Master).Result()
	m, ok := said.(map[any]any)
	return err == nil && ok && m["num-slaves"] == "2" && m["num-other-sentinels"] == "2"
}

// Primary is the node that a sentinel names now, nil if it is none that runs.
func (s *Sentinel) Primary(t testing.TB) *Redis {
	t.Helper()
	addr, err := s.Watchers[len(s.Watchers)-1].client(t).Do(t.Context(), "sentinel", "get-master-addr-by-name", s.Master).StringSlice()
	if err != nil || len(addr) != 2 {
		return nil
	}
	for _, n := range s.Nodes {
		if n.Addr == net.JoinHostPort(addr[0], addr[1]) && n.info(t, "replication")["role"] == "master" {
			return n
		}
	}
	return nil
}

// client is a connection of an administrator, which ends with the test.
func (r *Redis) client(t testing.TB) *goredis.Client {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.admin == nil {
		r.admin = goredis.NewClient(&goredis.Options{Addr: r.Addr, MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: time.Second})
		t.Cleanup(func() { _ = r.admin.Close() })
	}
	return r.admin
}

// info is a section of what the server says about itself, empty without an answer.
func (r *Redis) info(t testing.TB, section string) map[string]string {
	t.Helper()
	facts := map[string]string{}
	text, _ := r.client(t).Info(t.Context(), section).Result()
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[name] = value
		}
	}
	return facts
}

// InSync waits until that many replicas have all that this server has: what is written before can be lost with it.
func (r *Redis) InSync(t testing.TB, replicas int64) {
	t.Helper()
	Eventually(t, 30*time.Second, "replicas are in sync", func() bool {
		pair := r.client(t).Pipeline()
		_ = pair.Set(t.Context(), "in sync", "", time.Minute)
		have := pair.Do(t.Context(), "wait", replicas, 500)
		_, err := pair.Exec(t.Context())
		return err == nil && have.Val() == replicas
	})
}

// Unfollow breaks the server's connections to its replicas, which must be frozen: what is written from now on is on no other server.
func (r *Redis) Unfollow(t testing.TB) {
	t.Helper()
	if err := r.client(t).Do(t.Context(), "client", "kill", "type", "replica").Err(); err != nil {
		t.Fatalf("cut replicas off: %v", err)
	}
}

// Eventually waits until something holds, and fails the test if that takes too long.
func Eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}
