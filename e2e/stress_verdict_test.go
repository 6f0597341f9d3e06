package e2e

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cloakroom/e2e/stack"
)

// verdict compares what the provider wrote down, what front did, what the replicas logged and what people saw.
type verdict struct {
	book   *book
	people *people
	asked  []stack.Asked // the provider's own log: sign-ins and refreshes
	logs   *logs

	repeats map[string]int    // by what befell the refresh before
	reuses  int               // refused by the provider as used already
	other   int               // repeats that nothing excuses
	strange int               // access tokens that reached the upstream in another's name
	idle    int               // 503 although nothing befell the session
	early   int               // refreshes of what had just been refreshed
	lost    map[string]string // sub → what befell its refresh
	reasons map[string]string // sub → the replicas' reason
	wrong   []string
}

func (v *verdict) note(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// judge is the whole verdict.
func (v *verdict) judge() {
	v.repeats, v.lost, v.reasons = map[string]int{}, map[string]string{}, map[string]string{}
	v.wrong = append(v.wrong, v.people.problems...)
	v.judgeGrants()
	for _, who := range v.people.all {
		for _, l := range who.lives {
			v.logs.admit(v.book.families[l.sub], l.id())
		}
	}
	for _, f := range v.book.families {
		v.judgeFamily(f)
	}
	for _, who := range v.people.all {
		for _, l := range who.lives {
			v.judgeLife(l)
		}
	}
}

// judgeGrants reads the provider's log: whose the access tokens are that the upstream saw, and that all refreshes went through front.
func (v *verdict) judgeGrants() {
	whose, uses := map[string]string{}, map[string]int{}
	for _, a := range v.asked {
		if a.GivenAccess != "" {
			whose[a.GivenAccess] = a.Sub
		}
		if a.GrantType == "refresh_token" {
			uses[a.Refresh]++
		}
		if a.Detail == "refresh token already used" {
			v.reuses++
		}
	}
	for sub, bearers := range v.people.bearers {
		for bearer := range bearers {
			if whose[bearer] != sub {
				v.strange++
				v.note("%s reached the upstream as %q", sub, whose[bearer])
			}
		}
	}
	for _, s := range v.book.sends {
		if s.asked {
			uses[s.token]--
		}
	}
	for token, n := range uses {
		if n != 0 {
			v.note("refresh token %s: the provider was asked %+d times more often than by front", token, n)
		}
	}
}

// judgeFamily demands a reason for each repeat of a refresh token.
func (v *verdict) judgeFamily(f *family) {
	byToken := map[string][]*send{}
	for i, s := range f.sends {
		byToken[s.token] = append(byToken[s.token], s)
		if i > 0 && f.sends[i-1].given == s.token && s.at.Sub(f.sends[i-1].at) < time.Second {
			v.early++
		}
		if !s.gone.IsZero() && s.why() == "" {
			v.note("%s: %s hung up at refresh %d although it had time", f.sub, s.by, s.n)
		}
	}
	for _, sends := range byToken {
		var before *send // that the provider saw
		unknown := 0
		for _, s := range sends {
			if s.unknown() && !s.afterStop {
				unknown++
			}
			if !s.asked {
				continue
			}
			switch {
			case before == nil:
			case before.lost():
				v.repeats[before.why()]++
			case s.afterStop:
				v.repeats[stopped]++
			default:
				v.other++
				v.note("%s: %s repeats a refresh token at refresh %d, although nothing befell refresh %d (%s)", f.sub, s.by, s.n, before.n, before.by)
			}
			before = s
		}
		if unknown > 2 {
			v.note("%s: a refresh token was sent %d times with an unknown outcome", f.sub, unknown)
		}
	}
}

// shadow is how long after a fault its session may see a 503: a lock that nobody frees, a pause, a repeat, and a slow machine.
const shadow = 40 * time.Second

// judgeOutages counts the answers 503 that nothing explains.
func (v *verdict) judgeOutages(l *life) {
	for _, at := range l.outages {
		near := func(t time.Time) bool { return t.After(at.Add(-shadow)) && t.Before(at.Add(shadow)) }
		explained := slices.ContainsFunc(l.troubled, near)
		if f := v.book.families[l.sub]; f != nil && !explained {
			explained = slices.ContainsFunc(f.sends, func(s *send) bool { return s.why() != "" && s.fault != slow && near(s.at) })
		}
		if !explained {
			v.idle++
		}
	}
}

// story is what is known of a session, for who has to find out why the verdict is bad.
func (v *verdict) story(l *life) string {
	var text strings.Builder
	if f := v.book.families[l.sub]; f != nil {
		for _, s := range f.sends {
			fmt.Fprintf(&text, "\n    %s refresh %d, token %s, %s: %q, provider asked %t, refused %t, replica gone %t",
				s.at.UTC().Format("15:04:05.000"), s.n, s.token, s.by, s.why(), s.asked, s.refused, !s.gone.IsZero())
		}
	}
	for _, line := range v.logs.events[l.id()] {
		text.WriteString("\n    " + line)
	}
	return text.String()
}

// fatal are the refreshes that may have cost a family its session.
func fatal(f *family) (all []*send) {
	if f == nil || len(f.sends) == 0 {
		return nil
	}
	last := f.sends[len(f.sends)-1].token
	for _, s := range f.sends {
		if s.token == last && (s.unknown() || s.lost()) { // nobody knows what became of the last token
			all = append(all, s)
		}
	}
	for _, s := range slices.Backward(f.sends) {
		if s.token != last && s.comesLate() { // one before was repeated, and then it came after all
			return append(all, s)
		}
	}
	return all
}

// judgeLife demands that a session that was lost was lost by a fault, with the reason that belongs to it, and that no other has ended.
func (v *verdict) judgeLife(l *life) {
	v.judgeOutages(l)
	reason := strings.Join(v.logs.ends[l.id()], ", ")
	if l.ended().IsZero() {
		if reason != "" {
			v.note("%s: the replicas say that it ended (%s), and it is served", l.sub, reason)
		}
		return
	}
	all := fatal(v.book.families[l.sub])
	if len(all) == 0 {
		v.note("%s is lost (%q) although nothing befell its refreshes%s", l.sub, reason, v.story(l))
		return
	}
	var why, may []string
	for _, s := range all {
		why = append(why, fmt.Sprintf("%s (refresh %d, %s)", s.why(), s.n, s.by))
		may = append(may, s.reasons()...)
	}
	v.lost[l.sub] = strings.Join(why, ", ")
	switch {
	case reason == "" && v.people.fleet.struck[killed] > 0:
		reason = "not logged: who ended it was killed"
	case !slices.Contains(may, reason):
		v.note("%s ended with reason %q after %s%s", l.sub, reason, v.lost[l.sub], v.story(l))
	}
	v.reasons[l.sub] = reason
}

// comesLate tells whether the provider may see a token again after it was repeated, and revoke what the repeat brought.
func (s *send) comesLate() bool { return s.fault == late || s.struck == stopped || s.afterStop }

// reasons are those with which a session may end after this refresh.
func (s *send) reasons() []string {
	if s.fault == hidden || s.comesLate() { // hidden is no attempt of unknown outcome, unless it cannot be taken back
		return []string{"refresh_interrupted", "invalid_grant"}
	}
	return []string{"refresh_interrupted"}
}
