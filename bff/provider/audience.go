package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// Wanted says for which audience, or to do what, a token is asked for. At least one of its fields is set, but for a token of this server itself.
type Wanted struct {
	// Audience is a logical name of who shall take the token (RFC 8693, section 2.1).
	Audience string
	// Resource is the URL of who shall take it (RFC 8707).
	Resource string
	// Scopes are what the token shall be good for; none leaves that to the provider.
	Scopes []string
}

const (
	exchangeGrant   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
)

// Exchange trades a user's access token for one that is wanted elsewhere (RFC 8693). Nothing is spent; it may be asked again. The error wraps ErrNotGranted, with a Refusal, or ErrUnavailable.
func (p *Provider) Exchange(ctx context.Context, access string, w Wanted) (Tokens, error) {
	form := w.form(exchangeGrant)
	form.Set("subject_token", access)
	form.Set("subject_token_type", accessTokenType)
	form.Set("requested_token_type", accessTokenType)
	if w.Audience != "" {
		form.Set("audience", w.Audience)
	}
	g, err := p.wantedToken(ctx, form)
	switch {
	case err != nil:
		return Tokens{}, err
	case g.issuedType != accessTokenType:
		return Tokens{}, notGranted(ReasonGrantType, nil)
	case g.tokens.Access == access: // whoever is asked for less and gives the same has not understood
		return Tokens{}, notGranted(ReasonGrantSame, nil)
	}
	return onlyIfFit(g.tokens, w)
}

// ClientCredentials asks for a token of this server itself (RFC 6749, section 4.4): nobody's rights but its own are in it. Errors are those of Exchange.
func (p *Provider) ClientCredentials(ctx context.Context, w Wanted) (Tokens, error) {
	form := w.form("client_credentials")
	if w.Audience != "" {
		form.Set("audience", w.Audience) // no RFC has it for this grant; several providers do
	}
	g, err := p.wantedToken(ctx, form)
	if err != nil {
		return Tokens{}, err
	}
	return onlyIfFit(g.tokens, w)
}

// RefreshFor is Refresh for a token of one resource (RFC 8707): Identity.Tokens.Access is that one, not one to go on with. It differs in these:
//
//   - Userinfo is not asked, because such a token does not open it. Where it is configured, claims and roles stay as they are.
//   - An error that wraps ErrNotGranted is about the resource. With ErrUnsent, the refresh token is not spent; alone, the provider may have consumed it and kept the next one. With an identity beside it the
//     refresh token in that is the next one, and only the access token may not be used.
func (p *Provider) RefreshFor(ctx context.Context, refreshToken string, prev Previous, w Wanted) (*Identity, error) {
	k, err := p.current()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsent, err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsent, ctx.Err())
	}
	form := w.form("refresh_token")
	form.Set("refresh_token", refreshToken)
	g, err := p.callToken(ctx, p.grantRequest(k, form))
	if err != nil {
		return nil, p.resourceError(err)
	}
	ask := p.userinfo
	if p.cfg.Userinfo {
		ask = nil
	}
	id, err := p.afterRefresh(ctx, k, g, prev, ask)
	if err != nil {
		return nil, err
	}
	_, err = onlyIfFit(g.tokens, w)
	return id, err
}

// form is what all requests for such a token have.
func (w Wanted) form(grantType string) url.Values {
	form := url.Values{"grant_type": {grantType}}
	if w.Resource != "" {
		form.Set("resource", w.Resource)
	}
	if len(w.Scopes) > 0 {
		form.Set("scope", strings.Join(w.Scopes, " "))
	}
	return form
}

// wantedToken makes a request that spends nothing.
func (p *Provider) wantedToken(ctx context.Context, form url.Values) (grant, error) {
	k, err := p.current()
	if err != nil {
		return grant{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	g, err := p.callToken(ctx, p.grantRequest(k, form))
	call, failed := errors.AsType[*callError](err)
	switch {
	case err == nil:
		return g, nil
	case !failed: // granted, in a form that cannot be used
		return grant{}, fmt.Errorf("%w: %w", ErrNotGranted, err)
	case broken(call.status), call.status == 0 && !unusable(call):
		return grant{}, p.unavailable("token", "ask for a token", call)
	}
	p.onError("token")
	return grant{}, notGranted(ReasonGrantRefused, call)
}

// resourceError says what became of the refresh token; see RefreshFor. Before these errors a provider has not looked at the refresh token, or not taken it.
func (p *Provider) resourceError(err error) error {
	untouched := []string{"invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
	call, ok := errors.AsType[*callError](err)
	if !ok || broken(call.status) || call.status < http.StatusBadRequest || call.code == "invalid_grant" {
		return p.refreshError(err)
	}
	p.onError("token")
	if slices.Contains(untouched, call.code) {
		return fmt.Errorf("%w: %w", ErrUnsent, notGranted(ReasonGrantRefused, call))
	}
	return notGranted(ReasonGrantRefused, call)
}

// grantRequest is a request to the token endpoint that x/oauth2 has no function for, with its types.
func (p *Provider) grantRequest(k *known, form url.Values) func(context.Context) (*oauth2.Token, error) {
	return func(ctx context.Context) (*oauth2.Token, error) {
		req, err := p.formRequest(ctx, k.Token, form)
		if err != nil {
			return nil, err
		}
		res, err := p.tokenClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		var tok oauth2.Token
		var extra map[string]any // canonical has seen to it that both can be read
		if err := errors.Join(json.Unmarshal(raw, &tok), json.Unmarshal(raw, &extra)); err != nil {
			return nil, errNotObject
		}
		if code, failed := extra["error"].(string); failed || res.StatusCode < 200 || res.StatusCode > 299 {
			return nil, &oauth2.RetrieveError{Response: res, ErrorCode: code}
		}
		return tok.WithExtra(extra), nil
	}
}

func notGranted(reason string, err error) error {
	return fmt.Errorf("%w: %w", ErrNotGranted, &Refusal{reason, err})
}
