package bff

import (
	"fmt"
	"net/http"

	"cloakroom/bff/assertion"
	"cloakroom/proxy"
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

// assert is the signed statement about a visitor that a route's upstream wants, or nothing where it wants none.
func (s *site) assert(v visitor, cfg *proxy.Config) (string, error) {
	a := &cfg.Headers.Assertion
	if a.Audience == "" {
		return "", nil
	}
	if s.assertions == nil { // a configuration that was loaded has keys
		return "", fmt.Errorf("route %s: an assertion without assertions.keys", cfg.Path)
	}
	subject := assertion.Subject{Roles: v.known.roles}
	if c := v.caller; c != nil {
		subject.Issuer, subject.Subject, subject.Claims, subject.Deadline = c.Issuer, c.Subject, c.Claims, c.Expires
	} else {
		sess := v.sess
		subject.Session, subject.Version, subject.Issuer, subject.Subject = string(sess.ID()), sess.Version(), sess.Issuer, sess.Subject
		subject.Claims, subject.Deadline = sess.Claims, sess.Deadline
	}
	return s.assertions.Sign(subject, assertion.Wish{Audience: a.Audience, TTL: a.TTL, Claims: a.Claims})
}
