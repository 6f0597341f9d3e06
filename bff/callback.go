package bff

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"cloakroom/bff/edge"
	"cloakroom/bff/provider"
	"cloakroom/session"
)

// callback answers GET /bff/callback, where the provider sends the browser back: it spends the code, starts the session and moves on
// to the page where the sign-in began.
//
// Its order is what keeps it safe: the login cookie proves that this browser began the sign-in, the store gives the state
// to one request alone, and only then the code is spent, once.
func (s *site) callback(w http.ResponseWriter, r *http.Request) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return s.refuse(r, "bad_query", loginPath, err)
	}
	states := q["state"]
	if len(states) != 1 || states[0] == "" {
		return s.refuse(r, "state_missing", loginPath, nil)
	}
	state := states[0]
	l, ok := s.logins.get(r, state)
	if !ok {
		return s.refuse(r, "login_cookie_missing", loginPath, nil) // another browser's, replayed long ago, or too late
	}
	if l.Done {
		return s.bounceTo(w, r, l.ReturnTo)
	}
	p, err := s.issuer(l.Provider, l.Issuer)
	if err != nil {
		return s.refuse(r, "provider_unknown", loginPath, err) // nothing is spent: a replica that has not switched yet may know it
	}
	if r.URL.Path != s.callbackPath(l.Provider) {
		// Another provider's answer to a sign-in at this one: a mix-up, which would hand that one's code to this one (RFC 9700, section 4.4).
		return s.refuse(r, "response_of_another_provider", l.again(), nil)
	}
	if err := p.Ready(); err != nil {
		return s.providerProblem(err) // nothing is spent: the same URL works once the provider is known
	}
	mine, err := s.sessions.Claim(r.Context(), state)
	if err != nil {
		return s.storeProblem(err) // the code is not spent: the same URL works once the store is back
	}
	if !mine {
		return s.bounceTo(w, r, l.ReturnTo) // the same callback again, while or after the first one did the work
	}
	l.SignIn.Beside = l.Replaces != ""
	id, err := p.Callback(r.Context(), q, l.SignIn)
	if err != nil {
		s.logins.clear(w, state)
		return s.callbackProblem(r, l, err)
	}
	return s.signedIn(w, r, l, id)
}

// signedIn starts the session of id, ends the one that it replaces, and answers with the bounce page: a redirect would arrive without
// the Strict cookie that it has just set.
func (s *site) signedIn(w http.ResponseWriter, r *http.Request, l login, id *provider.Identity) error {
	sess := newSession(l, id)
	sess.Browser, sess.Address = browserName(r.UserAgent()), addressPrefix(edge.From(r.Context()).ClientIP)
	who := pseudonym(sess)
	before := s.predecessors(r, l)
	if err := s.sessions.Start(r.Context(), w, sess, before.ids()...); err != nil {
		if errors.Is(err, session.ErrEnded) {
			before = nil // a logout overtook the sign-in, and the sessions that it was to follow
		}
		s.dropTokens(sess, before)
		return s.notStarted(w, r, l, err)
	}
	for _, old := range before {
		if err := s.sessions.End(r.Context(), old.id, old.endedBy(who)); err != nil {
			return tryAgain(s.takeBack(w, r, sess, before, fmt.Errorf("end the replaced session: %w", err)), l.again())
		}
	}
	s.note(r, sess)
	s.event(r, edge.EventSignIn, slog.String("provider", l.Provider))
	done, err := s.logins.sealed(l.done(sess.ID(), who), replayLife)
	if err != nil {
		return fmt.Errorf("keep the login cookie: %w", err)
	}
	http.SetCookie(w, done)
	return s.bounceTo(w, r, arrival(w, l, before, who))
}

// startRefusals are the reasons for which a sign-in that the provider granted does not become a session, and the problem that each is.
var startRefusals = []struct {
	err          error
	reason, code string
}{
	{session.ErrEnded, "signed_out_meanwhile", "sign_in_refused"},
	{session.ErrTooLarge, "session_too_large", "sign_in_refused"},
	{session.ErrTooMany, "too_many_sessions", "too_many_sessions"},
}

// notStarted answers for a sign-in that the provider granted and that did not become a session: refused for good, or an outage.
func (s *site) notStarted(w http.ResponseWriter, r *http.Request, l login, err error) error {
	for _, known := range startRefusals {
		if errors.Is(err, known.err) {
			s.logins.clear(w, l.SignIn.State)
			s.refused(r, known.reason, err)
			return &edge.Problem{Code: known.code, Login: l.again(), Aside: s.wayBack(l), Err: err}
		}
	}
	return tryAgain(s.storeProblem(err), l.again())
}

// takeBack undoes a sign-in whose end could not be written, and answers for the cause. The old ticket stays good, and better no
// sign-in than two; so the browser keeps the old one and does not get the new (law 5).
func (s *site) takeBack(w http.ResponseWriter, r *http.Request, sess *session.Session, before predecessors, cause error) error {
	w.Header().Del("Set-Cookie")
	end := s.sessions.EndOne(r.Context(), sess, "replace_failed")
	s.dropTokens(sess, before) // its ticket is nowhere, but its tokens are good
	return s.storeProblem(errors.Join(cause, end))
}

// tryAgain adds the way to start over to an outage's answer, where the code is spent already.
func tryAgain(err error, again string) error {
	if p, ok := errors.AsType[*edge.Problem](err); ok {
		p.Login = again
	}
	return err
}

// callbackProblem turns what went wrong at the provider into a page with a way to try again.
func (s *site) callbackProblem(r *http.Request, l login, err error) error {
	refusal, ok := errors.AsType[*provider.Refusal](err)
	if !ok {
		return tryAgain(s.providerProblem(err), l.again())
	}
	s.refused(r, refusal.Reason, err)
	p := &edge.Problem{Code: "sign_in_refused", Login: l.again(), Aside: s.wayBack(l), Err: err}
	switch unmet := []string{provider.ReasonACR, provider.ReasonAuthTimeMissing, provider.ReasonAuthTimeStale, provider.ReasonProviderError}; {
	case l.needs() != nil && slices.Contains(unmet, refusal.Reason):
		p.Code = "step_up_refused"
	case l.Who != "":
		p.Detail = "The sign-in was cancelled, took too long, or did not come back as it was started. You are still signed in as before."
	}
	return p
}

// refuse records a refused sign-in with its reason, which the user does not see, and answers with a page to try again from.
func (s *site) refuse(r *http.Request, reason, again string, err error) error {
	s.refused(r, reason, err)
	return &edge.Problem{Code: "sign_in_refused", Login: again, Err: err}
}

// refused records a refused sign-in.
func (s *site) refused(r *http.Request, reason string, err error) {
	s.metrics.signInRefused(reason)
	attrs := []slog.Attr{slog.String("reason", reason)}
	if err != nil {
		attrs = append(attrs, slog.String("err", err.Error()))
	}
	s.event(r, edge.EventSignInRefused, attrs...)
	edge.From(r.Context()).Reason = reason
}

// newSession is what the store will hold of an identity.
func newSession(l login, id *provider.Identity) *session.Session {
	return &session.Session{
		Provider: l.Provider, Issuer: id.Issuer, Subject: id.Subject, ProviderSession: id.ProviderSession,
		Nonce: l.SignIn.Nonce, ACR: id.ACR, IssuedAt: id.IssuedAt, AuthTime: id.AuthTime,
		Claims: id.Claims, Roles: id.Roles, Scopes: id.Scopes, Tokens: session.Tokens(id.Tokens),
		Resources: l.Asked,
	}
}
