//go:build race

package bff

// hotPathAllocs is a little more than was counted: 94, because under the race detector pools give back less than they get.
const hotPathAllocs = 97

// permitAllocs is more than without the race detector, because its pools give back less than they get.
const permitAllocs = 8
