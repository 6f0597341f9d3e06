// Package stack starts the real parts of an end-to-end run as processes on loopback: Redis, npm oidc-provider, an
// upstream and any number of replicas of the built binary behind one public port.
//
// Everything that the replicas write, the metrics that they show and all that reaches Redis goes into a tokscan.Corpus,
// together with every credential that the provider saw or issued.
//
// It imports nothing of the server: the tests meet the binary as its users do.
package stack
