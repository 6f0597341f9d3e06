package bff

import (
	"net/http"
	"time"

	"cloakroom/bff/edge"
)

// deviceAnswer is one of the user's sessions in the list of GET /bff/sessions. Its id is the handle, which is neither the cookie nor the store's key.
type deviceAnswer struct {
	ID       string `json:"id"`
	Browser  string `json:"browser"`
	Address  string `json:"address"`
	Created  string `json:"created"`
	LastSeen string `json:"last_seen"`
	Current  bool   `json:"current"`
}

// devices answers GET /bff/sessions: where the user is signed in, the newest first. Like GET /bff/user it does not extend the session.
func (s *site) devices(w http.ResponseWriter, r *http.Request) error {
	sess, err := s.sessions.Peek(r)
	if err != nil {
		return s.sessionProblem(err)
	}
	s.note(r, sess)
	devices, err := s.sessions.Devices(r.Context(), sess)
	if err != nil {
		return s.sessionProblem(err)
	}
	answer := make([]deviceAnswer, 0, len(devices))
	for _, d := range devices {
		answer = append(answer, deviceAnswer{
			ID: d.Handle, Browser: d.Browser, Address: d.Address, Current: d.Current,
			Created: d.Created.UTC().Format(time.RFC3339), LastSeen: d.LastSeen.UTC().Format(time.RFC3339),
		})
	}
	return writeJSON(w, http.StatusOK, answer)
}

// endDevice answers DELETE /bff/sessions/{id}: it ends one of the user's own sessions. One that is another's is answered as one that is nobody's. A user
// who ends the session that asks is signed out as by a sign-out, but stays signed in at the provider.
func (s *site) endDevice(w http.ResponseWriter, r *http.Request) error {
	sess, err := s.sessions.Peek(r)
	if err != nil {
		return s.sessionProblem(err)
	}
	s.note(r, sess)
	handle := r.PathValue("id")
	ended, err := s.sessions.EndDevice(r.Context(), sess, handle)
	switch {
	case err != nil:
		return s.sessionProblem(err)
	case !ended:
		return &edge.Problem{Code: "not_found"}
	case handle == sess.Handle:
		s.forget(w, r)
	}
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// endOthers answers DELETE /bff/sessions: it ends all of the user's sessions but the one that asks.
func (s *site) endOthers(w http.ResponseWriter, r *http.Request) error {
	sess, err := s.sessions.Peek(r)
	if err != nil {
		return s.sessionProblem(err)
	}
	s.note(r, sess)
	n, err := s.sessions.EndOthers(r.Context(), sess)
	if err != nil {
		return s.sessionProblem(err)
	}
	return writeJSON(w, http.StatusOK, struct {
		Ended int `json:"ended"`
	}{n})
}
