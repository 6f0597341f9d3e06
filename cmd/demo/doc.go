// Command demo is a first try of Cloakroom with everything inside: an OpenID provider, a sample API, a sample app, and
// sessions in memory. It needs nothing but Go:
//
//	go run ./cmd/demo
//
// and open http://localhost:8080. The app is on localhost while provider and API are on 127.0.0.1, so that a browser
// treats them as different sites, as it would in real life. Everything listens on loopback only, and the
// secrets are new at every start.
//
// Flags:
//
//	--listen ADDRESS   where the app is served; loopback only, default localhost:8080, port 0 takes a free one
//	--verbose          log every request to standard error
package main
