package session

import "encoding/json"

// How much of the heap a copy takes is reckoned from what is in it. Its sealed bytes alone say little: two tokens take a little more than
// twice their size, and a thousand groups of one letter six times. A test compares this with the heap.

const (
	// copyWeight is what each copy takes: the Session, its places in the table and in the list, its short strings.
	copyWeight = 1000
	// valueWeight is what a value takes among others beside its text: a place with room to grow, and the text's own head.
	valueWeight = 40
	// grantWeight is what a grant takes beside its text: two heads, two times, and room to grow.
	grantWeight = 160
	// placeWeight is what a name takes in a map beside its text, or the map itself.
	placeWeight = 64
)

// weight is about how many bytes of the heap a copy takes.
func weight(s *Session, sealed []byte) int {
	n := len(sealed) + len(s.Tokens.Access) + len(s.Tokens.Refresh) + len(s.Tokens.ID) + claimWeight(s.Claims)
	for _, g := range s.Grants {
		n += grantWeight + len(g.Key) + len(g.Access)
	}
	for _, mark := range s.Resources {
		n += valueWeight + len(mark)
	}
	for _, names := range [][]string{s.Roles, s.Scopes} {
		for _, name := range names {
			n += valueWeight + len(name)
		}
	}
	return copyWeight + n + n/16 // which the allocator rounds up
}

// claimWeight is the same of a claim, as encoding/json decodes it.
func claimWeight(claim any) int {
	n := valueWeight
	switch c := claim.(type) {
	case string:
		n += len(c)
	case json.Number:
		n += len(c)
	case []any:
		for _, each := range c {
			n += claimWeight(each)
		}
	case map[string]any:
		n += placeWeight
		for name, each := range c {
			n += placeWeight + len(name) + claimWeight(each)
		}
	}
	return n
}
