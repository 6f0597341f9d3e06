package bff

import (
	"net/http"
	"slices"
	"strings"

	"cloakroom/bff/edge"
)

// Something may send a browser to sign in whenever it comes back from there: an app that takes any 401 of its API for a sign-out, an upstream that does not take our tokens
// and redirects. At a provider that knows the user each round takes a moment, and nobody has to do anything for the next. A browser's own bound on redirects does not count,
// since there is a page in each round.

const (
	// maxRounds are the sign-ins that may end on one page, each after the other.
	maxRounds = 4
	// roundsTime is within how many seconds they would be a loop. People are slower.
	roundsTime = 60
)

// rounds are how often a browser has signed in for one page within a short time. It travels in the login cookies.
type rounds struct {
	Count int   `json:"n,omitempty"`
	First int64 `json:"f,omitempty"` // when the first of them began, in seconds since 1970
}

// circles counts l as one more round after those that are done, and reports whether it is one too many. Where the provider must ask, the user is there, and it is none.
func (l *login) circles(done []login) bool {
	l.Rounds = rounds{Count: 1, First: l.SignIn.Started}
	for _, d := range done {
		if samePage(d.ReturnTo, l.ReturnTo) && d.Rounds.Count >= l.Rounds.Count && l.SignIn.Started-d.Rounds.First < roundsTime {
			l.Rounds = rounds{Count: d.Rounds.Count + 1, First: d.Rounds.First}
		}
	}
	return l.Rounds.Count > maxRounds && !slices.Contains(strings.Fields(l.SignIn.Prompt), "login")
}

// samePage compares paths only: what goes round may count its rounds in the query.
func samePage(a, b string) bool {
	path := func(target string) string {
		if i := strings.IndexAny(target, "?#"); i >= 0 {
			return target[:i]
		}
		return target
	}
	return path(a) == path(b)
}

// stopCircling answers a sign-in that is one too many.
func (s *site) stopCircling(r *http.Request, target string) error {
	s.refused(r, "sign_in_loop", nil)
	return &edge.Problem{Code: "sign_in_loop", Action: somebodyElse(target), Aside: edge.Link{URL: logoutPath, Label: "Sign out"}}
}
