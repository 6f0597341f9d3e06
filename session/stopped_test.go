package session_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// What a process needs to know that plays a second replica: where Redis and the provider are, and the ticket.
const (
	replicaRedis    = "CLOAKROOM_TEST_REDIS"
	replicaProvider = "CLOAKROOM_TEST_PROVIDER"
	replicaCookie   = "CLOAKROOM_TEST_COOKIE"
)

// callTime is the longest that a call to the provider takes.
const callTime = time.Second

// TestReplica is no test by itself: the tests below run it in a process of its own, which they stop and kill. It refreshes once and says what came of it.
func TestReplica(t *testing.T) {
	addr := os.Getenv(replicaRedis)
	if addr == "" {
		return
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Cookie", os.Getenv(replicaCookie))
	m := processOn(t, openRedis(t, &storetest.Redis{Addr: addr}), os.Getenv(replicaProvider))
	got, err := token(m, r)
	fmt.Printf("replica: %s, %v\n", got, err)
	if err := m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// processOn is what a process runs, with a provider that is asked over HTTP.
func processOn(t *testing.T, st session.Store, provider string) *session.Manager {
	t.Helper()
	m, err := session.New(config(firstSecret), st, session.Deps{
		RefreshTimeout: callTime,
		Refresh: func(ctx context.Context, s *session.Session) (session.Refreshed, error) {
			return ask(ctx, provider, s.Tokens.Refresh)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ask makes one call to the provider of a test.
func ask(ctx context.Context, provider, refresh string) (session.Refreshed, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, provider, strings.NewReader(refresh))
	if err != nil {
		return session.Refreshed{}, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return session.Refreshed{}, err
	}
	defer answer.Body.Close()
	next, err := io.ReadAll(answer.Body)
	if err != nil {
		return session.Refreshed{}, err
	}
	if answer.StatusCode != http.StatusOK {
		return session.Refreshed{}, session.ErrInvalidGrant
	}
	return session.Refreshed{Tokens: tokens("access of "+string(next), string(next), time.Now())}, nil
}

// tokenServer is a provider on HTTP. The first call is held until release is closed, before it is served or after.
type tokenServer struct {
	*httptest.Server
	arrived, release chan struct{}
	forgiving        bool // takes a used token again

	mu    sync.Mutex
	valid string
	calls int
}

func startTokenServer(t *testing.T, serveFirst bool) *tokenServer {
	t.Helper()
	p := &tokenServer{arrived: make(chan struct{}), release: make(chan struct{}), valid: "refresh"}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		p.calls++
		first := p.calls == 1
		p.mu.Unlock()
		if first && !serveFirst {
			close(p.arrived)
			<-p.release
		}
		status, answer := p.rotate(string(body))
		if first && serveFirst {
			close(p.arrived)
			<-p.release
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(p.Close)
	return p
}

// rotate takes a refresh token for the next.
func (p *tokenServer) rotate(token string) (status int, next string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if token != p.valid && !p.forgiving {
		return http.StatusBadRequest, ""
	}
	p.valid += "+"
	return http.StatusOK, p.valid
}

// replica is a child process.
type replica struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func startReplica(t *testing.T, server *storetest.Redis, provider, cookie string) *replica {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &replica{cmd: exec.Command(exe, "-test.run=^TestReplica$", "-test.timeout=1m")}
	c.cmd.Env = append(os.Environ(), replicaRedis+"="+server.Addr, replicaProvider+"="+provider, replicaCookie+"="+cookie)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

func (c *replica) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// said is what the replica says in the end.
func (c *replica) said() string {
	for c.out.Scan() {
		if said, ok := strings.CutPrefix(c.out.Text(), "replica: "); ok {
			return said
		}
	}
	return "nothing"
}

// signedIn is a session whose token has run out, as a request of its browser.
func signedIn(t *testing.T, m *session.Manager) *http.Request {
	t.Helper()
	answer := httptest.NewRecorder()
	past := time.Now().Add(-time.Hour)
	s := &session.Session{Issuer: "https://id.test", Subject: "alice", IssuedAt: past, Tokens: tokens("access", "refresh", past)}
	if err := m.Start(t.Context(), answer, s); err != nil {
		t.Fatal(err)
	}
	return browser(t, answer)
}

// endLease ends the lease of whoever refreshes, as time would after callTime and ten seconds.
func endLease(t *testing.T, server *storetest.Redis) {
	t.Helper()
	admin := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	defer admin.Close()
	locks, err := admin.Keys(t.Context(), "test:l:*").Result()
	if err != nil || len(locks) != 1 {
		t.Fatalf("locks %q, %v; want one", locks, err)
	}
	if err := admin.Del(t.Context(), locks...).Err(); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until there is an answer that is not "not now", each time as a new process, which remembers no failure.
func eventually(t *testing.T, st session.Store, provider string, r *http.Request) (string, error) {
	t.Helper()
	for {
		got, err := token(processOn(t, st, provider), r)
		if !errors.Is(err, session.ErrNoToken) {
			return got, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}

// SES-21: a replica is stopped during its call to the provider; after its lease another one repeats the attempt; then the first goes on. Whatever it hears, the newest
// tokens stay.
func TestReplicaIsStopped(t *testing.T) {
	t.Parallel()
	for name, serveFirst := range map[string]bool{"before the provider has seen the call": false, "before it has heard the answer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t)
			p := startTokenServer(t, serveFirst)
			p.forgiving = serveFirst
			st := openRedis(t, server)
			r := signedIn(t, processOn(t, st, p.URL))
			stopped := startReplica(t, server, p.URL, r.Header.Get("Cookie"))
			<-p.arrived
			stopped.signal(t, syscall.SIGSTOP)
			endLease(t, server)
			want, err := eventually(t, st, p.URL, r)
			if err != nil {
				t.Fatalf("the other one: %v", err)
			}
			close(p.release)
			stopped.signal(t, syscall.SIGCONT)
			if said := stopped.said(); said == "nothing" {
				t.Error("the replica did not go on")
			}
			if err := stopped.cmd.Wait(); err != nil {
				t.Errorf("replica: %v", err)
			}
			if got, err := token(processOn(t, st, p.URL), r); err != nil || got != want {
				t.Errorf("afterwards %q, %v; want %q", got, err, want)
			}
			if p.calls != 2 {
				t.Errorf("%d calls, want 2", p.calls)
			}
		})
	}
}

// BCP-20: a replica is killed during its call. With a provider that takes tokens once the session ends cleanly, with one that forgives it goes on; in both cases
// there is one repeat.
func TestReplicaIsKilled(t *testing.T) {
	t.Parallel()
	for name, forgiving := range map[string]bool{"single-use": false, "forgiving": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t)
			p := startTokenServer(t, true)
			p.forgiving = forgiving
			st := openRedis(t, server)
			r := signedIn(t, processOn(t, st, p.URL))
			killed := startReplica(t, server, p.URL, r.Header.Get("Cookie"))
			<-p.arrived
			killed.signal(t, syscall.SIGKILL)
			endLease(t, server)
			close(p.release)
			if got, err := eventually(t, st, p.URL, r); forgiving && (err != nil || got != "access of refresh++") || !forgiving && !errors.Is(err, session.ErrNone) {
				t.Errorf("token %q, %v", got, err)
			}
			if p.calls != 2 {
				t.Errorf("%d calls, want 2", p.calls)
			}
		})
	}
}
