//go:build race

package schema

// limitUnderRace is how much slower the race detector makes everything.
const limitUnderRace = 10
