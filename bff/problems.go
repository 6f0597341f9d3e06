package bff

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/bff/provider"
	"cloakroom/session"
)

// retryAfter is what an outage's 503 asks clients to wait: long enough not to hammer, short enough to feel like a hiccup.
const retryAfter = 5 * time.Second

// sessionProblem turns an error of the session into its answer: nobody is signed in, the request is broken, or the store is away.
func (s *Server) sessionProblem(err error) error {
	switch {
	case errors.Is(err, session.ErrNone):
		return &edge.Problem{Code: "signed_out", Login: loginPath, Err: err}
	case errors.Is(err, session.ErrTwoCookies):
		return &edge.Problem{Code: "two_cookies", Login: logoutPath, Err: err}
	case errors.Is(err, session.ErrNoToken), errors.Is(err, provider.ErrUnavailable):
		return s.providerProblem(err)
	}
	return s.storeProblem(err)
}

// storeProblem is the answer while sessions cannot be read or written: nothing is decided, no cookie is touched (law 5).
func (s *Server) storeProblem(err error) error {
	if errors.Is(err, context.Canceled) {
		return err // the client went away, which says nothing about the store
	}
	s.metrics.storeError()
	code := "session_store_unavailable"
	if errors.Is(err, session.ErrFull) {
		code = "session_store_full"
	}
	return &edge.Problem{Code: code, RetryAfter: retryAfter, Err: err}
}

// providerProblem is the answer while the provider cannot be reached or does not answer in order.
func (s *Server) providerProblem(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &edge.Problem{Code: "provider_unavailable", RetryAfter: retryAfter, Err: err}
}

// errDuplicate names a parameter that was given twice.
type errDuplicate string

// Error quotes the name, which is foreign text.
func (e errDuplicate) Error() string { return fmt.Sprintf("parameter %.40q given twice", string(e)) }
