//go:build !race

package bff

// hotPathAllocs is a little more than was counted: 88.
const hotPathAllocs = 90

// permitAllocs is what roles and an expression may cost together.
const permitAllocs = 3
