//go:build !race

package schema

const limitUnderRace = 1
