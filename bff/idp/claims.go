package idp

import (
	"context"
	"slices"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// Names of what a sign-in keeps in its grant.
const (
	storeUser     = "idp.user"
	storeSID      = "idp.sid"
	storeAuthTime = "idp.auth_time"
)

// userClaims are the claims about the user that the granted scopes allow.
func userClaims(g *goidc.Grant) map[string]any {
	u, _ := g.Store[storeUser].(User)
	granted := scopes(g.Scopes)
	claims := map[string]any{"groups": u.Roles}
	if slices.Contains(granted, "profile") {
		claims["name"], claims["preferred_username"] = u.Name, u.Subject
	}
	if slices.Contains(granted, "email") {
		claims["email"], claims["email_verified"] = u.Email, true
	}
	return claims
}

func idTokenClaims(_ context.Context, g *goidc.Grant) map[string]any {
	claims := userClaims(g)
	claims["sid"], claims["auth_time"], claims["azp"] = g.Store[storeSID], g.Store[storeAuthTime], g.ClientID
	return claims
}

func userinfoClaims(_ context.Context, g *goidc.Grant) map[string]any { return userClaims(g) }

// accessTokenClaims are what an API needs to decide (RFC 9068, section 2.2); `groups` as its section 2.2.3.1 names it.
func (p *Provider) accessTokenClaims(_ context.Context, _ *goidc.Token, g *goidc.Grant) map[string]any {
	u, _ := g.Store[storeUser].(User)
	return map[string]any{"aud": p.o.Audience, "groups": u.Roles, "name": u.Name, "auth_time": g.Store[storeAuthTime]}
}
