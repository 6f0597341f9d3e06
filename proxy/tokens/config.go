package tokens

// Config is which access token the upstream gets. A single word is its `method`.
type Config struct {
	// Method is how the token comes about: `session` is the user's own access token; `none` is no token; `client` is one of Cloakroom's own, by client credentials, the
	// same for all users and for nobody; `exchange` trades the user's token for one for this upstream (RFC 8693); `refresh` gets one by a refresh for `resource` (RFC 8707).
	// `auto` is exchange where audience, resource or scopes are given, else session, or none with `auth: none`.
	Method string `yaml:"method" default:"auto" enum:"auto,session,none,client,exchange,refresh"`
	// Audience is the name by which the provider knows the upstream. With `refresh` it is not sent: it is what the token's `aud` must name where the provider writes something else than resource there.
	Audience string `yaml:"audience" default:"" example:"orders"`
	// Resource is the URL by which the provider knows the upstream (RFC 8707). With `refresh` it is needed, and users are asked for it at sign-in.
	Resource string `yaml:"resource" default:"" example:"https://orders.example.com"`
	// Scopes are what the token shall be good for. A token that may do more is refused; one that may do less is not. With `refresh` they must be among the provider's `scopes`.
	Scopes []string `yaml:"scopes" default:"[]"`
}
