package inbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The kinds of callers that have no session, as routes name them.
const (
	KindAPIKey      = "api_key"
	KindBasic       = "basic"
	KindBearer      = "bearer"
	KindCertificate = "certificate"
)

// Caller is who a credential belongs to.
type Caller struct {
	// Kind is one of the Kind constants.
	Kind string
	// ID tells the callers of a kind apart, for limits and logs: an API key's ID, a user name, a hash of issuer and subject, dns:orders.internal.
	ID string
	// Name is what people call it: an API key's name, a user name, a token's client_id, `as` of a certificate.
	Name string
	// Issuer and Subject are those of a token. Of the others Issuer is empty, and Subject is what stands for the caller in rules: the ID of a key, a user
	// name, the name of a certificate.
	Issuer, Subject string
	// Roles and Scopes are what it may be and do.
	Roles, Scopes []string
	// Claims are those of a token; nil of the others.
	Claims map[string]any
	// ACR and AuthTime are a token's, where it says how and when its user signed in; else empty and zero.
	ACR      string
	AuthTime time.Time
	// Expires is when the credential is over; zero is not known. A stream may not outlive it.
	Expires time.Time
}

// Deps are what an Inbound needs beside its configuration.
type Deps struct {
	// Keys finds API keys. Needed with api_key.
	Keys Keys
	// HTTPS says that browsers reach this server by https (server.public_url). Then a trusted proxy that does not say otherwise has got the
	// request over TLS.
	HTTPS bool
	// Trusted are server.trusted_proxies.
	Trusted []netip.Prefix
	// Client is the address at the other end, as the edge found it.
	Client func(*http.Request) netip.Addr
	// Log takes what happens to files and issuers.
	Log *slog.Logger
	// Now is the time; nil is time.Now.
	Now func() time.Time
	// Count hears of things that have no request: see the Event constants. May be nil.
	Count func(event string)
}

// What [Deps].Count hears.
const (
	EventFileChanged = "file_changed"    // a file was read again
	EventFileRefused = "file_refused"    // a file is wrong now; what was read before stays
	EventKeysFailed  = "keys_failed"     // an issuer's keys could not be fetched
	EventStoreFailed = "api_keys_failed" // the store of API keys could not be asked
)

// Inbound knows the callers that have no session. It is safe for concurrent use.
type Inbound struct {
	cfg     Config
	deps    Deps
	keys    *keyCache     // nil without api_key
	users   *passwords    // nil without basic
	issuers []*issuer     // none without bearer
	certs   *certificates // nil without certificate
}

// New reads the files that cfg names. It calls nobody.
func New(cfg Config, d Deps) (*Inbound, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Count == nil {
		d.Count = func(string) {}
	}
	in := &Inbound{cfg: cfg, deps: d}
	if cfg.APIKey.Header != "" {
		if d.Keys == nil {
			return nil, errors.New("callers.api_key: there is no store of keys\nset session.store to redis")
		}
		in.keys = newKeyCache(d)
	}
	var err error
	if cfg.Basic.File != "" {
		if in.users, err = newPasswords(cfg.Basic, d); err != nil {
			return nil, fmt.Errorf("callers.basic.file: %w", err)
		}
	}
	for i, b := range cfg.Bearer {
		one, err := newIssuer(b, d)
		if err != nil {
			return nil, fmt.Errorf("callers.bearer[%d]: %w", i, err)
		}
		in.issuers = append(in.issuers, one)
	}
	if cfg.Certificate.CA != "" {
		if in.certs, err = newCertificates(cfg.Certificate, d); err != nil {
			return nil, fmt.Errorf("callers.certificate: %w", err)
		}
	}
	return in, nil
}

// Run looks after files and issuers' keys until ctx ends.
func (in *Inbound) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, one := range in.issuers {
		all.Go(func() { one.run(ctx) })
	}
	all.Go(func() { in.watch(ctx) })
	all.Wait()
}

// Identify says who the credential of r belongs to, of the kind that [Inbound.Present] found. The error is a *[Refusal], or wraps [ErrUnavailable].
func (in *Inbound) Identify(ctx context.Context, r *http.Request, kind string) (*Caller, error) {
	c, err := in.identify(ctx, r, kind)
	if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Status == http.StatusUnauthorized {
		refusal.Challenge = in.challenge(r, kind, refusal.Reason)
	}
	return c, err
}

func (in *Inbound) identify(ctx context.Context, r *http.Request, kind string) (*Caller, error) {
	if !slices.Contains(in.cfg.Kinds(), kind) {
		return nil, fmt.Errorf("callers: %q is not configured", kind)
	}
	switch kind {
	case KindAPIKey:
		return in.byKey(ctx, r)
	case KindBasic:
		return in.byPassword(ctx, r)
	case KindBearer:
		return in.byToken(ctx, r)
	default:
		return in.byCertificate(r)
	}
}

// CredentialHeaders are those in which callers bring their credentials. No upstream may get them, unless its route says so.
func (in *Inbound) CredentialHeaders() []string {
	names := []string{"Authorization", "Client-Cert", "Client-Cert-Chain"}
	if h := in.cfg.APIKey.Header; h != "" {
		names = append(names, http.CanonicalHeaderKey(h))
	}
	return names
}

// AskForCertificates makes the server's side of TLS ask clients for a certificate, where certificates are configured. Nobody has to have one, and no handshake
// fails because of one: it is judged when a route wants it. The names of the authorities are those of now: call it for each handshake, from GetConfigForClient,
// on a clone.
func (in *Inbound) AskForCertificates(c *tls.Config) {
	if in.certs == nil {
		return
	}
	c.ClientAuth = tls.RequestClientCert
	c.ClientCAs = in.certs.authorities()
}
