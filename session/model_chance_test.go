package session_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"cloakroom/session"
)

// Longer stories than can be searched through: chance decides, by a seed.

// wanderer is the scheduler that throws dice.
type wanderer struct {
	*world
	dice *rand.Rand
	may  allowance
}

// wander plays the story of a seed, and returns what broke, with the story, or "".
func wander(t *testing.T, st session.Store, set setting, seed uint64, steps int) (failure string, w *world) {
	cryptotest.SetGlobalRandom(t, seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	set.throw(dice, st == nil)
	if set.fickle != nil {
		st = set.fickle
		defer st.Close()
	}
	w = newWorld(t, st, set)
	defer w.close()
	c := &wanderer{world: w, dice: dice, may: allowance{short: 20}}
	if dice.IntN(4) > 0 { // else nothing goes wrong, and everything must work
		c.may = allowance{
			crashes: dice.IntN(3), losses: dice.IntN(5), late: dice.IntN(5), unsent: dice.IntN(3), short: 20, long: dice.IntN(4),
			deaf: dice.IntN(5), failovers: max(0, dice.IntN(5)-2),
		}
	}
	for range steps {
		if w.failure == "" {
			c.step()
		}
	}
	if w.failure == "" {
		w.heal()
	}
	if w.failure != "" {
		return w.failure + "\n" + w.story(), w
	}
	return "", w
}

// throw makes a setting by dice. Only a store of our own has times that it judges by the model's clock, and can lose what it acknowledged.
func (s *setting) throw(dice *rand.Rand, own bool) {
	s.processes = 2 + dice.IntN(2)
	if dice.IntN(2) == 0 {
		s.staleness = []time.Duration{4 * time.Second, 10 * time.Second}[dice.IntN(2)]
	}
	if dice.IntN(2) == 0 {
		for range s.processes {
			s.skews = append(s.skews, time.Duration(dice.Int64N(int64(2*maxSkew)))-maxSkew)
		}
	}
	if !own {
		return
	}
	s.fickle = newFickle(dice.IntN(3) > 0)
	if dice.IntN(2) == 0 {
		s.limit, s.refuse = 1+dice.IntN(2), dice.IntN(2) == 0
	}
}

// step takes one choice, by weight.
func (c *wanderer) step() {
	all := slices.Concat(c.choices(&c.may), c.hearings(), c.more())
	sum := 0
	for _, x := range all {
		sum += x.weight
	}
	at := c.dice.IntN(sum)
	for _, x := range all {
		if at -= x.weight; at < 0 {
			c.take(x)
			return
		}
	}
}

// more is what happens beside messages: people want something, or give up; processes stop, go on and are replaced; hours pass.
func (c *wanderer) more() (all []choice) {
	under := 0
	for _, o := range c.ops {
		if !o.done && !o.p.dead {
			under++
			if c.may.losses > 0 && o.about != nil {
				all = append(all, choice{o.p.name + ": " + o.name + " hangs up", 10, func() { o.p.faults++; o.hangUp() }, false})
			}
		}
	}
	for _, p := range c.processes {
		switch {
		case p.dead:
			continue
		case p.frozen:
			all = append(all, choice{p.name + " goes on", 80, func() { p.faults++; c.thaw(p) }, false})
			continue
		case c.may.long > 0:
			all = append(all, choice{p.name + " stops", 10, func() { c.may.long--; c.stop(p) }, false})
		}
		if under < 4 {
			all = append(all, c.wishes(p)...)
		}
	}
	if !slices.ContainsFunc(c.processes, func(p *process) bool { return !p.dead }) {
		all = append(all, choice{"another process starts", 1000, func() { c.start() }, false})
	}
	if under == 0 {
		all = append(all, c.hours()...)
	}
	return slices.Concat(all, c.deafness(&c.may), c.failovers())
}

// stop stops a process, as SIGSTOP would: what it sent may be answered when nobody waits any more.
func (w *world) stop(p *process) {
	p.frozen = true
	p.faults++
	for _, m := range w.parked {
		if m.from == p {
			w.fault(m)
		}
	}
}

// thaw lets a process go on. What was said meanwhile it hears now, if it is not slow.
func (w *world) thaw(p *process) {
	p.frozen = false
	if p.ear != nil && !p.ear.slow {
		p.ear.catchUp()
	}
}

// hours lets time pass while nothing is under way. What is on its way for so long does not arrive any more.
func (c *wanderer) hours() (all []choice) {
	for _, d := range []time.Duration{time.Second, 11 * time.Second, 4*time.Minute + 45*time.Second, 4*time.Minute + 58*time.Second, 5 * time.Minute, 11 * time.Minute, 31 * time.Minute} {
		weight := 100
		if c.set.staleness > 0 && d > 5*time.Minute { // each second has a ping
			weight = 10
		}
		all = append(all, choice{d.String() + " pass", weight, func() {
			c.sleep(d, false)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.parked = slices.DeleteFunc(c.parked, func(m *message) bool { return m.left })
		}, true})
	}
	return all
}

// wishes are the ops that somebody may want of p.
func (c *wanderer) wishes(p *process) (all []choice) {
	wish := func(weight int, o *op) {
		o.p = p
		c.named(o)
		all = append(all, choice{p.name + " is asked: " + o.String(), weight, func() {
			c.ops = append(c.ops, o)
			c.begin(o)
		}, false})
	}
	if len(c.visitors) < 4+c.set.limit {
		user, sid := c.somebody()
		v := &visitor{
			name: fmt.Sprint("s", len(c.visitors)+1), user: user, sid: sid,
			issued: time.Now().Add(-time.Duration(c.dice.IntN(3)) * time.Second),
		}
		all = append(all, choice{p.name + " is asked: sign-in " + v.name, 150, func() {
			c.visitors = append(c.visitors, v)
			c.families[v.name] = &family{}
			o := &op{kind: "start", p: p, starts: v}
			c.named(o)
			c.ops = append(c.ops, o)
			c.begin(o)
		}, false})
	}
	for _, v := range c.visitors {
		if v.request == nil {
			continue
		}
		weight := 1
		if v.ended || v.gone {
			weight = 5 // its readers are of interest still
		}
		all = append(all, choice{"the provider revokes " + v.name, 2, func() { c.revoke(v) }, false})
		wish(120/weight, &op{kind: "request", about: v})
		wish(20/weight, &op{kind: "retry", about: v})
		wish(20/weight, &op{kind: "keepalive", about: v})
		wish(12/weight, &op{kind: "logout", about: v})
		wish(5/weight, &op{kind: "end", about: v})
	}
	user, sid := c.somebody()
	for _, e := range []ending{{user: user}, {sid: sid}, {user: user, sid: sid}} {
		e.issued = time.Now().Add(-time.Duration(c.dice.IntN(4)) * time.Second)
		wish(10, &op{kind: "backchannel", end: &e})
	}
	return all
}

// somebody is a user and one of their sessions at the provider.
func (c *wanderer) somebody() (user, sid string) {
	user = []string{"alice", "bob"}[c.dice.IntN(2)]
	return user, fmt.Sprint(user, "'s ", c.dice.IntN(2))
}
