package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"cloakroom/bff/edge"
	"cloakroom/bff/provider"
	"cloakroom/proxy/tokens"
	"cloakroom/session"
)

// holdTime is how long no refresh token of any session is risked for a resource that the provider has just refused after it was sent one.
const holdTime = time.Minute

// What came of asking the provider for a token of a route's own, for the metric.
const (
	grantOK      = "ok"
	grantRefused = "refused" // the provider does not give it, or gave another
	grantFailed  = "failed"  // no answer, or none that says so
)

// target is how the session engine gets the token.
func (s *site) target(t tokens.Token) session.Target {
	return session.Target{Key: t.Key, Spends: t.Method == tokens.Refresh, Resource: t.Asked, Fetch: func(ctx context.Context, sess *session.Session) (session.Granted, error) {
		g, err := s.fetchGrant(ctx, sess, t)
		s.noteGrant(sess, t, errors.Join(err, g.Refused))
		return g, err
	}}
}

// fetchGrant makes one call to the session's provider, its answer in the engine's words.
func (s *site) fetchGrant(ctx context.Context, sess *session.Session, t tokens.Token) (g session.Granted, err error) {
	p, err := s.providerOf(sess)
	switch {
	case err != nil:
		return g, fmt.Errorf("%w: %w", session.ErrUnsent, err)
	case t.Method == tokens.Exchange:
		got, err := p.Exchange(ctx, sess.Tokens.Access, wanted(t))
		g.Tokens = session.Tokens(got)
		return g, inEngineWords(err)
	case s.held(p.Provider, t):
		return g, fmt.Errorf("%w: %w: the provider has just refused the resource to another session", session.ErrUnsent, session.ErrGrantRefused)
	}
	id, err := p.RefreshFor(ctx, sess.Tokens.Refresh, previous(sess), wanted(t))
	switch {
	case id != nil: // the refresh token has been spent and the next one is here, whatever is to be said of the rest
		return session.Granted{Refreshed: refreshed(id), Refused: inEngineWords(err)}, nil
	case errors.Is(err, provider.ErrNotGranted) && !errors.Is(err, provider.ErrUnsent):
		s.holds.Add(holdKey{p.Provider, t.Key}, s.now().Add(holdTime))
	}
	return g, inEngineWords(err)
}

// holdKey names a token that a provider refused.
type holdKey struct {
	provider *provider.Provider
	key      string
}

// wireTokens makes what is kept of routes' tokens beside the sessions.
func (s *Server) wireTokens() (err error) {
	if s.holds, err = lru.New[holdKey, time.Time](maxMachineTokens); err != nil {
		return err
	}
	s.machine, err = newMachineTokens(s.log, s.now)
	return err
}

// held reports whether a provider has just refused a resource after it was sent a refresh token, which may have cost that session the token. Whatever is wrong there is the
// same for all: others are not to find out in the same way.
func (s *site) held(p *provider.Provider, t tokens.Token) bool {
	until, ok := s.holds.Get(holdKey{p, t.Key})
	return ok && s.now().Before(until)
}

// noteGrant counts what came of asking for a token. A refusal is an event: nobody but the operator can do something about it.
func (s *site) noteGrant(sess *session.Session, t tokens.Token, err error) {
	switch {
	case err == nil:
		s.metrics.granted(t.Method, grantOK)
		return
	case !errors.Is(err, session.ErrGrantRefused):
		s.metrics.granted(t.Method, grantFailed)
		return
	}
	s.metrics.granted(t.Method, grantRefused)
	attrs := []slog.Attr{slog.String("method", t.Method)}
	if sess != nil {
		attrs = append(attrs, slog.String("session", sess.ID().Short()), slog.String("provider", sess.Provider))
	}
	for name, value := range map[string]string{"audience": t.Audience, "resource": t.Resource} {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	if refusal, ok := errors.AsType[*provider.Refusal](err); ok {
		attrs = append(attrs, slog.String("reason", refusal.Reason))
	}
	edge.Event(context.Background(), s.log, edge.EventTokenRefused, append(attrs, slog.String("err", err.Error()))...)
}

// wanted is what the provider is asked for.
func wanted(t tokens.Token) provider.Wanted {
	return provider.Wanted{Audience: t.Audience, Resource: t.Resource, Scopes: t.Scopes}
}
