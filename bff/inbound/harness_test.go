package inbound

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time that stands until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// log is what was logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func deps(c *clock, log *logged) Deps {
	if log == nil {
		log = &logged{}
	}
	return Deps{
		HTTPS: true, Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Now: c.now, Log: slog.New(slog.NewTextHandler(log, nil)),
		Client: func(r *http.Request) netip.Addr {
			if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
				return at.Addr()
			}
			return netip.Addr{}
		},
	}
}

// request is one from 192.0.2.1, which is nobody's proxy. lines are Name: value.
func request(target string, lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// refusal is the Refusal in an error; a zero one if there is none, and the test has failed.
func refusal(t *testing.T, err error) *Refusal {
	t.Helper()
	r, ok := errors.AsType[*Refusal](err)
	if !ok {
		t.Fatalf("got %v, want a refusal", err)
	}
	return r
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	put(t, path, text)
	return path
}

// shelf is a store of keys that counts how often it is asked.
type shelf struct {
	mu   sync.Mutex
	keys map[string]Key
	err  error
	asks int
	gate chan struct{} // if not nil, each question waits for one value
}

func (s *shelf) Find(ctx context.Context, id string) (Key, error) {
	s.mu.Lock()
	s.asks++
	k, ok := s.keys[id]
	err, gate := s.err, s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return Key{}, ctx.Err()
		}
	}
	if err == nil && !ok {
		err = ErrNoKey
	}
	return k, err
}

func (s *shelf) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *shelf) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks
}

// make puts a new key on the shelf and returns its text.
func (s *shelf) make(t testing.TB, k Key) (text, id string) {
	t.Helper()
	text, kept, err := NewKey(k)
	if err != nil {
		t.Fatal(err)
	}
	s.set(func() {
		if s.keys == nil {
			s.keys = map[string]Key{}
		}
		s.keys[kept.ID] = kept
	})
	return text, kept.ID
}
