//go:build race

package proxy

// raceFactor is how much slower the race detector may make things.
const raceFactor = 30
