package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// Ended stays ended: each way in which a session ends (endings), against whatever may be under way for it (races), in real processes. For every cell of the table:
// once the end was answered, the ticket opens nothing on either replica and Redis has no session; nothing of what was under way brings it back or
// sets a session cookie; by the provider's own log each refresh token was used once; and the next honest sign-in works.
//
//	                                             sign-out  back-channel  one device  all others  expiry
//	a refresh in flight                             x           x             x           x          x
//	slow answers of the upstream                    x           x             x           x          x
//	uploads in progress                             x           x             x           x          x
//	a callback, at its code exchange               new       refused         new         new        new
//	a callback, in its indexes, not yet created    new       refused         new       refused      new
//	two replicas writing                            x           x             x           x          x
//	a replica stopped during its refresh            x           x             x           x          x
//	a replica stopped just before its refresh       x           x             x           x          x
//
// A callback has no session yet, so what can be ended is the one that its browser has already. That stays ended; the callback is the user's newer act and makes a new session,
// unless the end is about it too: the provider's logout always is, and signing out all others is as soon as it is in the user's list. There is no further revocation: the
// admin listener ends no sessions.
//
// The sessions of expiry have short lives of their own, so they have a stack of their own.

// RPL-03, BCL-22: sign-out, the provider's logout and the list of devices.
func TestEndedStaysEnded(t *testing.T) {
	t.Parallel()
	a := newArena(t, stack.Config{})
	a.play([]ending{signOut, backChannel, oneDevice, allOthers})
}

// SES-04: the same for sessions that run out.
func TestExpiredStaysExpired(t *testing.T) {
	t.Parallel()
	a := newArena(t, stack.Config{IdleTimeout: 12 * time.Second, Lifetime: 13 * time.Second})
	a.play([]ending{expiry})
}

// The arena's replicas.
const (
	elsewhere = 0 // where the race's other side runs, if it is to be on another replica
	ender     = 1 // which ends the sessions, and hears of the provider
	frozen    = 2 // which is stopped for a while
)

// attemptTime is how long a call of the stopped replica to the provider takes at most. The others are patient, since tests hold their calls.
const attemptTime = 2 * time.Second

// arena is a stack whose replicas can be held on their way to Redis.
type arena struct {
	*story
	otherWire, stoppedWire *wire
}

func newArena(t *testing.T, times stack.Config) *arena {
	t.Helper()
	otherWire, stoppedWire := newWire(t), newWire(t)
	s := onOwn(t, stack.Options{TTL: map[string]int{"AccessToken": 2}, Configure: func(c *stack.Config) {
		c.IdleTimeout, c.Lifetime = times.IdleTimeout, times.Lifetime
		c.RedisTimeout = 30 * time.Second
		c.Provider = "    timeout: 60s"
		c.Routes = strings.ReplaceAll(stack.UsualRoutes(c.Upstream), "timeout: 10s", "timeout: 60s")
	}})
	a := &arena{s, otherWire, stoppedWire}
	t.Cleanup(a.letGo)
	otherWire.lead(s.Redis.Direct())
	stoppedWire.lead(s.Redis.Direct())
	direct := s.Config.RedisURL
	for n := range 3 {
		switch n {
		case elsewhere:
			s.Config.RedisURL = "redis://" + a.otherWire.address + "/0"
		case ender:
			s.Config.RedisURL = direct
		case frozen:
			s.Config.RedisURL = "redis://" + a.stoppedWire.address + "/0"
			s.Config.Provider = fmt.Sprintf("    timeout: %v", attemptTime)
		}
		_, err := s.StartReplica(s.ctx)
		s.check(err)
	}
	s.check(s.Ready(s.ctx))
	s.Switch.Use(s.Replicas[ender].Address)
	for n := range s.Replicas {
		s.trusted(n, 1)
	}
	return a
}

// letGo ends every hold, so that the stack can end.
func (a *arena) letGo() {
	a.otherWire.clear()
	a.stoppedWire.clear()
	_ = a.Provider.Mend(a.ctx)
	if len(a.Replicas) > frozen {
		_ = a.Replicas[frozen].Signal(syscall.SIGCONT)
	}
}

// cell is one ending against one race: a session of a user of its own.
type cell struct {
	*arena
	ending ending
	race   race

	name, sub     string
	owner, friend *browse.Browser // friend is another device of the same user
	thief         *browse.Browser // has the ticket, and keeps it
	ticket, id    string
	refresh       string    // thumbprint of its refresh token
	atOnce, after func()    // what the race's other side does right after the end, and then
	since, ended  time.Time // when the end began, and when it was answered
}

func (c *cell) key() string { return "cloakroom:s:{" + c.id + "}" }

// play goes through the table. Everything that is under way is so at the same time.
func (a *arena) play(endings []ending) {
	var cells []*cell
	for _, r := range races { // those with short tokens first
		for _, e := range endings {
			cells = append(cells, &cell{arena: a, ending: e, race: r, name: e.name + " against " + r.name})
		}
	}
	short := true
	for n, c := range cells {
		if short && !c.race.due {
			short = false
			a.check(a.Provider.SetTTL(a.ctx, "AccessToken", 300))
		}
		c.enter(fmt.Sprintf("racer-%d", n))
	}
	a.check(a.Provider.SetTTL(a.ctx, "AccessToken", 300))
	for _, c := range cells {
		if c.race.due {
			c.untilDue()
		}
	}
	a.eachOf(cells, together, (*cell).begin)
	asleep := a.stopInTheMiddle(cells)
	a.eachOf(cells, alone, func(c *cell) { c.begin(); c.end(); c.after() })
	a.eachOf(cells, together, (*cell).end)
	a.eachOf(cells, stops, (*cell).end)
	a.eachOf(cells, together, func(c *cell) { c.after() })
	a.check(asleep.Signal(syscall.SIGCONT))
	a.eachOf(cells, stops, func(c *cell) { c.after(); c.over(frozen) })
	a.check(asleep.Stop(a.ctx)) // waits for whatever it still has to write
	for _, c := range cells {
		a.Run(c.name, func(t *testing.T) {
			c.on(t).over(elsewhere, ender)
			c.nextSignIn()
		})
	}
	a.usedOnce()
}

func stops(c *cell) bool    { return c.race.stops }
func alone(c *cell) bool    { return c.race.alone }
func together(c *cell) bool { return !stops(c) && !alone(c) }

// eachOf runs a step for some of the cells.
func (a *arena) eachOf(cells []*cell, which func(*cell) bool, step func(*cell)) {
	for _, c := range cells {
		if which(c) {
			step(c)
		}
	}
}

// on returns the cell with its complaints going to t.
func (c *cell) on(t *testing.T) *cell {
	c.arena = &arena{&story{t, c.Stack, c.ctx}, c.otherWire, c.stoppedWire}
	return c
}

// enter signs the user in, and on another device if the ending needs one.
func (c *cell) enter(sub string) {
	c.Helper()
	c.sub, c.owner = sub, c.signedIn(sub)
	c.ticket = c.owner.Ticket()
	sum := sha256.Sum256([]byte(c.ticket))
	c.id = base64.RawURLEncoding.EncodeToString(sum[:])
	c.thief = c.story.thief(c.owner)
	codes, err := c.Provider.Asked(c.ctx, "/token", "authorization_code")
	c.check(err)
	c.refresh = codes[len(codes)-1].GivenRefresh
	if c.ending.byFriend {
		c.friend = c.signedIn(sub)
	}
}

// untilDue waits until the access token has expired.
func (c *cell) untilDue() {
	c.Helper()
	codes, err := c.Provider.Asked(c.ctx, "/token", "authorization_code")
	c.check(err)
	for _, asked := range codes {
		if asked.GivenRefresh == c.refresh {
			c.wait(time.UnixMilli(asked.ExpiresAt))
			return
		}
	}
	c.Fatalf("%s: the provider has not heard of its sign-in", c.name)
}

// wait waits for a known moment.
func (c *cell) wait(until time.Time) {
	c.Helper()
	select {
	case <-time.After(time.Until(until)):
	case <-c.ctx.Done():
		c.Fatalf("%s: %v does not come within the test's time", c.name, until)
	}
}

func (c *cell) begin() {
	c.Helper()
	c.alive()
	c.after = c.race.begin(c)
}

// end ends the session, and sees that it is over at once.
func (c *cell) end() {
	c.Helper()
	c.since = time.Now()
	c.ending.end(c)
	c.ended = time.Now()
	if c.atOnce != nil {
		c.atOnce()
	}
	c.over(elsewhere, ender)
}

// alive demands that the session is there: a race against what is over already would show nothing.
func (c *cell) alive() {
	c.Helper()
	n, err := c.Redis.Client.Exists(c.ctx, c.key()).Result()
	c.check(err)
	if n != 1 {
		c.Fatalf("%s: the session was over before its race began", c.name)
	}
}

// over demands that the session is in no Redis, and that the ticket opens nothing: at once where it was ended, elsewhere within staleness, and from then on.
func (c *cell) over(replicas ...int) {
	c.Helper()
	const staleness = 2 * time.Second // its default
	n, err := c.Redis.Client.Exists(c.ctx, c.key()).Result()
	c.check(err)
	if n != 0 {
		c.Errorf("%s: the session is back in Redis", c.name)
	}
	for _, n := range replicas {
		view := c.at(c.thief, n)
		for status := 0; status != 401; {
			asked := time.Now()
			a, err := view.Fetch(c.ctx, "GET", "/api/json", "")
			c.check(err)
			if status = a.Status; status != 401 && (status != 200 || n == ender || asked.Sub(c.ended) > staleness) {
				c.Errorf("%s: %v after the end replica %d answers %d%s", c.name, asked.Sub(c.ended), n+1, status, c.brief(a))
				break
			}
			c.noSession(a)
		}
	}
}

// noSession demands that an answer gives the browser no session.
func (c *cell) noSession(a *browse.Answer) {
	c.Helper()
	for _, line := range a.Header.Values("Set-Cookie") {
		if name, _, _ := strings.Cut(line, "="); name == browse.SessionCookie {
			c.Errorf("%s: %s with %d sets or clears the session cookie", c.name, a.URL.Path, a.Status)
		}
	}
}

// nextSignIn demands that the user gets in again, with a new ticket; the old one stays void.
func (c *cell) nextSignIn() {
	c.Helper()
	again := c.at(c.owner, ender)
	_, err := again.SignIn(c.ctx, c.sub, "/public/x")
	c.check(err)
	if t := again.Ticket(); t == "" || t == c.ticket {
		c.Errorf("%s: the next sign-in gives ticket %t, new %t", c.name, t != "", t != c.ticket)
	}
	for _, n := range []int{elsewhere, ender} {
		c.get(c.at(c.owner, n), "/api/json", 200)
	}
	c.over(elsewhere, ender)
}

// stopInTheMiddle stops a replica in the middle of its refreshes, and has another one do them.
func (a *arena) stopInTheMiddle(cells []*cell) *stack.Replica {
	a.Helper()
	asleep := a.Replicas[frozen]
	a.eachOf(cells, stops, (*cell).begin)
	a.check(asleep.Signal(syscall.SIGSTOP))
	over := time.Now().Add(attemptTime)
	a.eachOf(cells, stops, func(c *cell) {
		c.wait(over)
		n, err := c.Redis.Client.Del(c.ctx, "cloakroom:l:{"+c.id+"}").Result() // as time does ten seconds later
		c.check(err)
		if n != 1 {
			c.Errorf("%s: the stopped replica did not have the lock", c.name)
		}
		c.get(c.at(c.thief, ender), "/api/json", 200)
	})
	return asleep
}

// usedOnce demands that the provider saw each refresh token once, but for calls that it did not take up.
func (a *arena) usedOnce() {
	a.Helper()
	uses := map[string]int{}
	for _, r := range a.refreshes() {
		if r.Status != 503 {
			uses[r.Refresh]++
		}
	}
	for token, n := range uses {
		if n != 1 {
			a.Errorf("refresh token %s was used %d times", token, n)
		}
	}
	a.noReuse()
}

// turnout is an answer that somebody waits for.
type turnout struct {
	*browse.Answer
	err error
	at  time.Time
}

// ask sends the thief's request and does not wait.
func (c *cell) ask(n int, path string) <-chan turnout {
	view, got := c.at(c.thief, n), make(chan turnout, 1)
	go func() {
		a, err := view.Fetch(c.ctx, "GET", path, "")
		got <- turnout{a, err, time.Now()}
	}()
	return got
}

// heard waits for what a gate lets know.
func heard[T any](c *cell, what string, ch <-chan T) (v T) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, 30*time.Second)
	defer cancel()
	select {
	case v = <-ch:
	case <-ctx.Done():
		c.Fatalf("%s: waited in vain for %s", c.name, what)
	}
	return v
}
