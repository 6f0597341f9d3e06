package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// Previous is what a session knows of its user; a refreshed ID token must agree with it (OpenID Connect Core, section 12.2).
type Previous struct {
	// Subject is whose session it is.
	Subject string
	// Nonce is the sign-in's.
	Nonce string
	// AuthTime is the sign-in's, zero if the provider did not say.
	AuthTime time.Time
}

// Refresh spends a refresh token, with one call that is never repeated here, and returns the new tokens. If the answer has an ID token, the
// identity has a Subject, and claims and roles that hold from now on; otherwise Subject is empty and only Tokens is set. All of it
// ends within the configured timeout.
//
// The error tells what became of the token:
//
//   - ErrInvalidGrant: it is refused for good, or the answer is about somebody else or cannot be trusted. The session must end.
//   - ErrUnsent: no connection was made, or the provider answered with a status that grants nothing. Every error status counts as such an answer,
//     429 and all of 5xx included. A provider, or a gateway before it, may in truth have rotated the token before it said 5xx; but if each 5xx
//     were taken for "perhaps spent", a provider that is down behind its gateway would end every session. If it was spent,
//     the next try gets invalid_grant, which is how it would have ended anyway.
//   - Anything else: nobody knows. The request may have arrived and its answer was lost.
func (p *Provider) Refresh(ctx context.Context, refreshToken string, prev Previous) (*Identity, error) {
	k, err := p.current()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsent, err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	if ctx.Err() != nil { // not a token is risked for nobody
		return nil, fmt.Errorf("%w: %w", ErrUnsent, ctx.Err())
	}
	g, err := p.callToken(ctx, func(ctx context.Context) (*oauth2.Token, error) {
		return k.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	})
	if err != nil {
		return nil, p.refreshError(err)
	}
	id, err := p.afterRefresh(ctx, k, g, prev, p.userinfo)
	if err == nil && id.Scopes == nil {
		id.Scopes = p.cfg.granted(g.tokens.Scope, nil) // what is not said is unchanged (RFC 6749, section 6)
	}
	return id, err
}

// askUserinfo is how further claims come, or nil where they cannot.
type askUserinfo func(ctx context.Context, k *known, access, subject string) (map[string]any, error)

// afterRefresh judges what a refresh token brought.
func (p *Provider) afterRefresh(ctx context.Context, k *known, g grant, prev Previous, more askUserinfo) (*Identity, error) {
	if g.idToken == "" {
		return &Identity{Issuer: p.cfg.Issuer, Tokens: g.tokens}, nil
	}
	id, err := p.refreshed(ctx, k, g, prev, more)
	if _, refused := errors.AsType[*Refusal](err); refused {
		// The old refresh token is spent and what came for it is not to be trusted.
		p.orphaned(g.tokens)
		return nil, fmt.Errorf("%w: %w", ErrInvalidGrant, err)
	}
	return id, err
}

// refreshed judges the ID token that came with a refresh.
func (p *Provider) refreshed(ctx context.Context, k *known, g grant, prev Previous, ask askUserinfo) (*Identity, error) {
	t, err := parseToken(g.idToken, p.cfg.SigningAlgs)
	if err != nil {
		return nil, err
	}
	id, reason := checkIDToken(t, p.party())
	if reason == "" {
		reason = checkRefreshed(id, prev)
	}
	if reason == "" {
		reason = checkAccessTokenHash(t, g.tokens.Access)
	}
	if reason != "" {
		return nil, refuse(reason, "")
	}
	switch err := p.verified(ctx, k, t); {
	case errors.Is(err, ErrUnavailable), errors.Is(err, errWithheld):
		// The tokens are granted, and came from the provider itself over TLS. What its ID token says cannot be believed yet, so claims and roles stay.
		return &Identity{Issuer: p.cfg.Issuer, Tokens: g.tokens}, nil
	case err != nil:
		return nil, err
	}
	if ask == nil {
		return &Identity{Issuer: p.cfg.Issuer, Tokens: g.tokens}, nil
	}
	more, err := ask(ctx, k, g.tokens.Access, id.subject)
	switch {
	case errors.Is(err, ErrUnavailable):
		// The tokens are granted and the user is the same. Claims and roles stay as they are rather than shrink to the ID token's.
		return &Identity{Issuer: p.cfg.Issuer, Tokens: g.tokens}, nil
	case err != nil:
		return nil, err
	}
	return p.identity(g, t, id, more)
}

// checkRefreshed judges whether a refreshed ID token belongs to the session: same subject, and the same authentication as far as it says so.
func checkRefreshed(t idToken, prev Previous) string {
	switch {
	case prev.Subject == "" || t.subject != prev.Subject:
		return ReasonRefreshSubject
	case t.hasNonce && t.nonce != prev.Nonce:
		return ReasonRefreshNonce
	case !t.authTime.IsZero() && !prev.AuthTime.IsZero() && t.authTime.Unix() != prev.AuthTime.Unix():
		return ReasonRefreshAuthTime
	}
	return ""
}

// refreshError says what became of the refresh token; see Refresh.
func (p *Provider) refreshError(err error) error {
	call, ok := errors.AsType[*callError](err)
	switch {
	case !ok: // granted, in a form that cannot be used
		return &Refusal{ReasonRefreshResponse, err}
	case call.status == 0 && call.sent:
		return p.unavailable("token", "refresh, outcome unknown", call)
	case call.code == "invalid_grant" && !broken(call.status):
		return fmt.Errorf("%w: %w", ErrInvalidGrant, call)
	case call.status == 0, broken(call.status), call.status < http.StatusBadRequest:
		return fmt.Errorf("%w: %w", ErrUnsent, p.unavailable("token", "refresh", call))
	}
	p.onError("token")
	return fmt.Errorf("%w: %w", ErrUnsent, &Refusal{ReasonClientRefused, call}) // our credentials or our request
}
