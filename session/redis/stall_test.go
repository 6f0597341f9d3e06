package redis_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// A server, or a machine, that stands still for a moment fails whatever is under way, however much that is; who comes
// afterwards is served, and not told that nobody is.
func TestOneStallHarmsNobodyAfterIt(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	cfg := config(server)
	cfg.Timeout = 400 * time.Millisecond
	s := open(t, cfg)
	update := func() error { return s.Update(t.Context(), "nobody", session.Record{Version: 2}) }
	for range 3 {
		if err := update(); !errors.Is(err, session.ErrNone) {
			t.Fatal(err)
		}
		server.Freeze(t)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := update(); !isOutage(err) {
					t.Errorf("during the stall: %v", err)
				}
			})
		}
		all.Wait()
		server.Thaw(t)
		if err := update(); !errors.Is(err, session.ErrNone) {
			t.Errorf("the first one after the stall: %v", err)
		}
	}
	if h := s.Health(); h.Opened != 0 || h.LeftAlone {
		t.Errorf("after stalls: %+v", h)
	}
}
