package session

import (
	"sync/atomic"
	"time"
)

// Session is the opened record of one signed-in browser. A *Session that was handed out is never changed: readers share it.
type Session struct {
	// Handle is what people and JSON call the session's id: 8 random bytes, base64url.
	Handle string
	// Provider is the configured name of the provider that signed the user in.
	Provider string
	// Issuer and Subject together are who the user is (OpenID Connect Core, section 5.7).
	Issuer, Subject string
	// ProviderSession is the provider's own session ID, the `sid` claim. May be empty.
	ProviderSession string
	// Nonce is the sign-in's nonce; a refreshed ID token that has one must have this (Core, section 12.2).
	Nonce string
	// ACR is the authentication context class of the sign-in. May be empty.
	ACR string
	// IssuedAt is the first ID token's iat: logout tokens that are older do not end the session.
	IssuedAt time.Time
	// AuthTime is when the user proved who they are, zero if the provider did not say.
	AuthTime time.Time
	// Created is when the session started, Deadline when it ends whatever happens.
	Created, Deadline time.Time
	// Claims are the configured ones only, as JSON decoded them; in a session that was read, numbers are json.Number.
	Claims map[string]any
	// Roles are the user's roles, Scopes what their token is good for as the provider says.
	Roles, Scopes []string
	// Browser and Address describe the device to its user: a short name, and the address' network (/24, /48).
	Browser, Address string
	// Tokens are what the upstreams and the provider get.
	Tokens Tokens
	// Attempt is the refresh under way, if its outcome is unknown (docs/engine.md).
	Attempt *Attempt
	// Grants are further access tokens of the user, each for one audience, at most MaxGrants, the newest last.
	Grants []Grant
	// Resources are marks of the resources (RFC 8707) that the sign-in asked for, as its caller makes them: others are not asked for later.
	Resources []string

	id      ID
	version uint64
	ticket  string                // needed to seal again; never stored, logged or encoded
	memo    *atomic.Pointer[memo] // see Memo; nil in a session that was not read by a ticket
}

// Tokens are one user's tokens. They never leave the server but to the provider and, the access token, to upstreams.
type Tokens struct {
	// Access goes to upstreams as the bearer.
	Access string
	// Refresh is spent once, at the provider. May be empty.
	Refresh string
	// ID is the ID token, kept only where the provider is configured with id_token_hint.
	ID string
	// Scope is what the provider granted, space-separated; empty if it did not say.
	Scope string
	// Issued and Expires bound the access token's life. Expires is never zero: without expires_in it is Issued + 5 minutes (docs/engine.md).
	Issued, Expires time.Time
}

// Attempt records that a refresh token is being sent, before it is.
type Attempt struct {
	// ID names the attempt.
	ID string
	// Deadline is when the call to the provider has ended for certain, by the clock of who makes it. Nobody else goes by it.
	Deadline time.Time
	// Lost tells that who made the call has no answer and waits for none. It keeps nothing safe, but saves others from waiting for one.
	Lost bool
	// Repeats counts the attempts before this one whose outcome is unknown; more than one is never made.
	Repeats int
}

// ID returns the session's key in the store. Log its first 8 characters only.
func (s *Session) ID() ID { return s.id }

// Version counts the session's writes: what is said in it holds for one version.
func (s *Session) Version() uint64 { return s.version }

// Refreshed is what a provider answered to a refresh.
type Refreshed struct {
	// Tokens are the new ones. An empty Refresh keeps the old one.
	Tokens Tokens
	// Identity tells that the answer had an ID token, whose claims and roles follow and hold at once.
	Identity bool
	// Claims and Roles replace the session's.
	Claims map[string]any
	Roles  []string
	// Scopes replace the session's, with or without an ID token; nil: they stay.
	Scopes []string
}
