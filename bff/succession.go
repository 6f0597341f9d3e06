package bff

import (
	"net/http"

	"cloakroom/bff/edge"
	"cloakroom/bff/policy"
	"cloakroom/session"
)

// Succession: a sign-in in a browser that has a session already.
//
// If the same user goes on, nothing is revoked: neither the tokens of the session that ends, nor those of a sign-in that came to nothing while the session goes on. At many
// providers, all that a browser is granted while the user is signed in there is one grant, and to revoke any token of it ends all (RFC 7009, section 2.1, allows it). The session
// that goes on would end at its next refresh. What is left alone is out of everybody's reach, and runs out at the provider.
//
// If another user comes, the first one's tokens are revoked, and the browser forgets what the app has kept of the first one, as at a sign-out.

// predecessor is a session that a sign-in ends, and its user, as pseudonym returns it; empty: not known.
type predecessor struct {
	id  session.ID
	who string
}

type predecessors []predecessor

// predecessors are the sessions that a sign-in ends: the one that the browser had when it began, and the one that it has now, if another tab was
// faster. A callback from another site has no Strict cookie, so that the other tab's login cookie has to tell.
func (s *site) predecessors(r *http.Request, l login) (all predecessors) {
	all = all.with(l.Replaces, l.Who)
	for _, done := range s.logins.finished(r) {
		all = all.with(done.Replaces, done.Who)
	}
	for _, id := range s.sessions.CookieIDs(r) {
		all = all.with(id, "")
	}
	return all
}

func (p predecessors) with(id session.ID, who string) predecessors {
	if id == "" {
		return p
	}
	for _, known := range p {
		if known.id == id {
			return p
		}
	}
	return append(p, predecessor{id, who})
}

func (p predecessors) ids() (all []session.ID) {
	for _, one := range p {
		all = append(all, one.id)
	}
	return all
}

// endedBy is why the session ends when who signs in.
func (p predecessor) endedBy(who string) string {
	if p.otherThan(who) {
		return "user_changed"
	}
	return "replaced"
}

func (p predecessor) otherThan(who string) bool { return p.who != "" && p.who != who }

// dropTokens revokes the tokens of a sign-in that came to nothing, unless the same user's session may go on.
func (s *site) dropTokens(sess *session.Session, before predecessors) {
	who := pseudonym(sess)
	for _, p := range before {
		if !p.otherThan(who) {
			return
		}
	}
	s.revoker.add(sess)
}

// arrival is where a sign-in ends. Where another user than before has come, the browser forgets what the app has kept of that one. A step-up belongs to something that the first user
// was about to do: nobody else is led there.
func arrival(w http.ResponseWriter, l login, before predecessors, who string) string {
	for _, p := range before {
		if !p.otherThan(who) {
			continue
		}
		w.Header().Set("Clear-Site-Data", forgetAll)
		if l.SignIn.ACRValues != "" || l.SignIn.MaxAge != nil {
			return "/"
		}
	}
	return l.ReturnTo
}

// forgetAll makes a browser forget what the app has kept, but for cookies.
const forgetAll = `"cache", "storage"`

// pseudonym is a session's user as login cookies know it.
func pseudonym(s *session.Session) string { return edge.Pseudonym(s.Issuer, s.Subject) }

// whoIs is the user of the session that a request brings; empty if nobody knows.
func (s *site) whoIs(r *http.Request) string {
	sess, err := s.sessions.Peek(r)
	if err != nil {
		return "" // a sign-in needs no session
	}
	return pseudonym(sess)
}

// again is where the same sign-in starts anew.
func (l login) again() string { return signInURL(l.ReturnTo, l.Provider, l.needs()) }

// needs is what the sign-in must bring; nil: any will do.
func (l login) needs() *policy.StepUp { return stepUpOf(l.SignIn) }

// wayBack leads from a sign-in that came to nothing to where it began, if that is a page of the app. A route's page might lead straight back to the provider.
func (s *site) wayBack(l login) edge.Link {
	back := edge.Link{URL: "/", Label: "Back to the app"}
	if s.isFile(l.ReturnTo) {
		back.URL = l.ReturnTo
	}
	return back
}
