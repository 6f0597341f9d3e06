package bff

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strings"

	"cloakroom/bff/edge"
	"cloakroom/bff/inbound"
)

// wireCallers makes what knows callers without a session, or takes over that of the generation before, with what it has learnt.
func (s *site) wireCallers() (err error) {
	if len(s.cfg.Callers.Kinds()) == 0 {
		return nil
	}
	s.credentialsIn = "Authorization"
	for _, name := range s.cfg.CredentialHeaders() {
		if name = http.CanonicalHeaderKey(name); name != s.credentialsIn {
			s.credentialsIn += ", " + name
		}
	}
	if b := s.before; b != nil && b.callers != nil && reflect.DeepEqual(b.cfg.Callers, s.cfg.Callers) && reflect.DeepEqual(b.trusted, s.trusted) {
		s.callers, s.endCallers = b.callers, b.endCallers
		return nil
	}
	srv := s.Server // and not the site, which these outlive
	s.callers, err = inbound.New(s.cfg.Callers, inbound.Deps{
		Keys: srv.apiKeys(), HTTPS: srv.origin.Scheme == "https", Trusted: s.trusted, Log: srv.log, Now: srv.now, Count: srv.metrics.callerEvent,
		Client: func(r *http.Request) netip.Addr { return edge.From(r.Context()).ClientIP },
	})
	if err != nil {
		return fmt.Errorf("callers: %w", err)
	}
	return nil
}

// token is the bearer that a caller came with.
func token(r *http.Request) string {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token)
}

// apiKeys are where the store has them.
func (s *Server) apiKeys() inbound.Keys {
	if kept, ok := s.store.(register); ok {
		return keyFinder{kept}
	}
	return nil
}

// askForCertificates lets each handshake ask for a certificate where the configuration of its time knows callers by one. No handshake fails for want of a good one.
func (s *Server) askForCertificates(plain *tls.Config) *tls.Config {
	plain.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		callers := s.current.Load().callers
		if callers == nil {
			return nil, nil // as it is
		}
		c := plain.Clone()
		c.GetConfigForClient = nil
		callers.AskForCertificates(c)
		return c, nil
	}
	return plain
}
