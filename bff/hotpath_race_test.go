//go:build race

package bff

// hotPathAllocs is a little more than was counted: 94, because under the race detector pools give back less than they get.
const hotPathAllocs = 97
