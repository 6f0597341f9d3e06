package storetest

import (
	"slices"
	"testing"
)

// runStories runs what a grid of single calls does not show.
func runStories(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range slices.Concat(sessionStories, indexStories, limitStories) {
		each(t, c.name, open, func(t *testing.T, s Subject) { tell(t, s, c.story) })
	}
}

type story struct{ name, story string }

var sessionStories = []story{
	{"a session lives from sign-in to sign-out", `
		add k s 5 12h = ok
		create s A 30m = ok
		read s = 1A
		touch s 31m = true
		update s 2B = ok
		ttl s = 31m
		update s 3C = ok
		read s = 3C
		end s 10m = true
		drop k s = ok
		read s = none
		members k = nobody`},
	{"a write that lost a race is refused for good, also when it is repeated", `
		create s A 1h = ok
		update s 2B = ok
		update s 2X = conflict
		update s 2X = conflict
		read s = 2B`},
	{"a slow write does not come over a newer one", `
		create s A 1h = ok
		update s 2B = ok
		update s 3C = ok
		update s 2B = conflict
		update s 2X = conflict
		read s = 3C`},
	{"nothing brings an ended session back", `
		create s A 1h = ok
		end s 10m = true
		create s A 1h = ended
		create s X 1h = ended
		update s 2B = none
		update s 1A = none
		touch s 2h = false
		lock s A 1m = true
		add k s 5 1h = ok
		read s = none
		ttl s = none`},
	{"an end is remembered when it is repeated, and marks longer, never shorter", `
		end s short = false
		end s 10m = false
		end s short = false
		create t A short = ok
		until read t = none
		create s A 1h = ended`},
	{"an ended mark says why, as the end did that was first", `
		why s = none
		create s A 1h = ok
		why s = none
		end s 10m backchannel = true
		why s = backchannel
		end s 10m logout = false
		why s = backchannel
		end t 10m device = false
		why t = device
		end u short limit = false
		until why u = none`},
	{"a prolonged session lives longer, never shorter", `
		prolong s 1h = false
		create s A 30m = ok
		prolong s 1h = true
		prolong s 40m = false
		ttl s = 1h
		end s 10m = true
		prolong s 2h = false`},
	{"the lock of a refresh has nothing to do with the record", `
		lock s A 1m = true
		create s A 1h = ok
		update s 2B = ok
		unlock s A = ok
		read s = 2B`},
	{"sessions do not meet", `
		create s A 1h = ok
		create t B 1h = ok
		update s 2C = ok
		end s 10m = true
		read t = 1B
		touch t 2h = true
		ttl t = 2h`},
	{"a touched session outlives its first expiry", `
		create s A short = ok
		touch s 1h = true
		create t A short = ok
		until read t = none
		read s = 1A`},
	{"a record and its time to live are read together", `
		readttl s = none
		create s A 30m = ok
		readttl s = 1A 30m
		touch s 1h = true
		update s 2B = ok
		readttl s = 2B 1h
		end s 10m = true
		readttl s = none`},
	{"a touch into the past does not end a session", `
		create s A 1h = ok
		touch s -1m = false
		ttl s = 1h`},
}

var indexStories = []story{
	{"a logout overtakes the callback: the mark refuses the sign-in that it ends, and not the next", `
		mark k 5 10m = nobody
		add k s 5 1h = ended
		add k t 6 1h = ok
		members k = t`},
	{"a repeated logout lists the same members", `
		add k s 4 1h = ok
		add k t 5 1h = ok
		mark k 5 10m = s t
		mark k 5 10m = s t
		drop k s = ok
		mark k 5 10m = t`},
	{"a session in two indexes leaves one at a time", `
		add k s 4 1h = ok
		add j s 4 1h = ok
		drop k s = ok
		members k = nobody
		members j = s`},
}
