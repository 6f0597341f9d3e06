//go:build !race

package policy

// decideAllocs is what a request may cost; counted was 1.
const decideAllocs = 3
