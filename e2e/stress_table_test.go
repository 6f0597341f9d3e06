package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// table is what a run came to, for people.
func (v *verdict) table(title string) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				_, _ = fmt.Fprint(out, "\t")
			}
			_, _ = fmt.Fprint(out, c)
		}
		_, _ = fmt.Fprintln(out)
	}
	line("refresh stress, " + title)
	for _, what := range slices.Sorted(maps.Keys(v.people.counts)) {
		line("answers", what, v.people.counts[what])
	}
	for _, what := range slices.Sorted(maps.Keys(v.people.fleet.struck)) {
		line("replicas", what, v.people.fleet.struck[what])
	}
	asked, granted := v.refreshes()
	line("refreshes", "sent by replicas", len(v.book.sends))
	line("refreshes", "seen by the provider", asked)
	line("refreshes", "granted", granted)
	_ = out.Flush()
	line("\nwhat befell refreshes", "how many", "token repeated", "session lost")
	injected, lost := v.faults(), v.lostBy()
	for _, what := range slices.Sorted(maps.Keys(injected)) {
		line(what, injected[what], v.repeats[what], lost[what])
	}
	_ = out.Flush()
	line(fmt.Sprintf("\nrepeats of a refresh token: %d, of at most %d answers lost and refreshes interrupted (%d refused as used already); others: %d", v.sum(v.repeats), v.mayRepeat(), v.reuses, v.other))
	line(fmt.Sprintf("refreshed again within a second: %d; 503 although nothing befell the session: %d", v.early, v.idle))
	line(fmt.Sprintf("access tokens that reached the upstream: %d, in another's name: %d", v.reached(), v.strange))
	line(fmt.Sprintf("sessions: %d, lost: %d", v.lives(), len(v.lost)))
	for _, sub := range slices.Sorted(maps.Keys(v.lost)) {
		line("  "+sub, v.reasons[sub], v.lost[sub])
	}
	_ = out.Flush()
	return text.String()
}

func (v *verdict) sum(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}

// refreshes is how many reached the provider, and how many were granted.
func (v *verdict) refreshes() (asked, granted int) {
	for _, a := range v.asked {
		if a.GrantType == "refresh_token" {
			asked++
			if a.GivenAccess != "" {
				granted++
			}
		}
	}
	return asked, granted
}

// faults counts what befell refreshes.
func (v *verdict) faults() map[string]int {
	all := map[string]int{}
	for _, s := range v.book.sends {
		if why := s.why(); why != "" {
			all[why]++
		}
	}
	return all
}

// mayRepeat is how many refreshes may be followed by one with the same token that the provider sees.
func (v *verdict) mayRepeat() (n int) {
	for _, s := range v.book.sends {
		if s.lost() || s.afterStop {
			n++
		}
	}
	return n
}

// lostBy counts the sessions that were lost, by what befell their refresh.
func (v *verdict) lostBy() map[string]int {
	all := map[string]int{}
	for _, why := range v.lost {
		what, _, _ := strings.Cut(why, " (")
		all[what]++
	}
	return all
}

// reached is how many access tokens the upstream was shown.
func (v *verdict) reached() (n int) {
	for _, bearers := range v.people.bearers {
		n += len(bearers)
	}
	return n
}

func (v *verdict) lives() (n int) {
	for _, who := range v.people.all {
		n += len(who.lives)
	}
	return n
}

// demandThrift fails a run with more than one in a hundred refreshes or answers for nothing. Some are a busy machine's.
func (v *verdict) demandThrift(t *testing.T) {
	t.Helper()
	answers := v.sum(v.people.counts)
	if 100*v.idle > answers {
		t.Errorf("%d of %d answers are 503 although nothing befell the session", v.idle, answers)
	}
	if 100*v.early > len(v.book.sends) {
		t.Errorf("%d of %d refreshes are of what was refreshed within the last second", v.early, len(v.book.sends))
	}
}

// demandFaults fails a run in which nothing went wrong: it shows nothing.
func (v *verdict) demandFaults(t *testing.T) {
	t.Helper()
	for what, n := range map[string]int{
		"answers were lost": v.mayRepeat(), "refresh tokens were repeated": v.sum(v.repeats), "sessions were lost": len(v.lost),
		"refreshes were refused": v.faults()[string(failed)], "replicas were killed": v.people.fleet.struck[killed],
		"replicas were stopped": v.people.fleet.struck[stopped], "refreshes died with a replica": v.faults()[killed],
		"refreshes stood with a replica": v.faults()[stopped],
	} {
		if n == 0 {
			t.Errorf("no %s", what)
		}
	}
}
