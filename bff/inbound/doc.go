// Package inbound knows callers that have no session: by an API key, a password, an access token or a client certificate.
//
// A request's credential is found by [Inbound.Present], which looks at nothing but the request, and judged by [Inbound.Identify]. The answer is a
// [Caller], or a [*Refusal] with a stable reason and what WWW-Authenticate has to say, or [ErrUnavailable]: then nothing is decided, and nobody passes.
//
// # Who speaks for a request
//
// One credential a request. Two of them, or one twice, are refused whatever they are (see [Inbound.Present]), with one exception that is no second
// identity: a client certificate beside a token is what the token may be bound to. Nothing here knows of sessions; that a session and a credential do not
// go together either is its caller's rule.
//
// # API keys
//
// ck_<id>_<secret><checksum>: 256 random bits, of which only SHA-256 is kept, with a name, roles, scopes and an end. The store is asked at most every 500 ms
// for each key, whether it is there or not, so that a revoked key is refused within that. Whoever can write to the store can make keys: give
// the server's own user there no right to.
//
// # Passwords
//
// From a file of bcrypt and argon2id hashes, whose cost is bounded when it is read. Taken over TLS alone: on a connection of ours, or of a trusted
// proxy where public_url is https and nothing in its headers says otherwise. Per user and address a few tries, then one in a while, counted before the
// hash; as many hashes at once as processors; a right password is remembered for a minute, as a MAC under a key of the process. For an unknown user a hash
// of the file's most usual cost is made, and the answer is the same.
//
// # Access tokens
//
// JWTs by RFC 9068, of configured issuers alone. What is cheap is judged first, the signature last, with keys of that issuer and no others; a token's own
// `jwk`, `jku` and `x5c` are not looked at. An unknown key ID asks the issuer again, at most every 10 seconds. A token bound to a client certificate (RFC 8705)
// needs that one; one bound to a DPoP key is no bearer.
//
// # Client certificates
//
// TLS asks for a certificate and takes any, or none ([Inbound.AskForCertificates]): only a route that wants one looks at it, so that a bad one breaks nothing
// else. Then it must be of a configured authority, for clients, valid now, not on its authority's revocation list where there is one, and have a name that
// is configured. A proxy in front hands over certificates by RFC 9440; from others that header is nothing. At a connection of a trusted proxy, the certificate of
// TLS is the proxy's and speaks for nobody.
package inbound
