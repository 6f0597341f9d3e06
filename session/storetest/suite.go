package storetest

import (
	"testing"
	"time"

	"cloakroom/session"
)

// Subject is a store under test and its time.
type Subject struct {
	Store session.Store
	// Now is the clock by which the store's times expire.
	Now func() time.Time
	// Short is a time that the store tells from none, and that a case can wait for.
	Short time.Duration
	// Pass lets a little of Short pass: a fake clock moves on, a real one is waited for.
	Pass func()
}

// Run runs the suite. open returns a subject for one case; cases use names of their own and run in parallel, so that a
// real server can serve them all, but a fake clock needs a store of its own.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Run("sessions", func(t *testing.T) { sessionGrid.run(t, open) })
	t.Run("indexes", func(t *testing.T) { indexGrid.run(t, open) })
	t.Run("locks", func(t *testing.T) { lockGrid.run(t, open) })
	t.Run("claims", func(t *testing.T) { claimGrid.run(t, open) })
	t.Run("stories", func(t *testing.T) { runStories(t, open) })
	t.Run("values", func(t *testing.T) { runValues(t, open) })
	t.Run("races", func(t *testing.T) { runRaces(t, open) })
	t.Run("listening", func(t *testing.T) { runListen(t, open) })
	t.Run("contexts", func(t *testing.T) { runContexts(t, open) })
}

// each runs one case in parallel with the others.
func each(t *testing.T, name string, open func(t *testing.T) Subject, run func(*testing.T, Subject)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		run(t, open(t))
	})
}
