package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloakroom/proxy/compose"
	"cloakroom/proxy/tokens"
)

// Legs, the rule: what a leg's upstream gets is what a route's would, by the same code, and less: nothing that depends on an earlier answer of the same address, or
// asks for another form than JSON as it is.

// composed is what a composed route has in place of an upstream.
type composed struct {
	plan   *compose.Plan
	legs   map[string]*leg
	values []pathValue
}

// leg is where the requests of one leg go, and with which token.
type leg struct {
	compose.Leg
	token         tokens.Token
	base, rawBase string
	up            *service
}

// pathValue is where a value stands in the path of a request.
type pathValue struct {
	name    string
	segment int
	rest    bool
}

// LegFailure is a required leg that failed.
type LegFailure = compose.Failure

// LegTimedOut is the Outcome of a leg that did not answer in time.
const LegTimedOut = compose.TimedOut

// LegNoRoom is the Outcome of a leg for whose answer there was no memory left.
const LegNoRoom = compose.NoRoom

// Room is the memory that all composed answers may take together.
type Room = compose.Room

// NewRoom makes a room of so many bytes.
func NewRoom(bytes int64) *Room { return compose.NewRoom(bytes) }

// ErrShape is wrapped where the shape of a composed route made no answer of its legs.
var ErrShape = compose.ErrShape

// pathValues are the wildcards of a route's path.
func pathValues(path string) (values []pathValue) {
	for i, s := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		name, ok := strings.CutPrefix(s, "{")
		if !ok || s == "{$}" {
			continue
		}
		name = strings.TrimSuffix(name, "}")
		plain, rest := strings.CutSuffix(name, "...")
		values = append(values, pathValue{name: plain, segment: i, rest: rest})
	}
	return values
}

// valueNames are the names as compose wants them: of one that takes several segments with its dots.
func valueNames(values []pathValue) (names []string) {
	for _, v := range values {
		if v.rest {
			names = append(names, v.name+"...")
		} else {
			names = append(names, v.name)
		}
	}
	return names
}

// valuesOf takes the values out of a request's path.
func (c *composed) valuesOf(path string) map[string]string {
	out := make(map[string]string, len(c.values))
	for _, v := range c.values {
		out[v.name] = v.of(path)
	}
	return out
}

// of takes the value out of a path. It is empty for the bare path of a pattern that ends in {rest...}.
func (v pathValue) of(path string) string {
	path = strings.TrimPrefix(path, "/")
	for range v.segment {
		_, after, ok := strings.Cut(path, "/")
		if !ok {
			return ""
		}
		path = after
	}
	if v.rest {
		return path
	}
	path, _, _ = strings.Cut(path, "/")
	return path
}

// legToken is the token that a leg's upstream gets: its own, or where it has none the route's.
func (c Config) legToken(l compose.Leg) tokens.Token {
	own := l.Token
	if (own.Method == "auto" || own.Method == "") && own.Audience == "" && own.Resource == "" && len(own.Scopes) == 0 {
		own = c.Token
	}
	return tokens.Of(own, c.Auth != "none")
}

// Tokens are all that the route's requests may need: its own, or its legs'.
func (rt *Route) Tokens() []tokens.Token {
	var all []tokens.Token
	if rt.composed == nil {
		all = append(all, rt.Token)
	} else {
		all = rt.composed.tokens()
	}
	if rt.resource != nil {
		all = append(all, rt.resource.tokens()...)
	}
	return all
}

func (c *composed) tokens() (all []tokens.Token) {
	for _, l := range c.legs {
		all = append(all, l.token)
	}
	return all
}

// compileLegs finds the upstreams of a route's legs.
func (t *Table) compileLegs(c Config, legs compose.Config, d Deps, upstreams map[string]Upstream, previous *Table) (*composed, error) {
	values := pathValues(c.Path)
	plan, err := compose.New(legs, valueNames(values), int64(c.Response.MaxBody), d.Room)
	if err != nil {
		return nil, err
	}
	out := &composed{plan: plan, legs: map[string]*leg{}, values: values}
	for name, l := range legs.Legs {
		own := Config{Upstream: l.Origin()}
		config, err := own.Resolve(upstreams)
		if err != nil {
			return nil, fmt.Errorf("compose.%s.%w", name, err)
		}
		all, err := config.addresses()
		if err != nil {
			return nil, fmt.Errorf("compose.%s.upstream: %w", name, err)
		}
		up, err := t.service(own.UpstreamName(), config.withDefaults(), all, d, previous)
		if err != nil {
			return nil, fmt.Errorf("compose.%s.upstream: %w", name, err)
		}
		out.legs[name] = &leg{Leg: l, token: c.legToken(l), base: all[0].base, rawBase: escaped(all[0].base), up: up}
	}
	return out, nil
}

// fetch asks a leg's upstream, with the one replay after a renewed token.
func (x *exchange) fetch(ctx context.Context, name string, t compose.Target) (*http.Response, error) {
	l := x.legs.legs[name]
	path := l.base + t.Path
	if problem := pathProblem(path); problem != "" || hidesSeparator(t.RawPath) {
		return nil, fmt.Errorf("%w: %s", compose.ErrRequest, problem) // a second lock: compose lets none through
	}
	begun := time.Now()
	bearer, renew, err := l.bearer(ctx, x.caller)
	spent := time.Since(begun)
	if errors.Is(err, ErrEnded) {
		x.cancel(err) // for optional legs too: what the others say is of an ended session
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", compose.ErrToken, err)
	}
	res, err := l.ask(x, l.less(ctx, spent), path, t, bearer)
	if err == nil {
		if err := x.challenged(res); err != nil { // whatever the other legs say: the user can do something about this one
			res.Body.Close()
			x.cancel(err)
			return nil, err
		}
	}
	if err == nil && res.StatusCode == http.StatusUnauthorized && bearer != "" && renew != nil {
		// Several legs may do this at the same time: the session gets one newer token, and each of them that.
		begun := time.Now()
		newer, ok := renew(ctx)
		spent += time.Since(begun)
		if ok && newer != "" {
			io.CopyN(io.Discard, res.Body, 4<<10) // a short answer read to its end leaves the connection fit for use
			res.Body.Close()
			res, err = l.ask(x, l.less(ctx, spent), path, t, newer)
		}
	}
	if err != nil {
		return nil, loggable(err)
	}
	return res, nil
}

// less is ctx for a server that is left less than the leg's timeout, because its token took some of that. If that was more than a tenth, the server is not blamed for not
// answering in time.
func (l *leg) less(ctx context.Context, spent time.Duration) context.Context {
	if spent <= l.Timeout/10 {
		return ctx
	}
	return context.WithValue(ctx, hurriedKey{}, true)
}

// hurriedKey marks the context of a request whose server has less time than the configuration gives it.
type hurriedKey struct{}

// bearer is the token that the leg's upstream gets, and how a newer one is had. There is no second choice: where its own cannot be had it is none's.
func (l *leg) bearer(ctx context.Context, c Caller) (bearer string, renew func(context.Context) (string, bool), err error) {
	switch {
	case l.token.Method == tokens.None:
		return "", nil, nil
	case c.TokenFor != nil:
		return c.TokenFor(ctx, l.token)
	case l.token.Method == tokens.Session:
		return c.Bearer, c.Renew, nil
	}
	return "", nil, errNoToken
}

var errNoToken = errors.New("the caller has none to give")

// ask sends one request of a leg.
func (l *leg) ask(x *exchange, ctx context.Context, path string, t compose.Target, bearer string) (*http.Response, error) {
	out := l.request(x, ctx, path, t, bearer)
	if _, said := out.Header["User-Agent"]; !said {
		out.Header["User-Agent"] = []string{""} // or net/http would say its own name in the client's place
	}
	return l.up.send(out, false)
}

// request makes one request of a leg.
func (l *leg) request(x *exchange, ctx context.Context, path string, t compose.Target, bearer string) *http.Request {
	own := &exchange{Context: ctx, route: x.route, caller: x.caller, in: x.in}
	own.caller.Bearer = bearer
	h := own.outgoing()
	for name := range h {
		if unfit(name) {
			delete(h, name)
		}
	}
	h["Accept"] = []string{"application/json"}
	for name, value := range l.Headers {
		h[http.CanonicalHeaderKey(name)] = []string{string(value)}
	}
	out := &http.Request{Method: http.MethodGet, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL: &url.URL{Path: path, RawPath: l.rawBase + t.RawPath, RawQuery: t.Query}}
	return out.WithContext(ctx)
}

// unfit reports whether a header of the client's says nothing that is true of a leg's request.
func unfit(name string) bool {
	return strings.HasPrefix(name, "If-") || strings.HasPrefix(name, "Content-") || name == "Range" || name == "Accept-Encoding" || name == "Accept"
}
