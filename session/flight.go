package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// retryPause is how long a failed refresh is remembered, so that a provider that is down is not asked by every request.
	retryPause = 5 * time.Second
	// forcePause is how long one session's upstreams must wait until they may cause another refresh by answering 401.
	forcePause = time.Minute
	// maxPauses bounds the sessions that are remembered.
	maxPauses = 16384
	// waitSlack is how much longer than the provider's call a request waits for it.
	waitSlack = 5 * time.Second
)

// AccessToken returns s if its access token is good for a while, else the session with a newer one.
//
// ErrNone if the session is gone, or ended because the provider takes its refresh token no more, or because its token
// ran out and there is nothing to refresh it with: the user has to sign in. ErrNoToken if the token ran out and no other can be had just
// now. While the old token lives, failures are not reported: it serves.
func (m *Manager) AccessToken(ctx context.Context, s *Session) (*Session, error) {
	if !due(s, m.now()) {
		return s, nil
	}
	return m.refresh(ctx, s, func(cur *Session) bool { return !due(cur, m.now()) })
}

// OtherToken is for after an upstream's 401: it returns the session with an access token that is not the one in s, if one can be had. It is AccessToken
// otherwise, and may return the same token: then there is no use in asking the upstream again. An upstream that answers 401 to everything
// causes one refresh a minute.
func (m *Manager) OtherToken(ctx context.Context, s *Session) (*Session, error) {
	may := sync.OnceValue(func() bool { return m.pauses.mayForce(errandKey{id: s.id}, m.now()) })
	return m.refresh(ctx, s, func(cur *Session) bool { return cur.Tokens.Access != s.Tokens.Access || !may() })
}

// refresh waits for a flight that brings a session that is enough.
func (m *Manager) refresh(ctx context.Context, s *Session, enough func(*Session) bool) (*Session, error) {
	if s.Tokens.Refresh == "" {
		return m.withoutRefresh(ctx, s)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, m.refreshTimeout()+waitSlack, errSlow)
	defer cancel()
	cur, err := m.join(ctx, s, errand{enough: enough})
	switch {
	case err == nil:
		return cur, nil
	case errors.Is(err, ErrSpent):
		return nil, ErrSpent
	case errors.Is(err, ErrNone):
		return nil, ErrNone
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errSlow):
		return nil, fmt.Errorf("wait for refresh: %w", context.Cause(ctx)) // the client went away
	case errors.Is(err, errSlow) && m.over(s): // what the flight finds, when it is over, this request does not hear
		return nil, ErrNone
	}
	return m.oldToken(s, err)
}

var errSlow = errors.New("refresh takes too long")

// errand is what a flight is for: the session's own access token, or one of its grants.
type errand struct {
	enough func(*Session) bool // whether there is nothing more to do
	target Target              // which grant; without a key the session's own token
}

// errandKey names an errand of a session.
type errandKey struct {
	id    ID
	grant string
}

// join waits for a flight on this errand, and starts one if there is none and no failure is too fresh. Flights of the session on other errands are waited for first:
// it has one at a time.
func (m *Manager) join(ctx context.Context, s *Session, e errand) (*Session, error) {
	for again := false; ; {
		if err := m.pauses.standing(errandKey{s.id, e.target.Key}, m.now()); err != nil {
			return nil, err
		}
		f, own, err := m.flights.join(s.id, e.target.Key, func(f *flight) { m.fly(f, s, e) })
		if err != nil {
			return nil, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		switch {
		case errors.Is(f.err, ErrNone):
			return nil, f.err
		case f.grant != e.target.Key: // what came of it is others' business
		case f.err != nil || own || again || e.enough(f.session): // what our own brought is the best there is, and not to be asked for again at once
			return f.session, f.err
		default:
			again = true // the flight was under way for somebody who wanted less
		}
	}
}

// oldToken lets the old token serve while it lives: that the provider or the store has no answer does not make it invalid.
func (m *Manager) oldToken(s *Session, cause error) (*Session, error) {
	if m.alive(s) {
		return s, nil
	}
	return nil, fmt.Errorf("%w: %w", ErrNoToken, cause)
}

func (m *Manager) alive(s *Session) bool { return m.now().Before(s.Tokens.Expires) }

// withoutRefresh ends a session whose only token ran out: nothing but a new sign-in brings another one, and
// without an end every call would fail while the app is told that its user is signed in.
func (m *Manager) withoutRefresh(ctx context.Context, s *Session) (*Session, error) {
	if m.alive(s) {
		return s, nil
	}
	if err := m.EndOne(ctx, s, "token_expired"); err != nil {
		return nil, err
	}
	return nil, ErrSpent
}

// flight is one errand of one session in this process. It belongs to no request: requests wait for it, and leave it alone when they hang up.
// session and err may be read once done is closed.
type flight struct {
	grant   string // the errand: the key of the grant, empty for the session's own token
	done    chan struct{}
	session *Session
	err     error
}

// flights are the refreshes and fetches of grants under way, at most one a session.
type flights struct {
	mu     sync.Mutex
	open   map[ID]*flight
	closed bool
}

func newFlights() *flights { return &flights{open: map[ID]*flight{}} }

var errClosing = errors.New("server is shutting down")

// join returns the session's flight, and starts one with run if there is none: that one is the caller's own.
func (fs *flights) join(id ID, grant string, run func(*flight)) (f *flight, own bool, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.open[id]; ok {
		return f, false, nil
	}
	if fs.closed {
		return nil, false, errClosing
	}
	f = &flight{grant: grant, done: make(chan struct{})}
	fs.open[id] = f
	go func() { // close waits for it; fly has a deadline
		defer func() {
			fs.mu.Lock()
			delete(fs.open, id)
			fs.mu.Unlock()
			close(f.done)
		}()
		run(f)
	}()
	return f, true, nil
}

// close refuses further flights and waits for those under way.
func (fs *flights) close(ctx context.Context) error {
	fs.mu.Lock()
	fs.closed = true
	var under []*flight
	for _, f := range fs.open {
		under = append(under, f)
	}
	fs.mu.Unlock()
	for _, f := range under {
		select {
		case <-f.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for refreshes: %w", ctx.Err())
		}
	}
	return nil
}

// pause is why, and until when, an errand is not tried.
type pause struct {
	until time.Time
	err   error
}

// pauses remembers, bounded in number, which errands need not be tried just now.
type pauses struct {
	failed *lru.Cache[errandKey, pause]
	forced *lru.Cache[errandKey, time.Time]
}

func newPauses() (*pauses, error) {
	failed, err := lru.New[errandKey, pause](maxPauses)
	if err != nil {
		return nil, err
	}
	forced, err := lru.New[errandKey, time.Time](maxPauses)
	if err != nil {
		return nil, err
	}
	return &pauses{failed: failed, forced: forced}, nil
}

// standing returns the failure that still counts, or nil.
func (p *pauses) standing(key errandKey, now time.Time) error {
	if f, ok := p.failed.Get(key); ok && now.Before(f.until) {
		return f.err
	}
	return nil
}

// mayForce reports whether an upstream's 401 may cause an errand, and takes the chance.
func (p *pauses) mayForce(key errandKey, now time.Time) bool {
	if last, ok := p.forced.Get(key); ok && now.Sub(last) < forcePause {
		return false
	}
	p.forced.Add(key, now)
	return true
}
