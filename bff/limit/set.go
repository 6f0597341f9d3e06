package limit

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// Set counts the requests of one route, or of one endpoint. The zero Set, and a nil one, allow everything.
type Set struct {
	limiter *Limiter
	rules   []rule
	groups  []mask // of rules with a rate: each is one call
	policy  string // RateLimit-Policy
}

// mask is a set of rules, by their numbers.
type mask uint8

func (m mask) has(i int) bool { return m&(1<<i) != 0 }

// subjects are what the rules of a set count for one request.
type subjects struct {
	ids     [most]id
	counted mask // others are exempt
	address mask // counted by address
}

// Take counts a request, against all limits or, if one of them refuses it, against none; limits that routes share are counted apart on a cluster.
// done must be called when the request is over, with its stream, best deferred: once or more often, also after a refusal.
func (s *Set) Take(ctx context.Context, who Who) (v Verdict, done func()) {
	v = Verdict{Allow: true, set: s}
	if s == nil || len(s.rules) == 0 {
		return v, nothing
	}
	var sub subjects
	s.identify(who, &sub)
	if s.remembers(&v, &sub, patience) {
		return v, nothing
	}
	if done = s.enter(&v, &sub); v.Allow {
		s.count(ctx, &v, &sub)
		s.remember(&v, &sub)
		if !v.Allow {
			done()
		}
	}
	return v, done
}

// Peek tells, without counting and without asking the store, whether this process knows that the next request would be refused. It may not
// know yet what another one counted.
func (s *Set) Peek(who Who) Verdict {
	v := Verdict{Allow: true, set: s}
	if s == nil || len(s.rules) == 0 {
		return v
	}
	var sub subjects
	s.identify(who, &sub)
	s.remembers(&v, &sub, forever)
	return v
}

// Limits are the limits in words, for those who want to know what holds where.
func (s *Set) Limits() []string {
	if s == nil {
		return nil
	}
	words := make([]string, len(s.rules))
	for i, r := range s.rules {
		words[i] = r.String()
	}
	return words
}

// nothing is done after a request that holds no place.
func nothing() {}

// identify finds out whom or what each rule counts.
func (s *Set) identify(who Who, sub *subjects) {
	for i := range s.rules {
		r := &s.rules[i]
		kind, value := who.counted(r.per)
		if kind == kindAddress {
			if s.limiter.exempts(who.Client) {
				continue
			}
			sub.address |= 1 << i
		}
		sub.counted |= 1 << i
		sub.ids[i] = idOf(r.own, kind, value, who.Client)
	}
}

func (l *Limiter) exempts(a netip.Addr) bool {
	a = plain(a)
	for _, p := range l.exempt {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// add appends a rule, and gives it a name of its own among those that nobody named.
func (s *Set) add(r rule) { s.rules = append(s.rules, r) }

// clash is that a limit counts into the place of another one.
type clash struct {
	at, as int
	what   string
}

// Error says it without the limit's own place.
func (c *clash) Error() string {
	per, span, _ := strings.Cut(c.what, "-")
	if span == "concurrent" {
		return fmt.Sprintf("counts the same as limit[%d], those under way per %s; keep the stricter one", c.as, per)
	}
	return fmt.Sprintf("counts the same as limit[%d], per %s in %s; keep the stricter one, or give one of them another span of time", c.as, per, span)
}

// distinguish refuses limits that would count into the same place, and lengthens names that two limits have.
func (s *Set) distinguish() *clash {
	places, called := map[id]int{}, map[string]int{}
	for i, r := range s.rules {
		if j, ok := places[r.own]; ok {
			return &clash{i, j, r.what}
		}
		places[r.own] = i
		called[r.name]++
	}
	for i := range s.rules {
		if r := &s.rules[i]; called[r.name] > 1 {
			r.name = r.what
		}
	}
	return nil
}

// finish prepares what is the same for every request.
func (s *Set) finish() {
	slots := map[string]int{}
	for i, r := range s.rules {
		if r.concurrent > 0 {
			continue
		}
		slot := ""
		if s.limiter.deps.Cluster {
			slot = r.tag
		}
		at, ok := slots[slot]
		if !ok {
			at = len(s.groups)
			slots[slot] = at
			s.groups = append(s.groups, 0)
		}
		s.groups[at] |= 1 << i
	}
	s.policy = s.policyField()
}
