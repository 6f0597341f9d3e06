package limit

import (
	"context"
	"sync"
)

// remembers refuses what this process knows to be refused. The point in time of a limit never moves back, so that what was refused for so long is refused for so
// long, whatever others do: a flood costs the store one call a second.
func (s *Set) remembers(v *Verdict, sub *subjects, since int64) bool {
	for i := range s.rules {
		r := &s.rules[i]
		if !sub.counted.has(i) || r.concurrent > 0 || r.report {
			continue
		}
		if wait := s.limiter.memory.denied(sub.ids[i], since); wait > 0 {
			v.learn(i, r.quota.capacity-r.quota.interval+wait)
			v.refuse(i, ReasonRate, wait)
		}
	}
	return !v.Allow
}

// remember notes who has used a limit up.
func (s *Set) remember(v *Verdict, sub *subjects) {
	for i := range s.rules {
		r := &s.rules[i]
		if r.concurrent > 0 || r.report || !v.known.has(i) {
			continue
		}
		if wait := s.quota(v, i).wait(v.ahead[i]); wait > 0 {
			s.limiter.memory.deny(sub.ids[i], wait)
		}
	}
}

// quota is what counted for a rule.
func (s *Set) quota(v *Verdict, i int) quota {
	if v.local.has(i) {
		return s.rules[i].part
	}
	return s.rules[i].quota
}

// enter takes a request's places where only so many may be under way. The function gives them back; it does that once.
func (s *Set) enter(v *Verdict, sub *subjects) (leave func()) {
	full, entered, left := s.limiter.memory.enter(s.rules, sub)
	if full|entered == 0 {
		return nothing
	}
	for i := range s.rules {
		r := &s.rules[i]
		if r.concurrent == 0 || !sub.counted.has(i) {
			continue
		}
		v.learn(i, max(0, left[i]))
		if full.has(i) {
			v.refuseOrReport(i, ReasonConcurrent, 0)
		}
	}
	if entered == 0 {
		return nothing
	}
	return s.limiter.memory.leaving(sub.ids, entered)
}

// leaving gives places back, once.
func (m *memory) leaving(ids [most]id, entered mask) func() {
	return sync.OnceFunc(func() { m.leave(&ids, entered) })
}

// count counts a request against the rates, in the store or in memory.
func (s *Set) count(ctx context.Context, v *Verdict, sub *subjects) {
	own := sub.counted
	if s.limiter.deps.Run != nil {
		own = s.ask(ctx, v, sub)
		if !v.Allow {
			return // so it counts in as few places as possible
		}
	}
	which := mask(0)
	for i := range s.rules {
		if own.has(i) && s.rules[i].concurrent == 0 {
			which |= 1 << i
		}
	}
	if which == 0 {
		return
	}
	refused, ahead := s.limiter.memory.take(s.rules, which, sub)
	v.local |= which
	s.judge(v, which, refused, &ahead)
}

// judge takes over what was counted somewhere.
func (s *Set) judge(v *Verdict, which, refused mask, ahead *[most]int64) {
	for i := range s.rules {
		if !which.has(i) {
			continue
		}
		v.learn(i, ahead[i])
		if refused.has(i) {
			v.refuseOrReport(i, ReasonRate, s.quota(v, i).wait(ahead[i]))
		}
	}
}

// ask counts in the store. It answers which rules are to be counted in memory, since the store does not answer.
func (s *Set) ask(ctx context.Context, v *Verdict, sub *subjects) (local mask) {
	var down mask
	for _, a := range s.calls(ctx, sub) {
		if a.err != nil {
			v.Err = a.err
			down |= a.which
			continue
		}
		s.judge(v, a.which, a.refused, &a.ahead)
	}
	for i := range s.rules {
		r := &s.rules[i]
		switch {
		case !down.has(i), r.outage == outageOpen: // as configured: nothing is known, and it counts for nothing
		case r.outage == outageClosed && !r.report:
			v.Unavailable = v.Unavailable || v.Allow // a refusal for another reason says more
			v.refuse(i, ReasonOutage, 0)
		case r.outage == outageLocal:
			local |= 1 << i
		}
	}
	return local
}

// calls asks the store, all slots at the same time.
func (s *Set) calls(ctx context.Context, sub *subjects) []answer {
	answers := make([]answer, len(s.groups))
	var all sync.WaitGroup
	for n, group := range s.groups {
		if group &= sub.counted; group == 0 {
			continue
		}
		if n == len(s.groups)-1 { // usually the only one
			answers[n] = s.call(ctx, group, sub)
			continue
		}
		copied := *sub
		all.Go(func() { answers[n] = s.call(ctx, group, &copied) })
	}
	all.Wait()
	return answers
}
