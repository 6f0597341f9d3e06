package bff

import (
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"

	"cloakroom/bff/edge"
	"cloakroom/bff/provider"
	"cloakroom/session"
)

// maxLogoutBody bounds the body of a back-channel logout in bytes.
const maxLogoutBody = 64 << 10

// backchannel answers POST /bff/backchannel (OpenID Connect Back-Channel Logout 1.0): the provider says, in a signed token and
// without a browser, whose sessions are over. 200 only once the ends are written; 400 for a token that proves nothing; 503 while it cannot
// be decided, so that the provider tries again. Cookies and origin play no part.
func (s *site) backchannel(w http.ResponseWriter, r *http.Request) error {
	raw, err := logoutToken(w, r)
	if err != nil {
		return s.refuseLogout(r, "request", err)
	}
	token, err := s.verifyLogout(r, raw)
	if refusal, ok := errors.AsType[*provider.Refusal](err); ok {
		return s.refuseLogout(r, refusal.Reason, err)
	}
	if err != nil {
		return s.providerProblem(err)
	}
	n, err := s.sessions.EndByProvider(r.Context(), token.Issuer, token.Subject, token.SID, token.IssuedAt)
	switch {
	case errors.Is(err, session.ErrMismatch):
		return s.refuseLogout(r, "sub_sid_mismatch", err)
	case err != nil:
		return s.storeProblem(err)
	}
	s.event(r, edge.EventBackchannelLogout, slog.Int("sessions", n))
	noStore(w)
	w.WriteHeader(http.StatusOK)
	return nil
}

// logoutToken reads the one parameter of a back-channel logout request (section 2.5).
func logoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/x-www-form-urlencoded" {
		return "", errors.New("content type must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLogoutBody))
	if err != nil {
		return "", errors.New("body cannot be read or is too long")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", errors.New("body is not a form")
	}
	if v := form["logout_token"]; len(v) == 1 && v[0] != "" {
		return v[0], nil
	}
	return "", errors.New("exactly one logout_token is needed")
}

// verifyLogout asks each provider whether the token is its own: two may share an issuer and differ in client_id. The last
// refusal, or the first outage, is the answer.
func (s *site) verifyLogout(r *http.Request, raw string) (*provider.Logout, error) {
	var refused, away error
	for _, name := range s.providerNames {
		token, err := s.providers[name].LogoutToken(r.Context(), raw)
		if err == nil {
			return token, nil
		}
		refusal, ok := errors.AsType[*provider.Refusal](err)
		switch {
		case !ok:
			away = err
		case refused == nil || refusal.Reason != provider.ReasonIssuer:
			refused = err // more telling than "not our issuer"
		}
	}
	if away != nil {
		return nil, away
	}
	return nil, refused
}

// refuseLogout answers a request that ends nothing, in the form that section 2.8 asks for.
func (s *site) refuseLogout(r *http.Request, reason string, err error) error {
	s.event(r, edge.EventBackchannelRefused, slog.String("reason", reason), slog.Any("err", err))
	return &edge.Problem{Code: "bad_logout_token", Err: err,
		Members: map[string]any{"error": "invalid_request", "error_description": "the logout token was refused"}}
}
