// Package bff is the heart of Cloakroom: it wires the leaves into one server and holds the endpoints under /bff.
//
// A request meets one chain (Server.Handler), then either an endpoint of ours, a proxied route, or the app's own
// files. Routes go cross-site check, session, access token, upstream, in that order, so that a forged request costs nothing and
// changes nothing. Whatever goes wrong is an edge.Problem, turned into an answer in one place; an outage is a 503, never a sign-out.
//
// One file holds one endpoint; server.go shows the wiring and the chain, run.go the life of the process.
package bff
