// Package compose makes one answer of several upstreams' answers.
//
// Its parts are asked for at the same time, each with its own deadline and bound, and what they say must be JSON. A shape, written in the
// part of jq that cannot run away, makes of them what the client gets.
//
// The rules, each in its own file:
//
//   - config.go: the keys, and what they may say.
//   - address.go: a leg's URL. Only values of the route's path and declared query parameters go into it, each into the place that the
//     configuration has for it: nothing that a client sends changes the host, adds a segment or adds a parameter.
//   - leg.go, run.go: asking all legs, and what happens where one fails.
//   - media.go, decode.go: which JSON is taken.
//   - shape.go, allowed.go, size.go: jq, compiled once at start, with bounds on time and output.
//
// The package opens no connection: how a request gets to an upstream, with which token and headers, is the caller's, see [Fetch].
package compose
