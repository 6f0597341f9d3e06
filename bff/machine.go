package bff

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"cloakroom/bff/provider"
	"cloakroom/proxy/tokens"
	"cloakroom/session"
)

const (
	maxMachineTokens = 256
	// machinePause is how long a failure is remembered, and machineForce how long upstreams must wait until they may cause another fetch by answering 401.
	machinePause, machineForce = 5 * time.Second, time.Minute
)

// machineTokens are this server's own access tokens, by client credentials, in memory. No user is in them, so only routes get one whose configuration says so (AUZ-08).
type machineTokens struct {
	log    *slog.Logger
	now    func() time.Time
	ctx    context.Context // of all fetches
	cancel context.CancelFunc

	mu      sync.Mutex // guards all below, and every machineToken
	tokens  *lru.Cache[holdKey, *machineToken]
	flights sync.WaitGroup
	closed  bool
}

// machineToken is one of them, or why there is none.
type machineToken struct {
	provider.Tokens
	err    error
	pause  time.Time     // until when err stands
	forced time.Time     // when an upstream's 401 last caused a fetch
	flight chan struct{} // closed when the fetch under way has ended; nil: none is
}

func newMachineTokens(log *slog.Logger, now func() time.Time) (*machineTokens, error) {
	tokens, err := lru.New[holdKey, *machineToken](maxMachineTokens)
	ctx, cancel := context.WithCancel(context.Background())
	return &machineTokens{log: log, now: now, ctx: ctx, cancel: cancel, tokens: tokens}, err
}

// machineBearer is this server's own token. It is that of the default provider, whoever the user is.
func (s *site) machineBearer(ctx context.Context, t tokens.Token) (bearer, error) {
	p, ok := s.providers[s.defaultProvider]
	if !ok {
		return bearer{}, noGrant{errors.New("there is no provider")}
	}
	get := func(ctx context.Context, refused string) (string, error) {
		return s.machine.get(ctx, holdKey{p.Provider, t.Key}, refused, func(ctx context.Context) (provider.Tokens, error) {
			got, err := p.ClientCredentials(ctx, wanted(t)) // which ends within the provider's timeout
			err = inEngineWords(err)
			s.noteGrant(nil, t, err)
			return got, err
		})
	}
	access, err := get(ctx, "")
	if err != nil {
		return bearer{}, noGrant{err}
	}
	return bearer{access, func(ctx context.Context) (string, bool) {
		other, err := get(ctx, access)
		return other, err == nil && other != access
	}}, nil
}

// get returns the token of a key, fetched once however many ask, before it runs out. refused is one that an upstream has refused; empty: none.
func (m *machineTokens) get(ctx context.Context, key holdKey, refused string, fetch func(context.Context) (provider.Tokens, error)) (string, error) {
	m.mu.Lock()
	t, ok := m.tokens.Get(key)
	if !ok {
		t = &machineToken{}
		m.tokens.Add(key, t)
	}
	if m.wants(t, refused) && t.flight == nil {
		t.flight = make(chan struct{})
		m.flights.Go(func() { m.fly(t, fetch) })
	}
	flight := t.flight
	if flight == nil || !m.wants(t, refused) {
		defer m.mu.Unlock()
		return t.result(m.now())
	}
	m.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return t.result(m.now())
}

// wants reports whether another token is needed and may be asked for.
func (m *machineTokens) wants(t *machineToken, refused string) bool {
	now := m.now()
	if m.closed || now.Before(t.pause) {
		return false
	}
	force := refused != "" && refused == t.Access && (t.flight != nil || now.Sub(t.forced) >= machineForce)
	if force {
		t.forced = now
	}
	return force || t.due(now) || errors.Is(t.err, session.ErrGrantRefused) // a refusal serves nobody until the old token is due
}

// fly fetches a token. It belongs to no request.
func (m *machineTokens) fly(t *machineToken, fetch func(context.Context) (provider.Tokens, error)) {
	got, err := m.guarded(fetch)
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.err = err; err == nil {
		t.Tokens, t.pause = got, time.Time{}
	} else {
		t.pause = m.now().Add(machinePause)
	}
	close(t.flight)
	t.flight = nil
}

var errFetchPanicked = errors.New("fetching the token panicked")

// guarded is fetch, whose panic would end the process: it runs in a goroutine of its own. The panic's value may quote a token.
func (m *machineTokens) guarded(fetch func(context.Context) (provider.Tokens, error)) (got provider.Tokens, err error) {
	defer func() {
		if recover() != nil {
			m.log.Error("fetching a token of our own panicked", "stack", string(debug.Stack()))
			got, err = provider.Tokens{}, errFetchPanicked
		}
	}()
	return fetch(m.ctx) // which ends within the provider's timeout
}

// due is the session engine's rule: when a tenth of its life is left, at least a second and at most a minute, and never in its first half.
func (t *machineToken) due(now time.Time) bool {
	life := t.Expires.Sub(t.Issued)
	return t.Expires.Sub(now) <= min(max(life/10, time.Second), time.Minute, life/2)
}

// result is the token while it lives, also where the provider is away; a refusal counts at once.
func (t *machineToken) result(now time.Time) (string, error) {
	switch {
	case t.err != nil && errors.Is(t.err, session.ErrGrantRefused):
		return "", t.err
	case t.Access != "" && now.Before(t.Expires):
		return t.Access, nil
	case t.err != nil:
		return "", t.err
	}
	return "", provider.ErrUnavailable // the server is stopping
}

// close ends the fetches under way and begins no other.
func (m *machineTokens) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.flights.Wait()
}
