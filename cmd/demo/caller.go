package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// caller is who an access token says is calling.
type caller struct {
	Subject, Name string
	Roles         []string
	Expires       time.Time
}

func (c caller) has(role string) bool { return slices.Contains(c.Roles, role) }

func (c caller) rolesSay() string {
	if len(c.Roles) == 0 {
		return "You have no role."
	}
	return "You are: " + strings.Join(c.Roles, ", ") + "."
}

var errNotAccessToken = errors.New("not an access token")

// newVerifier returns a function that checks an access token (RFC 9068, section 4): type, signature by the
// provider's published keys, issuer, audience and expiry.
func newVerifier(issuer string) func(context.Context, string) (caller, error) {
	ctx := oidc.ClientContext(context.Background(), &http.Client{Timeout: 5 * time.Second}) // the key set keeps it for later fetches
	verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, issuer+"/jwks"), &oidc.Config{
		ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256},
	})
	return func(ctx context.Context, raw string) (caller, error) {
		if !accessTokenType(raw) {
			return caller{}, errNotAccessToken
		}
		token, err := verifier.Verify(ctx, raw)
		if err != nil {
			return caller{}, err
		}
		var claims struct {
			Name  string   `json:"name"`
			Roles []string `json:"groups"`
		}
		if err := token.Claims(&claims); err != nil {
			return caller{}, err
		}
		return caller{Subject: token.Subject, Name: claims.Name, Roles: claims.Roles, Expires: token.Expiry}, nil
	}
}

// accessTokenType reports whether the token's header says at+jwt, so that an ID token does not pass for one.
func accessTokenType(raw string) bool {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(token.Headers) != 1 {
		return false
	}
	return token.Headers[0].ExtraHeaders[jose.HeaderType] == "at+jwt"
}
