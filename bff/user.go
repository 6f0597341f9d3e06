package bff

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/session"
)

// userAnswer is the body of GET /bff/user.
type userAnswer struct {
	Authenticated bool           `json:"authenticated"`
	Login         string         `json:"login,omitempty"`
	Subject       string         `json:"sub,omitempty"`
	Claims        map[string]any `json:"claims,omitempty"`
	Roles         []string       `json:"roles,omitempty"`
	Session       *sessionAnswer `json:"session,omitempty"`
}

// sessionAnswer tells an app how long it stays signed in, in whole seconds.
type sessionAnswer struct {
	ID            string `json:"id"`
	ExpiresIn     int64  `json:"expires_in"`
	IdleExpiresIn int64  `json:"idle_expires_in"`
}

// user answers GET /bff/user: who is signed in, or that nobody is. It does not extend the session, so that an app may poll it.
func (s *site) user(w http.ResponseWriter, r *http.Request) error {
	sess, err := s.sessions.Peek(r)
	switch {
	case errors.Is(err, session.ErrNone):
		return writeJSON(w, http.StatusOK, userAnswer{Login: loginPath})
	case err != nil:
		return s.sessionProblem(err)
	}
	idle, err := s.sessions.IdleLeft(r.Context(), sess)
	if errors.Is(err, session.ErrNone) { // it ended between the two reads
		return writeJSON(w, http.StatusOK, userAnswer{Login: loginPath})
	}
	if err != nil {
		return s.sessionProblem(err)
	}
	s.note(r, sess)
	return writeJSON(w, http.StatusOK, s.answerFor(sess, idle))
}

// answerFor is what a session's own browser may know of it.
func (s *site) answerFor(sess *session.Session, idle time.Duration) userAnswer {
	return userAnswer{
		Authenticated: true, Subject: sess.Subject, Claims: sess.Claims, Roles: s.rolesOf(sess),
		Session: &sessionAnswer{ID: sess.Handle, ExpiresIn: seconds(sess.Deadline.Sub(s.now())), IdleExpiresIn: seconds(idle)},
	}
}

// shapeUser is what a shape may know of who is asking: what GET /bff/user shows.
func (s *site) shapeUser(sess *session.Session) map[string]any {
	return map[string]any{"sub": sess.Subject, "claims": sess.Claims, "roles": s.rolesOf(sess)}
}

// keepalive answers POST /bff/keepalive: it extends the idle timeout at once; 204, or 401 without a session.
func (s *site) keepalive(w http.ResponseWriter, r *http.Request) error {
	sess, err := s.sessions.Peek(r)
	if err != nil {
		return s.sessionProblem(err)
	}
	if err := s.sessions.KeepAlive(r.Context(), sess); err != nil {
		return s.sessionProblem(err)
	}
	s.note(r, sess)
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// note puts who is asking into the request's record.
func (s *site) note(r *http.Request, sess *session.Session) {
	rec := edge.From(r.Context())
	rec.Subject, rec.Session = edge.Pseudonym(sess.Issuer, sess.Subject), sess.ID().Short()
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	noStore(w)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // a client that went away is not an error
	return nil
}

// seconds rounds down, and never below zero.
func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }
