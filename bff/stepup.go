package bff

import (
	"net/http"
	"strings"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/bff/policy"
	"cloakroom/bff/provider"
	"cloakroom/session"
)

// A step-up is a sign-in of a user who is signed in already, in the way that a rule or an upstream asks for (RFC 9470). Until it has succeeded nothing changes for the
// session; then a new one takes its place, with a new ticket (SES-03).

// signInHelps is a problem that a navigation is spared: it is sent to sign in.
type signInHelps struct {
	*edge.Problem
	site     *site          // whose; nil where a site deals with it itself
	provider string         // where; empty: the default one
	needs    *policy.StepUp // what the sign-in must bring; nil: any will do
}

// Unwrap is the problem.
func (e signInHelps) Unwrap() error { return e.Problem }

// furtherSignIn tells a script where its user signs in again in the way that is asked for, which is where the session is from: the default provider may know the user by another name, or
// not at all. The script adds its own return_to.
func furtherSignIn(needs policy.StepUp, sess *session.Session, usual string) signInHelps {
	help := signInHelps{needs: &needs}
	if sess != nil && sess.Provider != usual {
		help.provider = sess.Provider
	}
	help.Problem = &edge.Problem{Code: "step_up", Login: signInURL("", help.provider, &needs)}
	return help
}

// stepUp is the answer to a user who must sign in again: where, or, if that is what has just been done, that it does not help.
func (s *site) stepUp(r *http.Request, sess *session.Session, help signInHelps) error {
	if help.needs != nil && s.inVain(r, sess, *help.needs) {
		edge.From(r.Context()).Reason = "step_up_in_vain"
		return s.notThisUser(r, "step_up_in_vain", nil)
	}
	help.site = s
	return help
}

// inVain reports whether the browser's last sign-in was asked for as much, a moment ago, and brought this very session: the provider does not keep to max_age, or its clock
// goes differently. Another round would bring the same, by itself and for ever.
func (s *site) inVain(r *http.Request, sess *session.Session, needs policy.StepUp) bool {
	for _, done := range s.logins.finished(r) {
		if done.Replaces == sess.ID() && done.askedFor(needs) && needs.Recent(sess.Created, s.now()) {
			return true
		}
	}
	return false
}

// challenged judges what an upstream wants of its user. The answer is the way to sign in, where that would help. Where the user has signed in in that way
// already, and the upstream still says no, another sign-in would be the beginning of a loop.
func (s *site) challenged(r *http.Request, v visitor) func([]string) error {
	return func(challenges []string) error {
		needs, ok := policy.ParseChallenge(challenges)
		if !ok {
			return nil
		}
		rec := edge.From(r.Context())
		if !policy.NeedsAgain(needs, v.subject(), s.now()) {
			rec.Reason = "step_up_in_vain"
			return s.notThisUser(r, "step_up_in_vain", nil)
		}
		rec.Reason = "step_up_by_upstream"
		return s.stepUp(r, v.sess, furtherSignIn(needs, v.sess, s.defaultProvider))
	}
}

// notThisUser is a refusal that is about who is signed in. A page offers to be somebody else, and a way out.
func (s *site) notThisUser(r *http.Request, code string, err error) error {
	p := &edge.Problem{Code: code, Err: err}
	if !edge.Navigation(r) {
		return p
	}
	target, bad := returnTo(r.URL.RequestURI())
	if bad != "" {
		target = "/"
	}
	p.Action = somebodyElse(target)
	if r.URL.Path != "/" {
		p.Aside = edge.Link{URL: "/", Label: "Back to the start page"}
	}
	return p
}

// somebodyElse leads to a sign-in at which the provider must ask who it is, and back to target.
func somebodyElse(target string) edge.Link {
	return edge.Link{URL: signInURL(target, "", nil) + "&prompt=login", Label: "Sign in as somebody else"}
}

// stepUpOf is what a sign-in was asked to bring; nil: nothing.
func stepUpOf(asked provider.SignIn) *policy.StepUp {
	if asked.ACRValues == "" && asked.MaxAge == nil {
		return nil
	}
	needs := policy.StepUp{ACR: strings.Fields(asked.ACRValues)}
	if asked.MaxAge != nil {
		needs.MaxAge = new(time.Duration(*asked.MaxAge) * time.Second)
	}
	return &needs
}

// askedFor reports whether a sign-in was to bring as much. What it had to do about acr it did, or there would be no session.
func (l login) askedFor(needs policy.StepUp) bool {
	asked, wanted := l.needs(), needs.Query()
	if asked == nil {
		return false
	}
	had := asked.Query()
	return had.Get("acr_values") == wanted.Get("acr_values") && had.Get("max_age") == wanted.Get("max_age")
}
