//go:build race

package policy

// decideAllocs is more than without the race detector, because its pools give back less than they get.
const decideAllocs = 8
