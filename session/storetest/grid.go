package storetest

import (
	"strings"
	"testing"
)

// grid is every call in every state: rows are states, columns are calls, a cell is what the call answers there.
type grid struct {
	// calls are the columns.
	calls []string
	// look is the call that shows what is there afterwards.
	look   string
	states []state
}

// state is one row.
type state struct {
	name  string
	story string // how to come into it
	// cells has one answer for each call; `answer>seen` says what look answers afterwards, where that is not seen.
	cells string
	seen  string
}

// run runs each cell as a case of its own.
func (g grid) run(t *testing.T, open func(t *testing.T) Subject) {
	for _, row := range g.states {
		cells := strings.Fields(row.cells)
		if len(cells) != len(g.calls) {
			t.Fatalf("state %q has %d cells for %d calls", row.name, len(cells), len(g.calls))
		}
		for i, call := range g.calls {
			want, after, changed := strings.Cut(cells[i], ">")
			if !changed {
				after = row.seen
			}
			each(t, row.name+"/"+call, open, func(t *testing.T, s Subject) {
				tell(t, s, row.story)
				tell(t, s, call+" = "+spaced(want))
				tell(t, s, g.look+" = "+spaced(after))
			})
		}
	}
}

// spaced writes a list, which a cell joins with commas, as a story does.
func spaced(cell string) string { return strings.ReplaceAll(cell, ",", " ") }
