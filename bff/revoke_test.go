package bff

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/session"
)

// claims are what replicas have claimed.
type claims struct {
	mu    sync.Mutex
	owner *session.WriteID
	fails int
}

var errNoStore = errors.New("the store is away")

func (c *claims) claim(_ context.Context, _ *session.Session, owner session.WriteID) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner == nil {
		c.owner = &owner
	}
	if c.fails > 0 {
		c.fails--
		return false, errNoStore // it took effect all the same
	}
	return *c.owner == owner, nil
}

// Of several replicas that know an ended session's tokens one revokes them, also where a claim's answer is lost; where the store stays away, each may. Nobody
// else knows the tokens of a sign-in that was refused: they need no claim.
func TestOneReplicaRevokes(t *testing.T) {
	for name, tt := range map[string]struct {
		fails int
		add   func(*revoker, *session.Session)
		least int
		most  int
	}{
		"three replicas":                                      {0, (*revoker).addShared, 1, 1},
		"whose first claim's answer is lost":                  {1, (*revoker).addShared, 1, 1},
		"without a store":                                     {1 << 30, (*revoker).addShared, 3, 3},
		"with tokens of their own, and a claim that is taken": {0, (*revoker).add, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var counts []string
				var mu sync.Mutex
				at, c := new(provided), &claims{fails: tt.fails}
				s := &session.Session{Provider: "main", Tokens: session.Tokens{Refresh: "r"}}
				var all []*revoker
				for range 3 {
					all = append(all, newRevoker(discard(), revocations{claim: c.claim, revoke: at.revoke, count: func(result string) {
						mu.Lock()
						defer mu.Unlock()
						counts = append(counts, result)
					}}))
				}
				for _, v := range all {
					tt.add(v, s)
				}
				time.Sleep(time.Minute) // of the bubble: all tries
				for _, v := range all {
					v.close(t.Context())
				}
				if n := len(at.all()); n < tt.least || n > tt.most || len(counts) != n {
					t.Errorf("revoked %d times, counted %q; want %d", n, counts, tt.least)
				}
			})
		})
	}
}

// The queue is bounded and never blocks; what does not fit, and what comes when the server has stopped, is told.
func TestRevocationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		lost, release := 0, make(chan struct{})
		v := newRevoker(slog.New(slog.NewJSONHandler(&log, nil)), revocations{
			revoke: func(context.Context, revocation) error { <-release; return nil },
			count: func(result string) {
				if result == "dropped" {
					lost++
				}
			},
		})
		s := &session.Session{Provider: "main", Tokens: session.Tokens{Refresh: "secret-token"}}
		for range revokers {
			v.add(s)
			synctest.Wait() // a worker has it
		}
		for range maxRevocations + 2 {
			v.add(s)
		}
		if lost != 2 {
			t.Errorf("%d were dropped, want 2", lost)
		}
		close(release)
		v.close(t.Context())
		v.add(s)
		if got := log.String(); lost != 3 || strings.Count(got, `"event":"revocation_failed"`) != 3 || strings.Contains(got, "secret-token") {
			t.Errorf("%d were dropped, want 3; log %s", lost, got[:min(len(got), 300)])
		}
	})
}

// What a refresh brings after the end of its session is revoked, unless the same user goes on with another: at many providers that one's tokens would die with it.
func TestLateTokensAreRevokedUnlessTheUserGoesOn(t *testing.T) {
	for name, tt := range map[string]struct {
		why   string
		err   error
		least int
	}{
		"signed out":          {"logout", nil, 1},
		"another user came":   {"user_changed", nil, 1},
		"the user goes on":    {"replaced", nil, 0},
		"nobody has ended it": {"", session.ErrNone, 1},
		"nobody can be asked": {"", errNoStore, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := new(provided)
				v := newRevoker(discard(), revocations{revoke: at.revoke, count: func(string) {}, why: func(context.Context, session.ID) (string, error) { return tt.why, tt.err }})
				v.addLate(&session.Session{Provider: "main", Tokens: session.Tokens{Refresh: "r"}})
				time.Sleep(time.Minute) // of the bubble's own time
				v.close(t.Context())
				if n := len(at.all()); n != tt.least {
					t.Errorf("revoked %d times, want %d", n, tt.least)
				}
			})
		})
	}
}
