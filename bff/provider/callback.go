package provider

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// Identity is who signed in, and their tokens.
type Identity struct {
	// Issuer and Subject together are who the user is; never the e-mail address.
	Issuer, Subject string
	// ProviderSession is the `sid` claim, ACR the `acr` claim; both may be empty.
	ProviderSession, ACR string
	// IssuedAt is the ID token's iat, AuthTime its auth_time, zero if it has none.
	IssuedAt, AuthTime time.Time
	// Claims are sub and the configured ones, as encoding/json would decode them.
	Claims map[string]any
	// Roles are the strings of the configured roles claim.
	Roles []string
	// Scopes are what the user's token is good for: by the configured claim, or by the token endpoint. After a refresh nil tells that they are as they were.
	Scopes []string
	// Tokens are what the token endpoint granted.
	Tokens Tokens
}

// Tokens are one user's tokens. They never go to a browser.
type Tokens struct {
	// Access is a bearer token; never empty.
	Access string
	// Refresh may be empty: there is none, or after a refresh the old one stays good.
	Refresh string
	// ID is the ID token, only if the configuration sends it along at sign-out.
	ID string
	// Scope is what was granted, if the provider said.
	Scope string
	// Issued and Expires bound the access token's life; neither is zero.
	Issued, Expires time.Time
}

// Callback ends the sign-in s with the parameters that the browser brought back. It spends the code, once; that the
// state is used once is the caller's to see to. The error is a *Refusal or wraps ErrUnavailable; tokens that were granted before it go to Deps.Orphaned, unless the
// sign-in is Beside a session.
func (p *Provider) Callback(ctx context.Context, q url.Values, s SignIn) (*Identity, error) {
	k, err := p.current()
	if err != nil {
		return nil, err
	}
	code, err := checkResponse(q, s.State, p.cfg.Issuer, k.ResponseIssuer)
	if err != nil {
		return nil, err
	}
	g, err := p.exchange(ctx, k, code, s)
	if err != nil {
		return nil, err
	}
	id, err := p.granted(ctx, k, g, s)
	if err != nil && !s.Beside {
		p.orphaned(g.tokens)
	}
	return id, err
}

// granted judges what came for the code.
func (p *Provider) granted(ctx context.Context, k *known, g grant, s SignIn) (*Identity, error) {
	if g.idToken == "" {
		return nil, refuse(ReasonIDTokenMissing, "")
	}
	t, err := parseToken(g.idToken, p.cfg.SigningAlgs)
	if err != nil {
		return nil, err
	}
	e := p.party()
	id, reason := checkIDToken(t, e)
	if reason == "" {
		reason = checkSignIn(id, s, e)
	}
	if reason == "" {
		reason = checkAccessTokenHash(t, g.tokens.Access)
	}
	if reason != "" {
		return nil, refuse(reason, "")
	}
	if err := p.verified(ctx, k, t); err != nil {
		return nil, err
	}
	more, err := p.userinfo(ctx, k, g.tokens.Access, id.subject)
	if err != nil {
		return nil, err
	}
	who, err := p.identity(g, t, id, more)
	if err == nil && who.Scopes == nil {
		who.Scopes = p.cfg.granted(g.tokens.Scope, p.cfg.Scopes)
	}
	return who, err
}

// checkResponse judges the authorization response and returns its code. The order matters: whose answer it is comes before what it says, for errors too
// (RFC 9207, section 2.4).
func checkResponse(q url.Values, state, issuer string, issuerAnnounced bool) (code string, err error) {
	for _, values := range q {
		if len(values) > 1 {
			return "", refuse(ReasonDuplicateParameter, "")
		}
	}
	if state == "" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
		return "", refuse(ReasonState, "")
	}
	switch {
	case q.Has("iss") && q.Get("iss") != issuer:
		return "", refuse(ReasonResponseIssuer, "")
	case !q.Has("iss") && issuerAnnounced:
		return "", refuse(ReasonResponseIssuerMissing, "")
	}
	if q.Has("error") {
		return "", refuseError(q.Get("error"))
	}
	if code = q.Get("code"); !isOpaque(code) {
		return "", refuse(ReasonCode, "")
	}
	return code, nil
}

// refuseError is the refusal for an error response. Only registered codes are repeated; the description comes through the browser, so that
// anybody can have written it.
func refuseError(code string) error {
	known := knownError(code)
	reason := ReasonProviderError
	switch known {
	case "access_denied":
		reason = ReasonAccessDenied
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		reason = ReasonLoginRequired
	}
	return refuse(reason, "the provider answered %s", known)
}

// exchange presents the code at the token endpoint. There is no second try, whatever the answer.
func (p *Provider) exchange(ctx context.Context, k *known, code string, s SignIn) (grant, error) {
	g, err := p.callToken(ctx, func(ctx context.Context) (*oauth2.Token, error) {
		return k.oauth.Exchange(ctx, code, oauth2.VerifierOption(s.Verifier))
	})
	if err != nil {
		return grant{}, p.exchangeError(err)
	}
	return g, nil
}

func (p *Provider) exchangeError(err error) error {
	call, ok := errors.AsType[*callError](err)
	switch {
	case !ok:
		return err // the answer was judged already
	case call.code == "invalid_grant":
		return &Refusal{ReasonCodeRefused, call}
	case broken(call.status):
		return p.unavailable("token", "exchange code", call)
	case call.status >= 400:
		return &Refusal{ReasonClientRefused, call} // our credentials or our request: the operator must look
	case call.status != 0, unusable(call):
		return &Refusal{ReasonTokenResponse, call} // a redirect, or an answer that is no token response
	}
	return p.unavailable("token", "exchange code", call)
}

// verified checks the signature of a token whose claims are in order. It comes last because it may have to fetch keys: a token
// that is refused anyway costs the provider nothing. Until it returns nil nothing of the token is believed.
func (p *Provider) verified(ctx context.Context, k *known, t signedToken) error {
	err := t.verify(ctx, k.keys)
	if _, refused := errors.AsType[*Refusal](err); err == nil || refused {
		return err
	}
	return p.unavailable("keys", "verify signature", err)
}

// identity puts together what is known of the user.
func (p *Provider) identity(g grant, t signedToken, id idToken, userinfo map[string]any) (*Identity, error) {
	s, reason := p.cfg.selectClaims(t.claims, userinfo)
	if reason != "" {
		return nil, refuse(reason, "")
	}
	if p.cfg.IDTokenHint {
		g.tokens.ID = g.idToken
	}
	return &Identity{
		Issuer: p.cfg.Issuer, Subject: id.subject, ProviderSession: id.session, ACR: id.acr,
		IssuedAt: id.issuedAt, AuthTime: id.authTime, Claims: s.shown, Roles: s.roles, Scopes: s.scopes, Tokens: g.tokens,
	}, nil
}
