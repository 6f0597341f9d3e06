// Package provider speaks with one OpenID provider: it knows its endpoints and keys, sends users to it, and decides
// whether what comes back is proof of who they are.
//
// # Use
//
// [New] checks the configuration and does no I/O. [Provider.Run] fetches the provider's metadata and keys, trying again with growing
// pauses until it has them, and fetches them again now and then; until then [Provider.Ready] says why not and everything else
// answers [ErrUnavailable]. A sign-in is [NewSignIn], [ParseSignIn], [Provider.AuthURL] and, with the same [SignIn] when the browser is
// back, [Provider.Callback]. Later come [Provider.Refresh], [Provider.Revoke], [Provider.EndSessionURL] and [Provider.LogoutToken].
// All methods may be called from several goroutines at once.
//
// # What is always done
//
//   - Authorization code with PKCE S256, state and nonce. Nothing in the configuration or in a request changes that.
//   - One client authentication method, so that a code or refresh token is presented once.
//   - No redirect is followed, bodies are bounded, every call ends within the configured timeout.
//   - Only keys of the provider's key set count. Key material and URLs inside tokens are ignored, and nothing named in a token is fetched.
//   - The issuer is compared character by character wherever it appears.
//
// # Errors
//
// There are three kinds. [ErrUnavailable]: the provider could not be asked, nothing is decided, trying again later may help. [Refusal]: what came back
// proves nothing, with a stable reason code. And for [Provider.Refresh] also [ErrInvalidGrant] and [ErrUnsent], which tell the session what became
// of its refresh token. No error contains a code, verifier, token or secret, nor any text that the provider or a browser sent: the libraries'
// own errors do, and are therefore never wrapped.
//
// # What is bought
//
// golang.org/x/oauth2 makes the authorization URL and the token requests, coreos/go-oidc keeps the keys and verifies signatures, go-jose's JSON decoder
// refuses duplicate members. Around them stand the limits that they lack: client.go (redirects, sizes), tokenendpoint.go (lifetimes, content
// types) and keys.go (how often keys are fetched). The claims of tokens are judged here, by pure functions: idtoken.go and logouttoken.go.
package provider
