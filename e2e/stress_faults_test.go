package e2e

import (
	"hash/fnv"
	"math/rand/v2"
)

// fault is what happens to one refresh between a replica and the provider.
type fault string

const (
	none   fault = ""
	failed fault = "error answer, not done"     // 5xx or 429, and the provider was not asked
	hidden fault = "error answer, but done"     // 5xx of a gateway for what the provider granted
	slow   fault = "slow answer"                // in time
	never  fault = "no answer, not done"        // until the replica gives up
	late   fault = "no answer, done afterwards" // reaches the provider when the replica has given up
	held   fault = "no answer, but done"        // until the replica gives up
	cut    fault = "answer cut off"             // done, and the connection is broken instead of answered
	busy   fault = "machine too slow"           // not injected: the replica's log says that its patience ended, or the store's
)

// odds are how many of a thousand refreshes meet a fault.
var odds = []struct {
	fault
	of1000 int
}{{failed, 40}, {hidden, 3}, {slow, 150}, {never, 8}, {late, 4}, {held, 4}, {cut, 12}}

// lost tells whether the provider may have granted what the replica did not hear of: the next refresh is a repeat.
func (f fault) lost() bool {
	return f == hidden || f == late || f == held || f == cut || f == busy
}

// unknown tells whether the replica cannot know if its token is spent.
func (f fault) unknown() bool { return f != hidden && (f.lost() || f == never) }

// dice are those of one refresh, the same for the same seed: what happens to the nth refresh of a sign-in does not depend on what others do meanwhile.
func dice(seed uint64, sub string, n int) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(sub))
	return rand.New(rand.NewPCG(seed, h.Sum64()+uint64(n)))
}

// draw decides about one refresh.
func draw(dice *rand.Rand) fault {
	at := dice.IntN(1000)
	for _, o := range odds {
		if at -= o.of1000; at < 0 {
			return o.fault
		}
	}
	return none
}
