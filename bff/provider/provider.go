package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// Deps are what a provider is given. The zero value is fine.
type Deps struct {
	// Log takes warnings about the provider. Nil discards them.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// OnError is called for each call that failed, with what it was for: discovery, keys, token, userinfo or revocation. May be nil.
	OnError func(kind string)
	// Orphaned gets tokens that were granted and that nobody will use, because what came with them was refused: they should be revoked. May be nil. It must
	// not block.
	Orphaned func(Tokens)
}

// Provider is one OpenID provider. Make it with New.
type Provider struct {
	name        string
	cfg         Config
	redirectURI string
	log         *slog.Logger
	now         func() time.Time
	onError     func(kind string)
	orphaned    func(Tokens)
	client      *http.Client // everything but the token endpoint
	tokenClient *http.Client // the token endpoint, see tokenendpoint.go
	pace        pace
	known       atomic.Pointer[known]
	failed      atomic.Pointer[string] // why the last attempt to know it failed
	learnt      chan struct{}          // closed when known is set
}

// known is what has been learnt about the provider; it is replaced as a whole.
type known struct {
	metadata
	keys  *keySet
	oauth *oauth2.Config
}

// pace says how often Run asks.
type pace struct {
	first, most time.Duration // pauses after failures: the first, and the longest
	refresh     time.Duration // pause after a success
	keyCooldown time.Duration // see keys.go
}

var usualPace = pace{first: 500 * time.Millisecond, most: 30 * time.Second, refresh: time.Hour, keyCooldown: 10 * time.Second}

// asymmetric are the signature algorithms that may be configured. With a symmetric one, or none, whoever knows the client secret, or anybody, could sign.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// New makes the provider that the configuration calls name. The redirect URI is where it sends users back to; it never depends on a request. New does
// no I/O but for reading the CA file.
func New(name string, cfg Config, redirectURI string, d Deps) (*Provider, error) {
	if problem := badIssuer(cfg.Issuer); problem != "" {
		return nil, errors.New("issuer: " + problem)
	}
	for _, alg := range cfg.SigningAlgs {
		if !slices.Contains(asymmetric, alg) {
			return nil, fmt.Errorf("signing_algs: %q is not an asymmetric signature algorithm", alg)
		}
	}
	if cfg.ClockSkew < 0 || cfg.ClockSkew > time.Minute {
		return nil, fmt.Errorf("clock_skew: %v is not between 0s and 60s", cfg.ClockSkew)
	}
	if cfg.Timeout <= 0 {
		return nil, errors.New("timeout: must be positive")
	}
	client, err := newClient(cfg.Timeout, cfg.CA)
	if err != nil {
		return nil, err
	}
	p := &Provider{name: name, cfg: cfg, redirectURI: redirectURI, log: d.Log, now: d.Now, onError: d.OnError, orphaned: d.Orphaned, client: client, pace: usualPace, learnt: make(chan struct{})}
	p.tokenClient = newTokenClient(client)
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.orphaned == nil {
		p.orphaned = func(Tokens) {}
	}
	if p.onError == nil {
		p.onError = func(string) {}
	}
	return p, nil
}

// Name is the provider's name in the configuration.
func (p *Provider) Name() string { return p.name }

// Issuer is the configured issuer identifier.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// Ready returns nil once metadata and keys are there, and stays nil while the provider is down later: what is known keeps serving. Before, it says what is
// missing.
func (p *Provider) Ready() error {
	_, err := p.current()
	return err
}

// Known is closed when Ready returns nil.
func (p *Provider) Known() <-chan struct{} { return p.learnt }

func (p *Provider) current() (*known, error) {
	if k := p.known.Load(); k != nil {
		return k, nil
	}
	if why := p.failed.Load(); why != nil {
		return nil, fmt.Errorf("%w: not discovered yet: %s", ErrUnavailable, *why)
	}
	return nil, fmt.Errorf("%w: not discovered yet", ErrUnavailable)
}

// Run learns the provider's metadata and keys and keeps them fresh until ctx ends. After a failure it tries again with growing, jittered pauses; what
// was known before stays in use.
func (p *Provider) Run(ctx context.Context) {
	wait := p.pace.first
	for {
		pause := jitter(p.pace.refresh)
		if err := p.learn(ctx); err == nil {
			wait = p.pace.first
		} else if ctx.Err() == nil {
			pause = jitter(wait)
			p.log.Warn("provider cannot be discovered", "provider", p.name, "issuer", p.cfg.Issuer, "error", err, "again_in", pause.String())
			wait = min(2*wait, p.pace.most)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// jitter spreads a pause between three quarters and five quarters of d, so that replicas do not ask in step.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}

// learn fetches metadata and keys and puts them in use, both or none. Keys are fetched anew each time: one that the provider
// has withdrawn must not stay good because nothing ever asked for another.
func (p *Provider) learn(ctx context.Context) error {
	m, err := p.discover(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.onError("discovery")
		}
		return p.notLearnt(err)
	}
	keys := p.newKeySet(m.Keys)
	if err := keys.load(ctx); err != nil {
		return p.notLearnt(fmt.Errorf("fetch keys: %w", err))
	}
	style := oauth2.AuthStyleInHeader
	if p.cfg.ClientAuth == "post" {
		style = oauth2.AuthStyleInParams
	}
	// Never AuthStyleAutoDetect: it sends a refused code a second time.
	before := p.known.Swap(&known{metadata: m, keys: keys, oauth: &oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret.Reveal(), RedirectURL: p.redirectURI, Scopes: p.cfg.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style},
	}})
	if before == nil {
		close(p.learnt)
	}
	p.report(before, m)
	return nil
}

// notLearnt keeps for Ready why an attempt failed.
func (p *Provider) notLearnt(err error) error {
	why := err.Error()
	p.failed.Store(&why)
	return err
}

// report logs that the provider is known, and its weaknesses, when that is news.
func (p *Provider) report(before *known, m metadata) {
	weak := m.warnings(p.cfg)
	if before != nil && slices.Equal(weak, before.warnings(p.cfg)) {
		return
	}
	for _, w := range weak {
		p.log.Warn("provider weakness", "provider", p.name, "issuer", p.cfg.Issuer, "weakness", w)
	}
	p.log.Info("provider discovered", "provider", p.name, "issuer", p.cfg.Issuer)
}
