// Package proxy takes a request that was let in to one upstream, and its answer back.
//
// Compile turns the configured routes into a Table; Table.Match finds the route of a request, and Route.Forward
// sends the request on. Whether the request may go there at all is decided by the caller, between the two.
//
// The house rules, each in its own file:
//
//   - pattern.go, route.go, tree.go: which path and method belong to which route. Ambiguity is an error at start.
//   - target.go: the upstream's path. It is built from the configuration and the request's path only, and never leaves
//     the upstream's base path. The query goes on byte for byte; nothing here reads it.
//   - header.go: what may cross, in each direction.
//   - location.go: redirects of an upstream, seen from outside.
//   - upgrade.go: WebSockets, and no other protocol.
//   - body.go: sizes and silences.
//   - transport.go, server.go: connections to upstreams, and the one replay after a renewed token.
//   - upstream.go, health.go, check.go: which server of an upstream is asked, and which is left alone.
//   - upkeep.go, tlsfiles.go: names that lead elsewhere, and certificates that are renewed.
//   - grpc.go: the trailers that cross, and why.
//
// An answer is either complete or visibly broken: when an upstream dies half-way, the client's connection is aborted.
// Failures before the first byte of an answer go to Deps.OnError as one of the sentinels of errors.go.
package proxy
