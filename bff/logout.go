package bff

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"cloakroom/bff/edge"
	"cloakroom/session"
	"cloakroom/web"
)

const logoutPath = "/bff/logout"

// logout answers POST /bff/logout: it ends the session everywhere, makes the browser forget what it kept, and moves on to the
// provider's own sign-out: a page by a bounce (a form's CSP forbids a redirect off this origin), a script by the URL in JSON.
//
// It works without a session too, and where the request carries two session cookies: whoever wants out gets out.
// An end that could not be written is a 503, with the cookie still there, so that it can be tried again.
func (s *site) logout(w http.ResponseWriter, r *http.Request) error {
	sess, err := s.sessions.Peek(r)
	switch {
	case errors.Is(err, session.ErrNone), errors.Is(err, session.ErrTwoCookies):
		sess = nil
	case err != nil:
		return s.storeProblem(err)
	}
	location := "/"
	if sess == nil {
		// A ticket that this replica cannot open, or one of two, may still be good elsewhere. Who has it may end it.
		for _, id := range s.sessions.CookieIDs(r) {
			if err := s.sessions.End(r.Context(), id, "logout"); err != nil {
				return s.storeProblem(err)
			}
		}
	}
	if sess != nil {
		if err := s.sessions.EndOne(r.Context(), sess, "logout"); err != nil {
			return s.storeProblem(err)
		}
		s.note(r, sess)
		s.event(r, edge.EventSignOut, slog.String("provider", sess.Provider))
		location = s.endSessionURL(sess)
	}
	s.forget(w, r)
	if wantsPage(r) {
		return s.bounce(w, r, location)
	}
	return writeJSON(w, http.StatusOK, struct {
		Location string `json:"location"`
	}{location})
}

// forget makes the browser forget a session that has ended, and what it kept of it.
func (s *site) forget(w http.ResponseWriter, r *http.Request) {
	s.sessions.ClearCookie(w)
	s.logins.clearAll(w, r)
	w.Header().Set("Clear-Site-Data", forgetAll)
}

// logoutPage answers GET /bff/logout: a page with a button, because a link alone must not sign anybody out. It is also where the
// provider sends the browser after its own sign-out; with a state of ours it goes on to the app.
func (s *site) logoutPage(w http.ResponseWriter, r *http.Request) error {
	if state := r.URL.Query().Get("state"); state != "" && s.logoutStates.valid(state) {
		return s.bounce(w, r, "/")
	}
	return page(w, http.StatusOK, "'self'", web.SignOut(logoutPath, "/"))
}

// endSessionURL is where the browser goes after the local sign-out: the provider's end-session URL, or the app if it has none.
func (s *site) endSessionURL(sess *session.Session) string {
	p, err := s.providerOf(sess)
	if err != nil {
		return "/"
	}
	state, err := s.logoutStates.issue()
	if err != nil {
		state = "" // it only decides where the provider's answer lands
	}
	if u, ok := p.EndSessionURL(sess.Tokens.ID, sess.Subject, s.cfg.Server.PublicURL+logoutPath, state); ok {
		return u
	}
	return "/"
}

// wantsPage reports whether a POST came from a form in a page rather than from a script.
func wantsPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// logoutStates are the `state` values of sign-outs at the provider (RP-Initiated Logout, section 2). They need no memory: each
// is sealed, and good for the time that a sign-out takes. All that one can do is to lead back to the app.
type logoutStates struct{ codecs []securecookie.Codec }

const logoutStateName = "logout-state"

func newLogoutStates(hashKeys, blockKeys [][]byte) logoutStates {
	var ls logoutStates
	for i := range hashKeys {
		sc := securecookie.New(hashKeys[i], blockKeys[i])
		sc.MaxAge(int((10 * time.Minute).Seconds()))
		sc.SetSerializer(securecookie.JSONEncoder{})
		ls.codecs = append(ls.codecs, sc)
	}
	return ls
}

func (ls logoutStates) issue() (string, error) {
	return securecookie.EncodeMulti(logoutStateName, "out", ls.codecs[0])
}

func (ls logoutStates) valid(state string) bool {
	var v string
	return securecookie.DecodeMulti(logoutStateName, state, &v, ls.codecs...) == nil && v == "out"
}
