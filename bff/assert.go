package bff

import (
	"fmt"
	"net/http"

	"cloakroom/bff/assertion"
	"cloakroom/proxy"
	"cloakroom/session"
)

// keySetPath is where the keys are by which upstreams verify assertions. Without keys there is no such endpoint, and the path may be a route's or the app's.
const keySetPath = "/.well-known/jwks.json"

// keySetAge is how long a verifier may keep the keys: a new one is published for at least as long before it signs (docs/headers.md).
const keySetAge = "public, max-age=300"

func (s *site) wireAssertions() (err error) {
	if s.assertions, err = assertion.New(s.cfg.Assertions, s.origin.String(), s.now); err != nil {
		return fmt.Errorf("assertions: %w", err)
	}
	return nil
}

// keySet answers GET /.well-known/jwks.json. It is about no user, and no session is read.
func (s *site) keySet(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", keySetAge)
	w.WriteHeader(http.StatusOK)
	w.Write(s.assertions.KeySet()) // a client that went away is not an error
	return nil
}

// userOf is what a route's own headers may say of a session's user.
func userOf(sess *session.Session) proxy.User {
	return proxy.User{Issuer: sess.Issuer, Subject: sess.Subject, Roles: sess.Roles, Claims: sess.Claims}
}

// assert is the signed statement about a session's user that a route's upstream wants, or nothing where it wants none.
func (s *site) assert(sess *session.Session, cfg *proxy.Config) (string, error) {
	a := &cfg.Headers.Assertion
	if a.Audience == "" {
		return "", nil
	}
	if s.assertions == nil { // a configuration that was loaded has keys
		return "", fmt.Errorf("route %s: an assertion without assertions.keys", cfg.Path)
	}
	return s.assertions.Sign(assertion.Subject{
		Session: string(sess.ID()), Version: sess.Version(), Issuer: sess.Issuer, Subject: sess.Subject, Roles: sess.Roles, Claims: sess.Claims, Deadline: sess.Deadline,
	}, assertion.Wish{Audience: a.Audience, TTL: a.TTL, Claims: a.Claims})
}
