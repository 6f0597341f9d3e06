package idp

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"
)

// libraryOptions turn on what the provider offers, and nothing else of the library.
func (p *Provider) libraryOptions() []provider.Option {
	known := []goidc.Scope{goidc.ScopeOpenID, goidc.ScopeProfile, goidc.ScopeEmail, goidc.ScopeOfflineAccess}
	for _, s := range p.o.Scopes {
		known = append(known, goidc.NewScope(s))
	}
	opts := []provider.Option{
		provider.WithAuthCodeGrant(p.store, goidc.ResponseTypeCode),
		provider.WithPKCERequired(goidc.CodeChallengeMethodSHA256),
		provider.WithIssuerResponseParameter(),
		provider.WithSecretBasicAuthn(),
		provider.WithSecretPostAuthn(),
		provider.WithScopes(known...),
		provider.WithClaims("sub", "name", "email", "email_verified", "preferred_username", "groups", "sid", "auth_time"),
		provider.WithIDTokenSignatureAlgs(goidc.ES256),
		provider.WithTokenOptions(func(context.Context, *goidc.Grant, *goidc.Client) goidc.TokenOptions {
			return goidc.NewJWTTokenOptions(goidc.ES256, int(p.o.AccessTokenLife/time.Second))
		}),
		provider.WithTokenClaims(p.accessTokenClaims),
		provider.WithIDTokenClaims(idTokenClaims),
		provider.WithUserInfoClaims(userinfoClaims),
		provider.WithRefreshTokenGrant(p.store),
		provider.WithRefreshTokenRotation(),
		provider.WithRefreshTokenLifetime(int(p.o.RefreshTokenLife / time.Second)),
		provider.WithTokenRevocation(func(context.Context, *goidc.Client) bool { return true }), // each client its own tokens; the library checks whose
		provider.WithTokenRevocationRevokeGrantOnAccessToken(),
		provider.WithPolicies(p.signInPolicy()),
		provider.WithLogout(p.store, p.signedOut),
		provider.WithLogoutPolicies(p.signOutPolicy()),
		provider.WithErrorRenderer(p.renderError),
		provider.WithErrorHandler(p.logError),
		provider.WithJTIConsumer(refuseJTI),
	}
	for _, c := range p.clients {
		opts = append(opts, provider.WithStaticClients(libraryClient(c, p.o.Scopes)))
	}
	return opts
}

// libraryClient says c in the library's words.
func libraryClient(c Client, more []string) *goidc.Client {
	method := goidc.AuthnMethod(c.AuthMethod)
	return &goidc.Client{ID: c.ID, Secret: c.Secret, ClientMeta: goidc.ClientMeta{
		Name:                       c.Name,
		RedirectURIs:               c.RedirectURIs,
		PostLogoutRedirectURIs:     c.PostLogoutRedirectURIs,
		GrantTypes:                 []goidc.GrantType{goidc.GrantAuthorizationCode, goidc.GrantRefreshToken},
		ResponseTypes:              []goidc.ResponseType{goidc.ResponseTypeCode},
		ScopeIDs:                   strings.Join(append([]string{"openid", "profile", "email", "offline_access"}, more...), " "),
		TokenAuthnMethod:           method,
		TokenRevocationAuthnMethod: method,
		IDTokenSigAlg:              goidc.ES256,
	}}
}

// logError logs an error by its code alone: descriptions and causes may quote what a client sent.
func (p *Provider) logError(_ context.Context, err error) {
	code := goidc.ErrorCodeInternalError
	if e, ok := errors.AsType[goidc.Error](err); ok {
		code = e.Code
	}
	p.o.Log.Info("provider refused a request", "code", string(code))
}

// renderError shows an error that has no client to go back to.
func (p *Provider) renderError(w http.ResponseWriter, r *http.Request, err error) error {
	status, text := http.StatusInternalServerError, "Something went wrong here."
	if e, ok := errors.AsType[goidc.Error](err); ok {
		status, text = http.StatusBadRequest, "The application sent a request that this provider does not accept: "+string(e.Code)+"."
	}
	return p.render(w, status, "message", page{Title: "This did not work", Text: text}, "")
}

// scopes splits a scope parameter.
func scopes(s string) []string { return strings.Fields(s) }
