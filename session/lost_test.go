package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// lossyTwins are two processes, each behind a proxy that can lose Redis' answers.
func lossyTwins(t *testing.T) (*twins, [2]*storetest.Lossy) {
	t.Helper()
	server := storetest.StartRedis(t)
	var lossy [2]*storetest.Lossy
	var stores [2]session.Store
	for i := range lossy {
		lossy[i] = storetest.StartLossy(t, server.Addr)
		stores[i] = openRedis(t, &storetest.Redis{Addr: lossy[i].Addr})
	}
	return twinsOn(t, &clock{}, stores[0], stores[1]), lossy
}

// SES-20, BCL-23: while Redis' answers to writes are lost on the way, up to three in a row, each expiry still causes one refresh,
// nobody hears of a conflict with themselves, and an end is an end.
func TestLostAnswersChangeNothing(t *testing.T) {
	w, lossy := lossyTwins(t)
	random := rand.New(rand.NewPCG(1, 2))
	lose := func() {
		for _, l := range lossy {
			l.Lose("evalsha", 1+random.IntN(3))
		}
	}
	r := w.signIn(w.both[0], w.alice())
	const expiries = 20
	lost := 0
	for range expiries {
		w.clock.pass(5*time.Minute + time.Second)
		lose()
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				if _, err := token(w.both[i%2], r); err != nil {
					t.Errorf("token: %v", err)
				}
			})
		}
		all.Wait()
		lost += lossy[0].Lost() + lossy[1].Lost()
	}
	if lost < expiries {
		t.Errorf("only %d answers were lost", lost)
	}
	if w.provider.calls != expiries || w.provider.reused != 0 {
		t.Errorf("%d calls, %d with a used token; want %d and 0", w.provider.calls, w.provider.reused, expiries)
	}
	lose()
	s, err := w.both[1].Peek(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.both[1].EndOne(t.Context(), s, "logout"); err != nil || w.ended.Load() != 1 {
		t.Errorf("end = %v, reported %d times", err, w.ended.Load())
	}
	w.gone(r)
}

// SES-12: requests of many users whose answers are cut off, hang or are given up never see another's session, nor are they told that
// they have none.
func TestUsersAreNotMixedUp(t *testing.T) {
	w, lossy := lossyTwins(t)
	const users = 12
	requests := map[string]*http.Request{}
	for i := range users {
		s := w.alice()
		s.Subject, s.ProviderSession = fmt.Sprint("user ", i), ""
		requests[s.Subject] = w.signIn(w.both[0], s)
	}
	var all sync.WaitGroup
	var given atomic.Int64
	for name, r := range requests {
		all.Go(func() {
			for i := range 60 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rand.IntN(20))*time.Millisecond)
				s, err := w.both[i%2].FromRequest(r.WithContext(ctx))
				cancel()
				if err != nil {
					given.Add(1)
				}
				if err == nil && s.Subject != name || errors.Is(err, session.ErrNone) {
					t.Errorf("%s is %v, %v", name, s, err)
				}
				if i%10 == 0 {
					lossy[i/10%2].Hang("get", 2)
				}
				if i%10 == 5 {
					lossy[i/10%2].Lose("get", 3)
				}
			}
		})
	}
	all.Wait()
	if given.Load() == 0 {
		t.Error("no request was disturbed")
	}
}
