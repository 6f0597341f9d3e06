package session_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// SES-11, law 5: while Redis hangs, hundreds of requests get an outage in bounded time, those that have their session already get the token that still
// lives, nobody is signed out, nobody asks the provider, and no goroutines pile up. Then everything goes on.
func TestRedisHangs(t *testing.T) {
	const timeout = 500 * time.Millisecond
	server := storetest.StartRedis(t)
	w := twinsOn(t, &clock{}, openImpatient(t, server, timeout), openImpatient(t, server, timeout))
	r := w.signIn(w.both[0], w.alice())
	s, err := w.both[0].FromRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.pass(5*time.Minute - 10*time.Second) // due, and alive
	before := runtime.NumGoroutine()
	server.Freeze(t)
	t.Cleanup(func() { server.Thaw(t) })
	var all sync.WaitGroup
	const requests = 300
	for range requests {
		all.Go(func() {
			begin := time.Now()
			if _, err := w.both[0].FromRequest(r); err == nil || errors.Is(err, session.ErrNone) {
				t.Errorf("request: %v, want an outage", err)
			}
			if n := runtime.NumGoroutine(); n > before+2*requests {
				t.Errorf("%d goroutines for %d requests", n, requests)
			}
			old, err := w.both[0].AccessToken(t.Context(), s)
			if err != nil || old.Tokens.Access != "access" {
				t.Errorf("token: %v", err)
			}
			if took := time.Since(begin); took > 3*timeout+2*time.Second { // the read, the lock, and giving the lock back
				t.Errorf("it took %v", took)
			}
		})
	}
	all.Wait()
	if w.provider.calls != 0 {
		t.Errorf("%d calls to the provider", w.provider.calls)
	}
	server.Thaw(t)
	storetest.Eventually(t, 2*time.Second, "serves afterwards", func() bool {
		_, err := w.both[0].FromRequest(r)
		return err == nil
	})
	for runtime.NumGoroutine() > before+50 { // the test's time limit ends this
		runtime.Gosched()
	}
}
