package provider

import (
	"time"

	"cloakroom/configs/secret"
)

// Config says how one OpenID provider is reached and what its tokens mean.
type Config struct {
	// Issuer is the provider's issuer identifier, compared character by character with the one in
	// its discovery document and in every token. Must be https, or http on loopback.
	Issuer string `yaml:"issuer" required:"true" example:"https://id.example.com"`
	// ClientID names this server at the provider.
	ClientID string `yaml:"client_id" required:"true" example:"spa"`
	// ClientSecret authenticates this server at the provider. At least 16 characters.
	ClientSecret secret.String `yaml:"client_secret" required:"true" example:"${file:/run/secrets/oidc}"`
	// ClientAuth is the one client authentication method that is used, for every back-channel
	// call: `basic` (client_secret_basic) or `post` (client_secret_post). It is never guessed: a guess sends a code twice.
	ClientAuth string `yaml:"client_auth" default:"basic" enum:"basic,post"`
	// Scopes are requested at sign-in, exactly these. `openid` is required; add `offline_access` where the provider wants it for a refresh token.
	Scopes []string `yaml:"scopes" default:"[openid, profile, email]"`
	// Claims are shown to the browser by GET /bff/user. Nothing else of the ID token leaves the server.
	Claims []string `yaml:"claims" default:"[sub, name, email, picture]"`
	// RolesClaim is the dotted path of the claim that holds the user's roles, of the form of roles_format: `groups`, `realm_access.roles`. Names may have
	// dots themselves, such as `https://app.example.com/roles`. Empty: no roles.
	RolesClaim string `yaml:"roles_claim" default:""`
	// RolesFormat is the form of that claim: an `array` of strings, or one string with the roles `space_separated`. It is never guessed: a claim of another form has no roles.
	RolesFormat string `yaml:"roles_format" default:"array" enum:"array,space_separated"`
	// ScopesClaim is the dotted path of the claim that holds the user's scopes for `allow.scopes`. Empty: what the token endpoint granted, which is what was requested where it does not say.
	ScopesClaim string `yaml:"scopes_claim" default:""`
	// ScopesFormat is the form of that claim: one string with the scopes `space_separated`, or an `array` of strings. It is never guessed: a claim of another form has no scopes.
	ScopesFormat string `yaml:"scopes_format" default:"space_separated" enum:"array,space_separated"`
	// Userinfo also asks the userinfo endpoint at sign-in and adds its claims, if its sub is the ID token's.
	Userinfo bool `yaml:"userinfo" default:"false"`
	// AuthorizeParams are further fixed parameters of the authorization request, such as `audience`. None that the protocol itself sets.
	AuthorizeParams map[string]string `yaml:"authorize_params" default:"{}"`
	// TrustedAudiences may stand in an ID token's aud beside the client ID. Any other makes the token refused.
	TrustedAudiences []string `yaml:"trusted_audiences" default:"[]"`
	// SigningAlgs are the signature algorithms accepted in ID and logout tokens. Only asymmetric ones.
	SigningAlgs []string `yaml:"signing_algs" default:"[RS256, PS256, ES256, EdDSA]" enum:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA"`
	// ClockSkew is how far the provider's clock may differ from ours. At most 60s.
	ClockSkew time.Duration `yaml:"clock_skew" default:"60s"`
	// Timeout bounds each call to the provider. Between 1s and 60s.
	Timeout time.Duration `yaml:"timeout" default:"10s"`
	// CA is a file of PEM certificates that sign the provider's TLS certificate, instead of the system's.
	CA string `yaml:"ca" default:"" file:"true"`
	// IDTokenHint sends the ID token in the logout redirect, for providers that insist on it. It then shows in the browser's history.
	IDTokenHint bool `yaml:"id_token_hint" default:"false"`
	// FrontchannelLogout lets the provider end sessions by GET /bff/frontchannel in a frame, by `iss` and `sid`. Such a request is not signed: switch it on only
	// for a provider whose `sid` nobody can guess, and that has no back-channel logout.
	FrontchannelLogout bool `yaml:"frontchannel_logout" default:"false"`
	// LogoutToken relaxes what a back-channel logout token must carry, for older providers.
	LogoutToken LogoutTokenConfig `yaml:"logout_token"`
}

// LogoutTokenConfig relaxes the checks of back-channel logout tokens.
type LogoutTokenConfig struct {
	// AllowUntyped accepts logout tokens whose header has no `typ`, or `JWT`, instead of `logout+jwt`.
	AllowUntyped bool `yaml:"allow_untyped" default:"false"`
	// AllowWithoutExp accepts logout tokens without `exp`, for two minutes after their `iat`.
	AllowWithoutExp bool `yaml:"allow_without_exp" default:"false"`
}
