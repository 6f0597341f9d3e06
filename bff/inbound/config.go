package inbound

import "time"

// Config says which callers there are that have no session. Each route names those that it takes; none does by itself.
type Config struct {
	// APIKey takes keys made by `cloakroom keys new`. They are kept in session.redis.
	APIKey APIKey `yaml:"api_key" short:"header" filled:"true" example:"{header: X-API-Key}"`
	// Basic takes user names and passwords (RFC 7617), over TLS alone.
	Basic Basic `yaml:"basic" short:"file" filled:"true" example:"{file: users.htpasswd}"`
	// Bearer takes access tokens that these issuers made for this server (RFC 9068).
	Bearer []Bearer `yaml:"bearer" default:"[]"`
	// Certificate takes client certificates of the TLS connection.
	Certificate Certificate `yaml:"certificate" filled:"true" example:"{ca: clients.pem, names: [{dns: orders.internal}]}"`
}

// APIKey says where a request has its API key. In the query it is refused, whatever it is called there.
type APIKey struct {
	// Header is the header that has the key, usually X-API-Key. With `Authorization` it is a bearer: `Authorization: Bearer ck_…`.
	Header string `yaml:"header" default:"" example:"X-API-Key"`
}

// Basic says who may come with a password. A failed attempt slows the next ones down, by user and address together.
type Basic struct {
	// File has a line `user:hash` for each user, as htpasswd -B writes them: bcrypt of cost 14 at most, or argon2id as a PHC string. It is read
	// again when it changes.
	File string `yaml:"file" default:"" file:"watched"`
	// Realm is what browsers show beside the question for the password.
	Realm string `yaml:"realm" default:"api"`
	// Roles are what users may be, by their names.
	Roles map[string][]string `yaml:"roles" default:"{}" example:"{alice: [support]}"`
}

// Bearer says whose access tokens are taken. They are JWTs whose header has `typ: at+jwt`, so that no ID token can be one (RFC 9068).
type Bearer struct {
	// Issuer is compared character by character with the token's `iss`, and with its metadata. Must be https, or http on loopback.
	Issuer string `yaml:"issuer" required:"true" example:"https://id.example.com"`
	// Audience is what the token's `aud` must have: the name of this server at the issuer. Of several, one.
	Audience []string `yaml:"audience" required:"true" single:"true" example:"[orders]"`
	// JWKSURL is where the issuer's keys are. Empty: where its metadata says, at /.well-known/openid-configuration.
	JWKSURL string `yaml:"jwks_url" default:""`
	// SigningAlgs are the signature algorithms that are accepted. Only asymmetric ones.
	SigningAlgs []string `yaml:"signing_algs" default:"[RS256, PS256, ES256, EdDSA]" enum:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA"`
	// RolesClaim is the dotted path of the claim that has the caller's roles: `groups`, `realm_access.roles`. Empty: no roles.
	RolesClaim string `yaml:"roles_claim" default:""`
	// RolesFormat is the form of that claim: an `array` of strings, or one string with the roles `space_separated`. Anything else in the claim is no role.
	RolesFormat string `yaml:"roles_format" default:"array" enum:"array,space_separated"`
	// ScopesClaim is the dotted path of the claim that has the token's scopes: `scope`, `scp`. Empty: no scopes.
	ScopesClaim string `yaml:"scopes_claim" default:"scope"`
	// ScopesFormat is the form of that claim: one string with the scopes `space_separated`, or an `array` of strings. Anything else in the claim is no scope.
	ScopesFormat string `yaml:"scopes_format" default:"space_separated" enum:"array,space_separated"`
	// ClockSkew is how far the issuer's clock may differ from ours. At most 60s.
	ClockSkew time.Duration `yaml:"clock_skew" default:"60s"`
	// Timeout bounds each call to the issuer. Between 1s and 60s.
	Timeout time.Duration `yaml:"timeout" default:"10s"`
	// CA is a file of PEM certificates that sign the issuer's TLS certificate, instead of the system's.
	CA string `yaml:"ca" default:"" file:"true"`
}

// Certificate says whose client certificates are taken. A connection is asked for one, and need not have any; where a route wants none, a bad one does no harm.
type Certificate struct {
	// CA is a PEM file with the authorities that sign clients' certificates. The system's count for nothing here. It is read again when it changes.
	CA string `yaml:"ca" default:"" file:"watched"`
	// CRL is a file with the authorities' revocation lists, in PEM, read again when it changes. With it, an authority without a list that is still good has
	// no good certificates. Empty: a certificate is good until it expires, or its name is no longer here.
	CRL string `yaml:"crl" default:"" file:"watched"`
	// Names are who is known, by the alternative names of their certificates. The first that fits counts; who has none of them is nobody.
	Names []Name `yaml:"names" default:"[]"`
	// Header is the header in which one of server.trusted_proxies, which ends the TLS connection, hands over the client's certificate (RFC 9440). From anybody
	// else it counts for nothing. `Client-Cert` is its only name. Empty: only this server's own TLS counts.
	Header string `yaml:"header" default:"" example:"Client-Cert"`
}

// Name is who a certificate is for. Exactly one of dns, uri and email. A `*` stands for one whole label of a DNS name, one segment of a URI's
// path, or all that is before the @.
type Name struct {
	// DNS is a DNS name: orders.internal, *.workers.internal.
	DNS string `yaml:"dns" default:""`
	// URI is a URI, such as a SPIFFE ID: spiffe://example.org/ns/shop/sa/*.
	URI string `yaml:"uri" default:""`
	// Email is an address: *@ops.example.com.
	Email string `yaml:"email" default:""`
	// As is how logs and rules call whoever has the certificate. Empty: as it calls itself.
	As string `yaml:"as" default:""`
	// Roles are what it may be.
	Roles []string `yaml:"roles" default:"[]"`
	// Scopes are what it may do.
	Scopes []string `yaml:"scopes" default:"[]"`
}
