//go:build !race

package proxy

// raceFactor is how much slower the race detector may make things: it is not there.
const raceFactor = 1
