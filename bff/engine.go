package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/bff/provider"
	"cloakroom/bff/static"
	"cloakroom/proxy"
	"cloakroom/session"
)

// refresh is the session engine's way to the provider: one call, its answer in the engine's words.
func (s *Server) refresh(ctx context.Context, sess *session.Session) (session.Refreshed, error) {
	p, err := s.current.Load().providerOf(sess)
	if err != nil {
		return session.Refreshed{}, fmt.Errorf("%w: %w", session.ErrUnsent, err)
	}
	id, err := p.Refresh(ctx, sess.Tokens.Refresh, previous(sess))
	if err != nil {
		return session.Refreshed{}, inEngineWords(err)
	}
	return refreshed(id), nil
}

// previous is what a refreshed ID token must agree with.
func previous(sess *session.Session) provider.Previous {
	return provider.Previous{Subject: sess.Subject, Nonce: sess.Nonce, AuthTime: sess.AuthTime}
}

// refreshed is what a refresh brought, in the engine's words.
func refreshed(id *provider.Identity) session.Refreshed {
	return session.Refreshed{Tokens: session.Tokens(id.Tokens), Identity: id.Subject != "", Claims: id.Claims, Roles: id.Roles, Scopes: id.Scopes}
}

// inEngineWords adds to a provider's error what it means to the session engine.
func inEngineWords(err error) error {
	for _, word := range []struct{ theirs, ours error }{
		{provider.ErrInvalidGrant, session.ErrInvalidGrant}, {provider.ErrUnsent, session.ErrUnsent}, {provider.ErrNotGranted, session.ErrGrantRefused},
	} {
		if errors.Is(err, word.theirs) {
			err = fmt.Errorf("%w: %w", word.ours, err)
		}
	}
	return err
}

// ended hears of every session that this process ended: it is counted, logged, and its tokens are revoked where they are known.
func (s *Server) ended(sess *session.Session, reason string) {
	s.metrics.sessionEnded(reason)
	attrs := []slog.Attr{slog.String("reason", reason)}
	if sess != nil {
		attrs = append(attrs, slog.String("session", sess.ID().Short()), slog.String("provider", sess.Provider))
		s.endedElsewhere(sess, reason)
	}
	edge.Event(context.Background(), s.log, endEvent(reason), attrs...)
}

// endedElsewhere revokes the tokens of a session that ended, if no other replica does.
func (s *Server) endedElsewhere(sess *session.Session, reason string) {
	switch reason {
	case "invalid_grant", "refresh_interrupted": // those tokens are dead already
	case "replaced", "replace_failed": // the same user goes on, see succession.go
	default:
		s.revoker.addShared(sess)
	}
}

// endEvent is the event of an end. A token that had to be sent twice and was then refused is what operators want to hear of by name.
func endEvent(reason string) string {
	switch reason {
	case "refresh_interrupted":
		return edge.EventRefreshTokenReuse
	case "invalid_grant":
		return edge.EventRefreshFailed
	}
	return edge.EventSessionEnded
}

// longestTimeout bounds how long a refresh may take at any provider.
func longestTimeout(providers map[string]provider.Config) (longest time.Duration) {
	for _, cfg := range providers {
		longest = max(longest, cfg.Timeout)
	}
	return longest
}

func newSignIn() provider.SignIn { return provider.NewSignIn() }

// upstreamFailed is the answer when a route's upstream did not give one. Nothing of the upstream shows in it.
func (s *Server) upstreamFailed(w http.ResponseWriter, r *http.Request, err error) {
	if refusal, ok := errors.AsType[*proxy.Refusal](err); ok {
		edge.From(r.Context()).Reason = refusal.Reason
	}
	if help, ok := errors.AsType[signInHelps](err); ok {
		if err = help.site.turnedAway(w, r, help); err == nil {
			return
		}
	}
	edge.Answer(w, r, upstreamProblem(err))
}

// upstreamProblem is the pure part of upstreamFailed.
func upstreamProblem(err error) error {
	if p, ok := errors.AsType[*edge.Problem](err); ok {
		return p // a stream that we refused or ended ourselves
	}
	if leg, ok := errors.AsType[*proxy.LegFailure](err); ok {
		return legProblem(leg)
	}
	code := "upstream_failed"
	if refusal, ok := errors.AsType[*proxy.Refusal](err); ok && !errors.Is(err, proxy.ErrUndescribed) {
		return misdescribed(refusal)
	}
	for _, known := range []struct {
		err  error
		code string
	}{
		{proxy.ErrClientGone, "client_gone"},
		{proxy.ErrShape, "shape_failed"},
		{proxy.ErrIncomplete, "user_incomplete"},
		{proxy.ErrUndescribed, "undescribed_answer"},
		{proxy.ErrBodyTooLarge, "body_too_large"},
		{proxy.ErrBodyTimeout, "request_timeout"},
		{proxy.ErrUpstreamTimeout, "upstream_timeout"},
		{proxy.ErrResponseTooLarge, "upstream_too_large"},
		{proxy.ErrUpgradeRefused, "bad_upgrade"},
		{proxy.ErrBadRequest, "bad_request"},
		{proxy.ErrLoop, "loop"},
	} {
		if errors.Is(err, known.err) {
			code = known.code
			break
		}
	}
	return &edge.Problem{Code: code, Err: err}
}

// legProblem is the answer where a required leg of a composed one failed. It names the leg as the configuration does. A refusal that is about what was
// asked for, or by whom, keeps its status; any other, a 401 to our own token among them, is nothing that the client could do something about.
func legProblem(f *proxy.LegFailure) error {
	p := &edge.Problem{Code: "leg_failed", Detail: fmt.Sprintf("The part %q of this answer is missing.", f.Leg), Err: f}
	switch {
	case f.Outcome == proxy.LegNoRoom:
		p.Code, p.Detail, p.RetryAfter = "busy", "", retryAfter
	case f.Outcome == proxy.LegTimedOut:
		p.Code = "leg_timeout"
	case slices.Contains([]int{http.StatusForbidden, http.StatusNotFound, http.StatusGone, http.StatusTooManyRequests}, f.Status):
		p.Code, p.Status, p.RetryAfter = "leg_refused", f.Status, f.RetryAfter
	}
	return p
}

// misdescribed is the answer to a request that is not as its route's description says.
func misdescribed(r *proxy.Refusal) error {
	p := &edge.Problem{Code: "invalid_request", Err: r}
	switch r.Status {
	case http.StatusNotFound:
		p.Code = "not_found"
	case http.StatusMethodNotAllowed:
		p.Code, p.Header = "method_not_allowed", http.Header{"Allow": {strings.Join(r.Allow, ", ")}}
	case http.StatusRequestEntityTooLarge:
		p.Code = "body_too_large"
	case http.StatusUnsupportedMediaType:
		p.Code = "unsupported_media_type"
	}
	for _, f := range r.Faults {
		fault := edge.Fault{Pointer: f.Pointer, Detail: f.Detail}
		if f.In != "" {
			fault.Parameter = &edge.Parameter{In: f.In, Name: f.Name}
		}
		p.Errors = append(p.Errors, fault)
	}
	return p
}

// filesFailed is the answer where the app's own files have none.
func (s *Server) filesFailed(w http.ResponseWriter, r *http.Request, err error) {
	p := &edge.Problem{Code: "not_found", Err: err}
	switch {
	case errors.Is(err, static.ErrMethod):
		p.Code, p.Header = "method_not_allowed", http.Header{"Allow": {"GET, HEAD"}}
	case errors.Is(err, static.ErrDevServer):
		p.Code, p.Detail = "upstream_failed", "The development server does not answer. Start it, then reload."
	case errors.Is(err, static.ErrForeignOrigin):
		p.Code = "cross_site"
	case errors.Is(err, static.ErrRead):
		p.Code = "internal"
	}
	edge.Answer(w, r, p)
}

// observeUpstream notes how long the upstream took, which the access log and the metrics tell apart from our own share.
func observeUpstream(r *http.Request, d time.Duration) { edge.From(r.Context()).Upstream += d }
