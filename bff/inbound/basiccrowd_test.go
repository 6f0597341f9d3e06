package inbound

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// As many hashes at once as processors; a few wait, and the rest is told to come again rather than kept.
func TestHashesAreFewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
		var now, most atomic.Int64
		enough := make(chan struct{})
		g.users.matches = func(hash, []byte) bool {
			most.Store(max(most.Load(), now.Add(1)))
			<-enough
			now.Add(-1)
			return false
		}
		limit := runtime.GOMAXPROCS(0)
		const crowd = 200
		answers := make(chan error, crowd)
		for i := range crowd {
			go func() {
				_, err := g.from(t, fmt.Sprintf("192.0.2.%d:1", i), fmt.Sprint("user", i), "x")
				answers <- err
			}()
		}
		began := time.Now()
		synctest.Wait()
		for range crowd - limit - hashQueue {
			if err := <-answers; !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v, want ErrUnavailable", err)
			}
		}
		if time.Since(began) != 0 {
			t.Error("those for whom there is no room have to wait")
		}
		time.Sleep(hashPatience)
		for range hashQueue {
			if err := <-answers; !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v, want ErrUnavailable", err)
			}
		}
		close(enough)
		for range limit {
			if err := <-answers; refusal(t, err).Reason != ReasonBasicPassword {
				t.Fatal(err)
			}
		}
		if most.Load() != int64(limit) {
			t.Errorf("%d hashes at once, want %d", most.Load(), limit)
		}
	})
}

// A page that asks for twenty things at once has one password: it is one try and one hash.
func TestACrowdWithOnePasswordIsOneTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
		inner, begin := g.users.matches, make(chan struct{})
		g.users.matches = func(h hash, password []byte) bool { <-begin; return inner(h, password) }
		answers := make(chan error, 40)
		for i := range 40 {
			go func() {
				_, err := g.from(t, home, "alice", []string{"x", "wrong"}[i%2])
				answers <- err
			}()
		}
		synctest.Wait()
		close(begin)
		right := 0
		for range 40 {
			switch err := <-answers; {
			case err == nil:
				right++
			case refusal(t, err).Reason != ReasonBasicPassword:
				t.Error(err)
			}
		}
		if n := len(g.hashes()); right != 20 || n != 2 {
			t.Errorf("%d are right, with %d hashes; want 20 and 2", right, n)
		}
	})
}

// One client that goes away takes no other along, and is not kept waiting itself.
func TestAClientThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
		inner, begin := g.users.matches, make(chan struct{})
		g.users.matches = func(h hash, password []byte) bool { <-begin; return inner(h, password) }
		ctx, leave := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := g.from(t, home, "alice", "x"); first <- err }()
		synctest.Wait()
		go func() {
			_, err := g.Identify(ctx, basicRequest(home, "alice:x"), KindBasic)
			second <- err
		}()
		synctest.Wait()
		leave()
		if err := <-second; !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		close(begin)
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

// What is remembered of whom is bounded.
func TestThrottleIsBounded(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
	now := g.clock.now()
	for i := range 2 * throttleKept {
		g.users.tries.take(g.users.tries.who(fmt.Sprint(i), deps(g.clock, nil).Client(basicRequest(home, ""))), now)
	}
	if n := g.users.tries.until.Len(); n != throttleKept {
		t.Errorf("%d are kept, want %d", n, throttleKept)
	}
}

// What passes was the user's, and is UTF-8 without control characters.
func FuzzParseBasic(f *testing.F) {
	f.Add("Basic YWxpY2U6eA==")
	f.Add("basic  Og==")
	f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte("a:b:\x7f")))
	f.Fuzz(func(t *testing.T, line string) {
		user, password, ok := parseBasic(line)
		if !ok {
			return
		}
		again := base64.StdEncoding.EncodeToString([]byte(user + ":" + string(password)))
		if !isUser(user) || len(password) > maxPassword || !strings.HasSuffix(line, " "+again) || strings.ContainsAny(string(password), "\r\n\x00") {
			t.Fatalf("%q is %q, %q", line, user, password)
		}
	})
}
