package bff

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"cloakroom/bff/edge"
	"cloakroom/bff/inbound"
	"cloakroom/bff/provider"
	"cloakroom/proxy"
	"cloakroom/proxy/tokens"
	"cloakroom/session"
)

// bearer is what an upstream gets, and how another one is had where the upstream refuses it. The zero value is none.
type bearer struct {
	token string
	renew func(context.Context) (string, bool)
}

// bearer returns the token that a route wants, made from a session. It is that one or an error: no other takes its place, since that might open more than
// the route is for (OAX-04).
func (s *site) bearer(ctx context.Context, sess *session.Session, t tokens.Token) (bearer, error) {
	switch {
	case t.Method == tokens.Session && !s.now().Before(sess.Tokens.Expires): // of a leg whose route can do without, see fresh
		return bearer{}, session.ErrNoToken
	case t.Method == tokens.Session:
		return bearer{sess.Tokens.Access, s.renewer(sess)}, nil
	case t.Method == tokens.Client:
		return s.machineBearer(ctx, t)
	case t.Grant():
		return s.grantBearer(ctx, sess, t)
	}
	return bearer{}, nil // token: none
}

// introduce is what the proxy must know of any request's visitor.
func (s *site) introduce(rec *edge.Record, v visitor) proxy.Caller {
	return proxy.Caller{Proto: s.origin.Scheme, Host: s.origin.Host, ClientIP: rec.ClientIP, RequestID: rec.ID, User: v.user()}
}

// onBehalfOf is what a route's upstream gets of the visitor: the token that the route wants, and who it is.
func (s *site) onBehalfOf(r *http.Request, route *proxy.Route, v visitor) (c proxy.Caller, err error) {
	cfg := &route.Config
	c = s.introduce(edge.From(r.Context()), v)
	switch {
	case v.sess != nil:
		c.Track, c.Challenged = s.streams.tracker(v.sess, r), s.challenged(r, v)
	case v.caller != nil:
		c.Track = s.callersTracker(r, v.caller)
	}
	if v.known != nil {
		if c.Assertion, err = s.assert(v, cfg); err != nil {
			return proxy.Caller{}, err
		}
	}
	if cfg.On() { // legs get their own
		c.TokenFor = s.legTokens(r, route, v)
		if v.sess != nil {
			c.Shown = func() any { return s.shapeUser(v.sess) }
		}
		return c, nil
	}
	b, err := s.visitorsBearer(r, route, v)
	c.Bearer, c.Renew = b.token, b.renew
	return c, err
}

// visitorsBearer is the token that an upstream gets. Who has no session has no token of ours; what a caller came with goes on where the route says so, and one of this server's own
// where it says that.
func (s *site) visitorsBearer(r *http.Request, route *proxy.Route, v visitor) (bearer, error) {
	switch {
	case v.sess != nil:
		return s.bearer(r.Context(), v.sess, route.Token)
	case s.passes(route, v):
		return bearer{token: token(r)}, nil
	case route.Token.Method == tokens.Client:
		return s.machineBearer(r.Context(), route.Token)
	}
	return bearer{}, nil
}

// passes reports whether a route's upstream gets the token that a caller came with.
func (s *site) passes(route *proxy.Route, v visitor) bool {
	return v.caller != nil && v.caller.Kind == inbound.KindBearer && s.rules[route.Index()].pass
}

// fresh returns the session with an access token that is good for a while, whatever the route sends: with it come the user's newest roles, and the end of a session that the
// provider does not prolong. But while the provider is away, a route that does not send it can do without.
func (s *site) fresh(ctx context.Context, sess *session.Session, route *proxy.Route) (*session.Session, error) {
	newer, err := s.sessions.AccessToken(ctx, sess)
	if errors.Is(err, errNoIssuer) {
		return nil, fmt.Errorf("%w: %w", session.ErrNone, err) // nobody can say any more that the user is who he was
	}
	if errors.Is(err, session.ErrNoToken) && doesWithout(route) {
		return sess, nil
	}
	return newer, err
}

// doesWithout reports whether a route's request can be made without the session's access token. Of a composed answer each leg knows for itself: those
// that send it fail, and those that can be left out are.
func doesWithout(route *proxy.Route) bool {
	return route.Config.On() || route.Token.Method != tokens.Session
}

// legTokens gets the tokens of a composed answer's legs, and of the resource that rules look at. It is called from several goroutines.
func (s *site) legTokens(r *http.Request, route *proxy.Route, v visitor) func(context.Context, tokens.Token) (string, func(context.Context) (string, bool), error) {
	return func(ctx context.Context, t tokens.Token) (string, func(context.Context) (string, bool), error) {
		var b bearer
		var err error
		switch {
		case v.sess != nil:
			b, err = s.bearer(ctx, v.sess, t)
		case t.Method == tokens.Session && s.passes(route, v):
			b.token = token(r)
		case t.Method == tokens.Client:
			b, err = s.machineBearer(ctx, t)
		}
		if errors.Is(err, session.ErrNone) {
			return "", nil, fmt.Errorf("%w: %w", proxy.ErrEnded, s.tokenProblem(err))
		}
		if err != nil {
			return "", nil, s.tokenProblem(err)
		}
		return b.token, b.renew, nil
	}
}

// renewer is how the proxy gets another access token when the upstream refuses this one with 401.
func (s *site) renewer(sess *session.Session) func(context.Context) (string, bool) {
	return func(ctx context.Context) (string, bool) {
		newer, err := s.sessions.OtherToken(ctx, sess)
		if err != nil || newer.Tokens.Access == sess.Tokens.Access {
			return "", false
		}
		return newer.Tokens.Access, true
	}
}

// grantBearer is the user's token for the route's upstream alone.
func (s *site) grantBearer(ctx context.Context, sess *session.Session, t tokens.Token) (bearer, error) {
	target := s.target(t)
	g, err := s.sessions.Grant(ctx, sess, target)
	if err != nil {
		return bearer{}, noGrant{err}
	}
	return bearer{g.Access, func(ctx context.Context) (string, bool) {
		other, err := s.sessions.OtherGrant(ctx, sess, target, g)
		return other.Access, err == nil && other.Access != g.Access
	}}, nil
}

// noGrant is an error about a token that is not the session's own.
type noGrant struct{ error }

// Unwrap returns the cause.
func (e noGrant) Unwrap() error { return e.error }

// tokenProblem is the answer to a request that cannot have its token, or its session.
func (s *site) tokenProblem(err error) error {
	_, ofGrant := errors.AsType[noGrant](err)
	switch {
	case errors.Is(err, errNoIssuer):
		return &edge.Problem{Code: "signed_out", Login: loginPath, Err: err}
	case errors.Is(err, session.ErrGrantRefused):
		return &edge.Problem{Code: "token_refused", Err: err}
	case errors.Is(err, session.ErrNotAsked):
		return &edge.Problem{Code: "sign_in_again", Login: loginPath, Err: err}
	case ofGrant && (errors.Is(err, session.ErrNoToken) || errors.Is(err, provider.ErrUnavailable)):
		return &edge.Problem{Code: "token_unavailable", RetryAfter: retryAfter, Err: err}
	}
	return s.sessionProblem(err)
}

// resources are what users are asked for at sign-in, because routes want tokens for them that come by a refresh.
func resources(table *proxy.Table) (all []string) {
	for _, r := range table.Routes() {
		for _, t := range r.Tokens() {
			if t.Method == tokens.Refresh {
				all = append(all, t.Resource)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// marks are the resources as a session remembers them.
func marks(resources []string) (all []string) {
	for _, r := range resources {
		all = append(all, tokens.Mark(r))
	}
	return all
}
