package bff

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"cloakroom/bff/provider"
	"cloakroom/proxy"
	"cloakroom/session"
)

// keeper is a provider, and what keeps it known. It goes from one generation to the next as long as nothing about it changes: with it go metadata, keys and
// connections.
type keeper struct {
	*provider.Provider
	made keeping
	stop func() // ends what start began; nil before
}

// keeping is what a keeper was made of. Where all of it is the same, another one would do nothing else.
type keeping struct {
	cfg         provider.Config
	redirectURI string
	ca          [sha256.Size]byte // of the file's content
}

// keeper makes a provider, or takes over the one of the generation before.
func (s *site) keeper(name string, cfg provider.Config) (*keeper, error) {
	made := keeping{cfg: cfg, redirectURI: s.cfg.Server.PublicURL + s.callbackPath(name)}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, errors.New("ca: " + err.Error())
		}
		made.ca = sha256.Sum256(pem)
	}
	if s.before != nil {
		if k := s.before.providers[name]; k != nil && reflect.DeepEqual(k.made, made) {
			return k, nil
		}
	}
	srv := s.Server // and not the site, which a keeper outlives
	p, err := provider.New(name, cfg, made.redirectURI, provider.Deps{
		Log: srv.log, OnError: func(kind string) { srv.metrics.providerError(name, kind) },
		Orphaned: func(t provider.Tokens) {
			srv.revoker.add(&session.Session{Provider: name, Issuer: cfg.Issuer, Tokens: session.Tokens(t)})
		},
	})
	return &keeper{Provider: p, made: made}, err
}

// errNoIssuer is for tokens of a provider that is not configured any more, or that has its name only.
var errNoIssuer = errors.New("provider is no longer configured")

// issuer is the provider of a name, if it is still the one that a sign-in or a token is of. A reload may give a name to another one, which must not see them.
func (s *site) issuer(name, issuer string) (*keeper, error) {
	k, ok := s.providers[name]
	if !ok || k.Issuer() != issuer {
		return nil, fmt.Errorf("%w: %q", errNoIssuer, name)
	}
	return k, nil
}

// providerOf is the provider that a session's tokens are of.
func (s *site) providerOf(sess *session.Session) (*keeper, error) {
	return s.issuer(sess.Provider, sess.Issuer)
}

// tableBefore is the route table whose upstreams may go on.
func (s *site) tableBefore() *proxy.Table {
	if s.before == nil {
		return nil
	}
	return s.before.table
}

// launcher begins background work, and returns what ends it and waits until it has ended.
type launcher func(work func(ctx context.Context)) (stop func())

// start begins the site's background work: of the upstreams' table, and of those providers that are new.
func (s *site) start(launch launcher) {
	for _, k := range s.providers {
		if k.stop == nil {
			k.stop = launch(k.Run)
		}
	}
	if s.callers != nil && s.endCallers == nil {
		s.endCallers = launch(s.callers.Run)
	}
	s.stop = launch(s.table.Run)
}

// retire ends the background work that other, the site that stays, does not share, and lets go of connections that are idle. Requests and streams of this
// site go on undisturbed.
func (s *site) retire(other *site) {
	for name, k := range s.providers {
		if other.providers[name] != k {
			k.stop()
		}
	}
	if s.callers != nil && s.callers != other.callers {
		s.endCallers()
	}
	s.stop()
	s.table.Close()
	s.generations.launch(s.sweep)
}

// A request that has found its route may not have found its connection yet when the site retires, and then leaves it behind.
const (
	sweepEvery  = 500 * time.Millisecond
	leastSweeps = 6
)

// sweep closes the connections of a site that has retired as they become idle, until there are none.
func (s *site) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for n := 1; s.table.Sweep() || n < leastSweeps; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
