package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// States that the Manager reports, beside the store's.
var (
	// ErrTwoCookies means that the request has several session cookies: one was planted. Answer 400.
	ErrTwoCookies = errors.New("two session cookies in one request")
	// ErrTooLarge means that the provider's tokens and claims are larger than a session may be.
	ErrTooLarge = errors.New("session is too large")
	// ErrMismatch means that a logout token's subject and sid belong to different users.
	ErrMismatch = errors.New("subject and provider session do not belong together")
	// ErrNoToken means that the session stands but has no usable access token, and that a refresh did not succeed now. Answer 503.
	ErrNoToken = errors.New("no usable access token")
	// ErrSpent wraps ErrNone: the session has just been ended because its tokens are of no more use.
	ErrSpent = fmt.Errorf("%w: its tokens are spent", ErrNone)
	// ErrInvalidGrant is wrapped by Deps.Refresh where the provider refused the refresh token for good.
	ErrInvalidGrant = errors.New("refresh token refused")
	// ErrUnsent is wrapped by Deps.Refresh where the token was certainly not spent: nothing was sent, or the provider answered that it did nothing.
	ErrUnsent = errors.New("refresh token not spent")
)

// Deps is what the Manager needs from others. Only Refresh is required.
type Deps struct {
	// Refresh makes one call to the provider, with s.Tokens.Refresh, and returns before ctx's deadline. An error wraps ErrInvalidGrant or ErrUnsent where one of
	// them is certain; after any other error nobody knows whether the token was spent. Errors must hold no token: they are logged.
	Refresh func(ctx context.Context, s *Session) (Refreshed, error)
	// RefreshTimeout is the longest that a call of Refresh takes. Default 10s. Reconfigure changes it.
	RefreshTimeout time.Duration
	// Log gets the events that no request reports. Default: none.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// InsecureCookies drops the cookie's prefix and Secure, for http://localhost.
	InsecureCookies bool
	// Ended is called once for each session that this process ended. s is nil where its content is not known.
	Ended func(s *Session, reason string)
	// EndedElsewhere is called where another process ended a session, for this process' copy of it, unless that is known to be out of date: the other one may
	// not have had the tokens. Several processes may be called for one session; ClaimRevocation picks one. It must not block.
	EndedElsewhere func(s *Session, reason string)
	// Orphaned is called with tokens that a refresh brought after their session had ended: they should be revoked.
	Orphaned func(s *Session)
	// Started counts sessions.
	Started func()
	// Gone is called for each session that this process learns is over: announced, ended here, or not found any more. The reason is one of the words in
	// docs/engine.md, or empty where the process does not know it; Why may. It may be called more than once for one, and must not block.
	Gone func(id ID, reason string)
	// Changed is called when it is heard that a session was written, or its expiry moved by KeepAlive, by whichever process. It must not block.
	Changed func(id ID)
	// Resubscribed is called when announcements are heard, at first and again: what ended in between was not. It must not block.
	Resubscribed func()
	// Flushed counts how often announcements were lost, and with them the trust in every copy.
	Flushed func()
	// Refreshed counts refreshes by what came of them, one of the Refresh… constants.
	Refreshed func(result string)
}

// Manager reads, starts, ends and refreshes sessions. It is safe for concurrent use.
type Manager struct {
	cfg     Config
	deps    Deps
	store   Store
	log     *slog.Logger
	now     func() time.Time
	seal    *sealer
	cookie  cookie
	writer  *writer
	copies  *copies
	flights *flights
	pauses  *pauses
	unmade  *unmade

	callTime atomic.Int64 // a time.Duration, see refreshTimeout
}

// New makes a Manager on a store, which stays the caller's to close. The configuration has been validated; what would be
// dangerous is refused again.
func New(cfg Config, st Store, d Deps) (*Manager, error) {
	if err := check(cfg, d); err != nil {
		return nil, err
	}
	d = d.withDefaults()
	seal, err := newSealer(cfg.Secrets)
	if err != nil {
		return nil, err
	}
	copies, err := newCopies(maxCopies, maxCopiesSize, cfg.Staleness, d.Now())
	if err != nil {
		return nil, err
	}
	pauses, err := newPauses()
	if err != nil {
		return nil, err
	}
	unmade, err := newUnmade()
	if err != nil {
		return nil, err
	}
	m := &Manager{
		cfg: cfg, deps: d, store: st, log: d.Log, now: d.Now, seal: seal, copies: copies, pauses: pauses, unmade: unmade,
		cookie: newCookie(cfg.Cookie, d.InsecureCookies), flights: newFlights(),
	}
	m.callTime.Store(int64(d.RefreshTimeout))
	m.writer = newWriter(&adapter{store: st, wrote: copies.hear, stored: m.keepWritten, seal: seal, idle: cfg.IdleTimeout, now: d.Now, unreadable: m.unreadable}, cfg.Lifetime)
	return m, nil
}

func check(cfg Config, d Deps) error {
	switch {
	case cfg.IdleTimeout <= 0 || cfg.Lifetime <= 0:
		return errors.New("session: idle timeout and lifetime must be positive")
	case cfg.Staleness < 0 || cfg.Staleness > maxStaleness:
		return errors.New("session: staleness is not between 0 and 1m")
	case cfg.Cookie.Name == "":
		return errors.New("session: cookie has no name")
	case d.Refresh == nil:
		return errors.New("session: no way to refresh")
	}
	return checkSecrets(cfg.Secrets)
}

func (d Deps) withDefaults() Deps {
	if d.RefreshTimeout <= 0 {
		d.RefreshTimeout = 10 * time.Second
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Ended == nil {
		d.Ended = func(*Session, string) {}
	}
	if d.EndedElsewhere == nil {
		d.EndedElsewhere = func(*Session, string) {}
	}
	if d.Changed == nil {
		d.Changed = func(ID) {}
	}
	if d.Orphaned == nil {
		d.Orphaned = func(*Session) {}
	}
	if d.Started == nil {
		d.Started = func() {}
	}
	if d.Gone == nil {
		d.Gone = func(ID, string) {}
	}
	if d.Resubscribed == nil {
		d.Resubscribed = func() {}
	}
	if d.Flushed == nil {
		d.Flushed = func() {}
	}
	if d.Refreshed == nil {
		d.Refreshed = func(string) {}
	}
	return d
}

// ClearCookie takes the ticket from the browser. It ends no session.
func (m *Manager) ClearCookie(w http.ResponseWriter) { m.cookie.clear(w) }

// CookieNames are the names of our cookies that no upstream must see.
func (m *Manager) CookieNames() []string {
	if m.cookie.name == m.cfg.Cookie.Name {
		return []string{m.cookie.name}
	}
	return []string{m.cookie.name, m.cfg.Cookie.Name}
}

// claimKeep is how long a claim is remembered: longer than the sign-in cookie lives that a state needs, and than a revocation is tried.
const claimKeep = 15 * time.Minute

// Claim takes a sign-in's state, once for all replicas; false means that it was taken before. After an error nothing is known, and nothing may be spent.
func (m *Manager) Claim(ctx context.Context, state string) (bool, error) {
	return m.claim(ctx, "state", state, newWriteID())
}

// claim takes the name of a kind of thing.
func (m *Manager) claim(ctx context.Context, kind, name string, owner WriteID) (bool, error) {
	sum := sha256.Sum256([]byte("cloakroom " + kind + " " + name))
	first, err := m.store.Claim(ctx, base64.RawURLEncoding.EncodeToString(sum[:]), owner, claimKeep)
	if err != nil {
		return false, fmt.Errorf("claim %s: %w", kind, err)
	}
	return first, nil
}

// Check reports whether the store can serve.
func (m *Manager) Check(ctx context.Context) error { return m.store.Check(ctx) }

// CopiesTrusted reports whether signed-in requests are served without asking the store.
func (m *Manager) CopiesTrusted() bool { return m.copies.proven(m.now()) }

// Close waits until the refreshes under way are written, and starts no others. The store is the caller's to close, afterwards.
func (m *Manager) Close(ctx context.Context) error { return m.flights.close(ctx) }
