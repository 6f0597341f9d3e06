package inbound

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// pace says how often an issuer is asked for its keys.
type pace struct {
	first, most time.Duration // between attempts until the first success
	refresh     time.Duration // after it
	cooldown    time.Duration // at most once in it for tokens whose key is not known, which anybody can make
}

var usualPace = pace{first: 500 * time.Millisecond, most: 30 * time.Second, refresh: time.Hour, cooldown: 10 * time.Second}

// issuer makes access tokens. Its keys are used for its own tokens alone: a token of one issuer that is signed by another's key is refused, whatever its kid.
type issuer struct {
	cfg    Bearer
	deps   Deps
	client *http.Client
	pace   pace

	turn  chan struct{} // holds one; whoever took it out may ask the issuer
	mu    sync.Mutex
	known []jose.JSONWebKey // the last good ones
	next  time.Time         // a request may not ask again before
	err   error             // of the last attempt
}

func newIssuer(cfg Bearer, d Deps) (*issuer, error) {
	client, err := newClient(cfg.Timeout, cfg.CA)
	if err != nil {
		return nil, err
	}
	i := &issuer{cfg: cfg, deps: d, client: client, pace: usualPace, turn: make(chan struct{}, 1)}
	i.turn <- struct{}{}
	return i, nil
}

// run fetches the keys, with growing pauses until it has them, and again now and then, until ctx ends.
func (i *issuer) run(ctx context.Context) {
	wait := i.pace.first
	for {
		pause := i.pace.refresh
		if err := i.fetch(ctx, true); err != nil {
			pause, wait = wait, min(2*wait, i.pace.most)
			if ctx.Err() == nil {
				i.deps.Log.Warn("an issuer's keys cannot be fetched", "event", "issuer_unavailable", "issuer", i.cfg.Issuer, "error", err)
			}
		} else {
			wait = i.pace.first
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1)) // replicas do not ask all at once
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// fetch asks the issuer for its keys, one at a time; what others have fetched meanwhile is enough for whoever waited. During the cooldown nobody is asked, unless
// due says that it is time anyway. What is known stays while fetching fails.
func (i *issuer) fetch(ctx context.Context, due bool) error {
	select {
	case <-i.turn:
		defer func() { i.turn <- struct{}{} }()
	case <-ctx.Done():
		return cause(ctx.Err())
	}
	i.mu.Lock()
	again, last := i.deps.Now().Before(i.next), i.err
	i.mu.Unlock()
	if again && !due {
		return last
	}
	// A client that goes away says nothing about the issuer, and others wait for the answer; it comes within the timeout.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.cfg.Timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		if due {
			cancel() // of run: the server ends
		}
	})
	defer stop()
	keys, err := fetchKeys(asking, i.client, i.cfg)
	if err != nil {
		i.deps.Count(EventKeysFailed)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next, i.err = i.deps.Now().Add(i.pace.cooldown), err
	if err == nil {
		i.known = keys
	}
	return err
}

func (i *issuer) keys() []jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.known
}

// verify decides whether a key of the issuer signed the token. The error is a *Refusal, or wraps ErrUnavailable.
func (i *issuer) verify(ctx context.Context, t signedToken) error {
	jws, err := jose.ParseSignedCompact(t.raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.alg)})
	if err != nil {
		return refuse(ReasonTokenMalformed, "the library cannot read it")
	}
	known, signed := i.signed(jws, t)
	if !signed && (!known || t.keyID == "") {
		// Perhaps by a new key. Anybody can make such tokens, so the issuer is asked at most once per cooldown.
		if err := i.fetch(ctx, false); err != nil {
			return fmt.Errorf("%w: keys of issuer %q: %w", ErrUnavailable, i.cfg.Issuer, err)
		}
		known, signed = i.signed(jws, t)
	}
	switch {
	case signed:
		return nil
	case known:
		return refuse(ReasonTokenSignature, "")
	}
	return refuse(ReasonTokenKey, "")
}

// signed reports whether there are keys that may have signed the token, and whether one of them did. The payload that is signed is the one that was judged.
func (i *issuer) signed(jws *jose.JSONWebSignature, t signedToken) (known, signed bool) {
	candidates := i.candidates(t)
	for _, key := range candidates {
		if payload, err := jws.Verify(key.Key); err == nil && bytes.Equal(payload, t.payload) {
			return true, true
		}
	}
	return len(candidates) > 0, false
}

// candidates are the issuer's keys that may have signed the token: the ones that it names; of a token that names none, all. A key that is for one algorithm
// verifies no other.
func (i *issuer) candidates(t signedToken) []jose.JSONWebKey {
	return slices.DeleteFunc(slices.Clone(i.keys()), func(k jose.JSONWebKey) bool {
		return t.keyID != "" && k.KeyID != t.keyID || k.Algorithm != "" && k.Algorithm != t.alg
	})
}

// strong reports whether a key is long enough.
func strong(key any) bool {
	k, ok := key.(*rsa.PublicKey)
	return !ok || k.N.BitLen() >= minRSA
}

// byToken identifies the bearer of an access token. What is cheap comes first, the signature last.
func (in *Inbound) byToken(ctx context.Context, r *http.Request) (*Caller, error) {
	_, raw, _ := splitAuthorization(r.Header.Get("Authorization"))
	t, refusal := parseToken(raw)
	if refusal != nil {
		return nil, refusal
	}
	from := slices.IndexFunc(in.issuers, func(i *issuer) bool { return t.claims["iss"] == any(i.cfg.Issuer) })
	if from < 0 {
		return nil, refuse(ReasonTokenIssuer, "")
	}
	i := in.issuers[from]
	if !slices.Contains(i.cfg.SigningAlgs, t.alg) {
		return nil, refuse(ReasonTokenAlgorithm, "")
	}
	caller, refusal := judgeClaims(t.claims, i.cfg, in.deps.Now(), in.presented(r))
	if refusal != nil {
		return nil, refusal
	}
	if err := i.verify(ctx, t); err != nil {
		return nil, err
	}
	return caller, nil
}

// Ready reports whether the keys of all issuers are there, or says of which they are not.
func (in *Inbound) Ready() error {
	var all []error
	for _, i := range in.issuers {
		if len(i.keys()) == 0 {
			all = append(all, fmt.Errorf("keys of issuer %q have not been fetched yet", i.cfg.Issuer))
		}
	}
	return errors.Join(all...)
}
