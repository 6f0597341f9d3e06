package session_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/configs/secret"
	"cloakroom/session"
	"cloakroom/session/memory"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// clock is time that a test moves on. Real stores judge expiries by the real one: what a moved clock stores lives longer there, never shorter.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// singleUse is a provider that takes each refresh token once.
type singleUse struct {
	now func() time.Time

	mu            sync.Mutex
	valid         string
	calls, reused int
	// before, if set, runs when a call has arrived.
	before func()
}

// refresh implements session.Deps.Refresh.
func (p *singleUse) refresh(_ context.Context, s *session.Session) (session.Refreshed, error) {
	if p.before != nil {
		p.before()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if s.Tokens.Refresh != p.valid {
		p.reused++
		return session.Refreshed{}, session.ErrInvalidGrant
	}
	p.valid += "+"
	return session.Refreshed{Tokens: tokens("access"+p.valid, p.valid, p.now())}, nil
}

func tokens(access, refresh string, now time.Time) session.Tokens {
	return session.Tokens{Access: access, Refresh: refresh, Issued: now, Expires: now.Add(5 * time.Minute)}
}

// twins are two processes on one store.
type twins struct {
	t        *testing.T
	clock    *clock
	provider *singleUse
	stores   [2]*between
	both     [2]*session.Manager
	ended    atomic.Int64
	orphaned atomic.Int64
	// vanish takes a record away behind the stores' backs, where their clock is not ours; nil where it is.
	vanish func(session.ID)
}

// between is a store that a test watches. before runs before each call.
type between struct {
	session.Store
	before func(op string)
	// failEnds is how many of the next ends fail.
	failEnds atomic.Int64
}

func (b *between) at(op string) {
	if b.before != nil {
		b.before(op)
	}
}

// Create implements session.Store.
func (b *between) Create(ctx context.Context, id session.ID, rec session.Record, expires time.Time) error {
	b.at("create")
	return b.Store.Create(ctx, id, rec, expires)
}

var firstSecret, secondSecret = secret.String("first secret, thirty-two bytes and more"), secret.String("second secret, thirty-two bytes and more")

// config is a configuration with these secrets.
func config(secrets ...secret.String) session.Config {
	return session.Config{
		IdleTimeout: 30 * time.Minute, Lifetime: 12 * time.Hour, Secrets: secrets, MaxSize: 64 << 10,
		Cookie: session.CookieConfig{Name: "__Host-Http-session", SameSite: "strict"},
	}
}

// manager is a process on st.
func (w *twins) manager(st session.Store, cfg session.Config) *session.Manager {
	w.t.Helper()
	m, err := session.New(cfg, st, session.Deps{
		Refresh: w.provider.refresh, Now: w.clock.now,
		Ended:    func(*session.Session, string) { w.ended.Add(1) },
		Orphaned: func(*session.Session) { w.orphaned.Add(1) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			w.t.Errorf("close: %v", err)
		}
	})
	return m
}

// onBothStores runs a story on a real Redis, where each process has connections of its own, and in memory.
func onBothStores(t *testing.T, story func(t *testing.T, w *twins)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		server := storetest.StartRedis(t)
		w := twinsOn(t, &clock{}, openRedis(t, server), openRedis(t, server))
		w.vanish = func(id session.ID) { vanish(t, server, id) }
		story(t, w)
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		c := &clock{}
		st := memory.New(memory.Config{MaxSessions: 1000}, memory.Now(c.now))
		t.Cleanup(func() { _ = st.Close() })
		story(t, twinsOn(t, c, st, st))
	})
}

// vanish deletes a record of Redis.
func vanish(t *testing.T, server *storetest.Redis, id session.ID) {
	t.Helper()
	admin := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	defer admin.Close()
	if n, err := admin.Del(t.Context(), "test:s:{"+string(id)+"}").Result(); n != 1 || err != nil {
		t.Fatalf("delete the record: %d, %v", n, err)
	}
}

// twinsOn makes two processes.
func twinsOn(t *testing.T, c *clock, one, two session.Store) *twins {
	t.Helper()
	w := &twins{t: t, clock: c}
	w.provider = &singleUse{now: w.clock.now, valid: "refresh"}
	for i, st := range []session.Store{one, two} {
		w.stores[i] = &between{Store: st}
		w.both[i] = w.manager(w.stores[i], config(firstSecret))
	}
	return w
}

// openRedis opens a store of one process.
func openRedis(t testing.TB, server *storetest.Redis) *redis.Store {
	t.Helper()
	return openImpatient(t, server, 5*time.Second)
}

// openImpatient is openRedis with a timeout.
func openImpatient(t testing.TB, server *storetest.Redis, timeout time.Duration) *redis.Store {
	t.Helper()
	st, err := redis.New(redis.Config{URL: server.URL(), Prefix: "test", Timeout: timeout, PoolSize: 16}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// alice is a session as a sign-in hands it over, with a token good for five minutes.
func (w *twins) alice() *session.Session {
	now := w.clock.now().UTC().Truncate(time.Second)
	return &session.Session{
		Provider: "main", Issuer: "https://id.test", Subject: "alice", ProviderSession: "sid-1", IssuedAt: now,
		Claims: map[string]any{"name": "Alice"}, Tokens: tokens("access", "refresh", now),
	}
}

// signIn starts s at m and returns its browser's request.
func (w *twins) signIn(m *session.Manager, s *session.Session) *http.Request {
	w.t.Helper()
	answer := httptest.NewRecorder()
	if err := m.Start(w.t.Context(), answer, s); err != nil {
		w.t.Fatalf("start: %v", err)
	}
	return browser(w.t, answer)
}

// browser is the request of a browser that got this answer's cookie.
func browser(t *testing.T, answer *httptest.ResponseRecorder) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/orders", nil)
	for _, c := range answer.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

// token is the access token that a request gets at m.
func token(m *session.Manager, r *http.Request) (string, error) {
	s, err := m.FromRequest(r)
	if err != nil {
		return "", err
	}
	if s, err = m.AccessToken(r.Context(), s); err != nil {
		return "", err
	}
	return s.Tokens.Access, nil
}

// gone checks that both processes say that nobody is signed in.
func (w *twins) gone(r *http.Request) {
	w.t.Helper()
	for i, m := range w.both {
		if s, err := m.FromRequest(r); !errors.Is(err, session.ErrNone) {
			w.t.Errorf("process %d: %v, %v; want ErrNone", i, s, err)
		}
	}
}
