package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/configs/secret"
)

var errDown = errors.New("store is down")

// fakeProvider hands out tokens as a provider does that rotates: each refresh token is good once.
type fakeProvider struct {
	mu     sync.Mutex
	valid  string
	calls  int
	reused int
	life   time.Duration
	// answer, if set, decides instead; it is called without the lock.
	answer func(ctx context.Context, s *Session, call int) (Refreshed, error)
}

func newFakeProvider() *fakeProvider { return &fakeProvider{valid: "refresh-0", life: 5 * time.Minute} }

func (p *fakeProvider) refresh(ctx context.Context, s *Session) (Refreshed, error) {
	p.mu.Lock()
	p.calls++
	call, answer := p.calls, p.answer
	p.mu.Unlock()
	if answer != nil {
		return answer(ctx, s, call)
	}
	return p.rotate(s.Tokens.Refresh)
}

// rotate takes a refresh token for the next tokens.
func (p *fakeProvider) rotate(token string) (Refreshed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if token != p.valid {
		p.reused++
		return Refreshed{}, ErrInvalidGrant
	}
	p.valid += "+"
	now := time.Now()
	return Refreshed{Tokens: Tokens{
		Access: "access after " + token, Refresh: p.valid, Issued: now, Expires: now.Add(p.life),
	}}, nil
}

var testSecrets = []secret.String{
	"first secret, thirty-two bytes and more", "second secret, thirty-two bytes and more",
}

func testConfig() Config {
	return Config{
		IdleTimeout: 30 * time.Minute, Lifetime: 12 * time.Hour, Secrets: testSecrets[:1], MaxSize: 64 << 10,
		Cookie: CookieConfig{Name: "__Host-Http-session", SameSite: "strict"},
	}
}

// house is one process: a Manager with what it reported.
type house struct {
	*Manager
	mu       sync.Mutex
	ended    []string // reasons
	orphaned []*Session
	results  []string
	log      strings.Builder
}

func newHouse(t *testing.T, st Store, p *fakeProvider, change ...func(*Config, *Deps)) *house {
	t.Helper()
	h := &house{}
	note := func(f func()) { h.mu.Lock(); f(); h.mu.Unlock() }
	cfg := testConfig()
	d := Deps{
		Refresh: p.refresh, RefreshTimeout: 10 * time.Second, Log: slog.New(slog.NewTextHandler(&h.log, nil)),
		Ended:     func(_ *Session, reason string) { note(func() { h.ended = append(h.ended, reason) }) },
		Orphaned:  func(s *Session) { note(func() { h.orphaned = append(h.orphaned, s) }) },
		Refreshed: func(result string) { note(func() { h.results = append(h.results, result) }) },
	}
	for _, c := range change {
		c(&cfg, &d)
	}
	m, err := New(cfg, st, d)
	if err != nil {
		t.Fatal(err)
	}
	h.Manager = m
	return h
}

// alice is a session as a sign-in hands it over, with a token that is good for life.
func alice(life time.Duration) *Session {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return &Session{
		Provider: "main", Issuer: "https://id.test", Subject: "alice", ProviderSession: "sid-1", Nonce: "nonce-1",
		IssuedAt: now, AuthTime: now, Claims: map[string]any{"sub": "alice", "name": "Alice"}, Roles: []string{"customer"},
		Tokens: Tokens{Access: "access-0", Refresh: "refresh-0", Scope: "openid", Issued: now, Expires: now.Add(life)},
	}
}

// signIn starts s and returns the request of a browser that got its cookie.
func (h *house) signIn(t *testing.T, s *Session) *http.Request {
	t.Helper()
	w := httptest.NewRecorder()
	if err := h.Start(t.Context(), w, s); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return withCookies(w.Result().Cookies()...)
}

func withCookies(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/api/orders", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

// read is FromRequest for a session that must be there.
func (h *house) read(t *testing.T, r *http.Request) *Session {
	t.Helper()
	s, err := h.FromRequest(r)
	if err != nil {
		t.Fatalf("FromRequest: %v", err)
	}
	return s
}

// gone checks that the browser is signed out.
func (h *house) gone(t *testing.T, r *http.Request) {
	t.Helper()
	if s, err := h.FromRequest(r); !errors.Is(err, ErrNone) {
		t.Fatalf("FromRequest = %v, %v; want ErrNone", s, err)
	}
}

// reported returns what was counted so far.
func (h *house) reported() (ended, results []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ended), slices.Clone(h.results)
}
