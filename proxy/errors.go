package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// What can go wrong on the way to an upstream and back. An error that OnError gets is one of these, perhaps with its
// cause wrapped: the cause names addresses and is for the log, never for the client.
var (
	ErrUpstream         = errors.New("the upstream could not be reached, or its answer made no sense") // 502
	ErrUpstreamTimeout  = errors.New("the upstream did not answer in time")                            // 504
	ErrResponseTooLarge = errors.New("the upstream's answer is larger than the route allows")          // 502
	ErrBodyTooLarge     = errors.New("the request body is larger than the route allows")               // 413
	ErrBodyTimeout      = errors.New("the request body did not arrive in time")                        // 408
	ErrBadRequest       = errors.New("the request cannot be forwarded as it is")                       // 400
	ErrUpgradeRefused   = errors.New("only WebSocket upgrades are forwarded")                          // 400
	ErrLoop             = errors.New("the request came through here before")                           // 508
	ErrIncomplete       = errors.New("the user lacks what the upstream must know")                     // 403
	ErrUndescribed      = errors.New("the upstream's answer is not as its description says")           // 502
	ErrChallenged       = errors.New("the upstream wants the user to sign in in another way")          // 401
	ErrClientGone       = errors.New("the client went away")                                           // nobody reads an answer
)

// verdicts are the errors that end an exchange from our side, by cancelling its context with a cause.
var verdicts = []error{ErrUpstreamTimeout, ErrResponseTooLarge, ErrBodyTooLarge, ErrBodyTimeout, ErrBadRequest, ErrClientGone, ErrEnded, ErrChallenged}

// verdict says what a failed exchange comes down to. Who ended it counts before what the transport saw of it.
func (x *exchange) verdict(err error) error {
	cause := context.Cause(x)
	for _, v := range verdicts {
		if errors.Is(cause, v) {
			return cause
		}
	}
	for _, own := range []error{ErrUndescribed, ErrUpstream, ErrResponseTooLarge, ErrUpgradeRefused, ErrBadRequest, ErrStreamRefused, ErrChallenged} {
		if errors.Is(err, own) {
			return err
		}
	}
	switch {
	case x.in.Context().Err() != nil && x.overdue():
		return ErrBodyTimeout // net/http takes a missed read deadline for a client that hung up
	case x.in.Context().Err() != nil:
		return ErrClientGone
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return ErrUpstreamTimeout
	}
	return fmt.Errorf("%w: %w", ErrUpstream, loggable(err))
}

// errMalformed stands for every complaint of the HTTP parser.
var errMalformed = errors.New("malformed answer or broken protocol")

// loggable keeps what a log may hold. The HTTP parser's errors quote the upstream's bytes, which may be anything, a token
// included; they are replaced. Network and certificate errors are kept whole.
func loggable(err error) error {
	if errors.Is(err, errUnhealthy) {
		return err
	}
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var handshake tls.RecordHeaderError
	switch {
	case errors.As(err, &network):
		return network
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &authority):
		return authority
	case errors.As(err, &handshake):
		return errors.New("the upstream does not speak TLS")
	}
	for _, known := range []error{io.ErrUnexpectedEOF, io.EOF, syscall.ECONNRESET, syscall.EPIPE, context.Canceled, context.DeadlineExceeded, ErrUpstreamTimeout} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errMalformed
}
