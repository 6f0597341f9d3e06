package bff

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"cloakroom/bff/edge"
)

// minSID is the length of the shortest provider session that a front-channel logout may end. The request is not signed: whoever guesses issuer and sid could
// send it, so the sid must be beyond guessing. 16 characters are 64 bits at least if they are hexadecimal.
const minSID = 16

// frontchannel answers GET /bff/frontchannel (OpenID Connect Front-Channel Logout 1.0), which the provider's page loads in a frame. The frame is a third
// party there and gets no cookie of ours; so iss and sid alone say which sessions end, and both are required, although the specification
// makes them optional.
//
// The answer is the same whatever came of it: who tries sids learns nothing. What came of it is in the log. Cookies and origin play no part.
func (s *site) frontchannel(w http.ResponseWriter, r *http.Request) error {
	issuer, sid, reason := s.frontchannelTarget(r.URL.RawQuery)
	if reason == "" {
		s.endFrontchannel(r, issuer, sid)
	}
	edge.From(r.Context()).Reason = reason
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "+originOf(issuer))
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // or a provider's page under COEP could not frame it; there is nothing in it
	h.Set("Content-Type", "text/plain; charset=utf-8")
	noStore(w)
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "done\n") // a frame that is gone is not an error
	return nil
}

// endFrontchannel ends the sessions and records it. An outage is an event for the operator: the provider's page could not read an answer that tells of it.
func (s *site) endFrontchannel(r *http.Request, issuer, sid string) {
	n, err := s.sessions.EndByProviderSession(r.Context(), issuer, sid)
	if err != nil {
		s.metrics.storeError()
		edge.From(r.Context()).Err = err
		s.event(r, edge.EventFrontchannelFailed, slog.Int("sessions", n), slog.String("err", err.Error()))
		return
	}
	if n > 0 {
		s.event(r, edge.EventFrontchannelLogout, slog.Int("sessions", n))
	}
}

// frontchannelTarget decides which sessions a request may end. issuer is that of a provider with frontchannel_logout, or empty; reason says why nothing ends.
func (s *site) frontchannelTarget(query string) (issuer, sid, reason string) {
	q, err := url.ParseQuery(query)
	if err != nil || len(q["iss"]) != 1 || len(q["sid"]) != 1 {
		return "", "", "not_one_iss_and_sid"
	}
	issuer, sid = q.Get("iss"), q.Get("sid")
	if !s.frontchannelIssuer(issuer) {
		return "", "", "issuer_mismatch"
	}
	if len(sid) < minSID || len(sid) > 255 {
		return issuer, "", "provider_session_guessable"
	}
	return issuer, sid, ""
}

// frontchannelIssuer reports whether every provider of that issuer has frontchannel_logout: two may share one, and with it the sid.
func (s *site) frontchannelIssuer(issuer string) bool {
	known := false
	for _, cfg := range s.cfg.Providers {
		if cfg.Issuer != issuer {
			continue
		}
		if !cfg.FrontchannelLogout {
			return false
		}
		known = true
	}
	return known
}

// originOf is who may frame the answer: the issuer's origin alone, or nobody.
func originOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return "'none'"
	}
	return u.Scheme + "://" + u.Host
}
