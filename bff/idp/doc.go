// Package idp is a small OpenID provider for the demo, for development and for tests. It never runs anywhere but
// on loopback: New refuses another issuer, Start another address, and the handler another peer or Host.
//
// The protocol is github.com/luikyv/go-oidc's: authorization code with PKCE S256, RFC 9207 `iss`, JWT access tokens
// (RFC 9068), userinfo, revocation, end_session. What that library leaves to its user is here:
//
//   - a page to pick a user: ready-made ones with different roles, or any name typed in; there are no passwords;
//   - single sign-on: one session and cookie of the provider's own, with `prompt`, `login_hint` and `max_age`;
//   - refresh-token families: a token seen twice, or two at once, revokes every token of its grant;
//   - Back-Channel Logout: one signed POST to each client that the user who signs out had signed in to;
//   - a home page that shows who is signed in and signs them out.
//
// Typical use:
//
//	srv, err := idp.Start("127.0.0.1:0", idp.Options{Clients: []idp.Client{{ID: "spa", Secret: …, RedirectURIs: …}}})
//	defer srv.Close()
//	cfg.Issuer = srv.Issuer()
//
// Everything is in memory and bounded; keys are fresh at each start. A user's roles are in the claim `groups` of ID token,
// userinfo and access token.
package idp
