// Command devprovider is an OpenID provider for a developer's machine: no account, no password, nothing to set up. One picks a
// user on its page and is signed in. It is the provider of configs/examples/development.yaml and of the tutorial:
//
//	devprovider --secret .dev/oidc
//
// It serves one client, an app behind Cloakroom on the same machine, and listens on loopback only. Users, sessions and keys are
// in memory, new at every start.
//
// Flags:
//
//	--listen ADDRESS   where it is served; loopback only, default 127.0.0.1:9000. http://ADDRESS is the issuer
//	--app ORIGIN       server.public_url of the Cloakroom that it serves, default http://localhost:8080
//	--client ID        the client ID, default dev
//	--secret FILE      the file with the client secret, default .dev/oidc
package main
