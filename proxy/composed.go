package proxy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloakroom/proxy/compose"
)

// A composed route has no upstream of its own: its legs have one each, see legs.go and package compose. Its exchange is one like any other, but that it has several
// requests to several upstreams in place of ReverseProxy's one: what ends an exchange ends them all.

// compose answers a request with what its legs say.
func (x *exchange) compose() {
	if err := x.composable(); err != nil {
		x.refuse(err)
		return
	}
	x.bound(math.MaxInt32 * time.Second) // each leg has its own
	c, rt := x.route.composed, x.route
	x.legs = c
	var longest time.Duration
	answer, err := c.plan.Run(x, x.composeRequest(), x.fetch, func(leg string, o compose.Outcome, took time.Duration) {
		longest = max(longest, took)
		if observe := rt.deps.ObserveLeg; observe != nil {
			observe(rt, leg, string(o))
		}
	})
	if observe := rt.deps.ObserveUpstream; observe != nil && longest > 0 {
		observe(x.in, longest)
	}
	x.unbound()
	if err != nil {
		x.refuse(x.composeFault(err))
		return
	}
	x.answered.Store(true)
	x.send(answer)
}

// composable refuses what no leg would get.
func (x *exchange) composable() error {
	if x.in.ContentLength != 0 {
		return fmt.Errorf("%w: a body", ErrBadRequest)
	}
	return nil
}

// composeRequest is the client's request as package compose wants it.
func (x *exchange) composeRequest() compose.Request {
	return compose.Request{Path: x.route.composed.valuesOf(x.in.URL.Path), RawQuery: x.in.URL.RawQuery, Header: x.in.Header, User: x.caller.Shown}
}

// composeFault is what a composed answer's failure comes down to.
func (x *exchange) composeFault(err error) error {
	switch {
	case x.Err() != nil:
		return x.verdict(err)
	case errors.Is(err, compose.ErrRequest):
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return err // a LegFailure, or wraps ErrShape
}

// piece is how much of an answer is written at once, so that a client that takes nothing is noticed.
const piece = 64 << 10

// send gives the answer out. It is about a user, or may be: no cache keeps it (law 6).
func (x *exchange) send(a *compose.Answer) {
	h := x.w.Header()
	h["Content-Type"], h["Cache-Control"] = []string{"application/json"}, noStore
	h["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	if a.Partial != "" {
		h["X-Cloakroom-Partial"] = []string{a.Partial}
	}
	if by := x.route.Config.ShapeBy.Header; by != "" {
		h.Add("Vary", by)
	}
	x.w.WriteHeader(http.StatusOK)
	if x.in.Method == http.MethodHead {
		x.how = OverUpstream
		return
	}
	for part := range slices.Chunk(a.Body, piece) {
		x.client.SetWriteDeadline(time.Now().Add(x.route.Config.Idle))
		if x.ended() { // meanwhile: its deadline must not be moved on
			x.brokeOff(context.Cause(x))
			panic(http.ErrAbortHandler)
		}
		if _, err := x.w.Write(part); err != nil {
			panic(http.ErrAbortHandler) // nobody takes it
		}
	}
	x.how = OverUpstream
}

// validateCompose reports what is wrong with the keys of a composed route, and with what stands beside them.
func (c Config) validateCompose(report func(key, problem string)) {
	c.Config.Validate(valueNames(pathValues(c.Path)), report)
	if !c.On() {
		return
	}
	for key, given := range map[string]bool{
		"upstream": c.Upstream != "", "upstreams": len(c.Upstreams) > 0, "health.path": c.Health.Path != "", "strip_prefix": c.StripPrefix != "", "cross_site_navigation": c.CrossSiteNavigation,
	} {
		if given {
			report(key, "stands beside compose, whose legs say where the route goes; leave it out")
		}
	}
	for key, given := range map[string]bool{
		"request.openapi": c.Request.OpenAPI != "", "request.schema": c.Request.Schema != "", "response.openapi": c.Response.OpenAPI != "", "response.schema": c.Response.Schema != "",
	} {
		if given {
			report(key, "describes one upstream, and a route with compose has several; leave it out")
		}
	}
	for i, m := range c.Methods {
		if m != http.MethodGet && m != http.MethodHead {
			report(fmt.Sprintf("methods[%d]", i), m+" cannot be composed of several requests; a route with compose takes GET and HEAD")
		}
	}
	if by := c.ShapeBy.Header; by != "" && requestRule.refuses(http.CanonicalHeaderKey(by)) {
		report("shape_by.header", by+" is not for clients to send; take one such as X-Client")
	}
	for name, l := range c.Legs {
		validateLeg("compose."+name, l, report)
	}
}

// validateLeg reports what a leg's upstream could not be asked.
func validateLeg(key string, l compose.Leg, report func(key, problem string)) {
	if _, problem := readAddress(l.Origin()); problem != "" && l.URL != "" {
		report(key+".url", problem)
	}
	for header := range l.Headers {
		canonical := http.CanonicalHeaderKey(header)
		if requestRule.refuses(canonical) || slices.Contains([]string{"Accept", "Accept-Encoding", "Host", "Content-Length", "Range"}, canonical) || strings.HasPrefix(canonical, "If-") {
			report(key+".headers."+header, "is said by Cloakroom, or not at all")
		}
	}
}

// settled is c with what follows from it filled in.
func (c Config) settled() Config {
	if c.On() && len(c.Methods) == 0 {
		c.Methods = []string{http.MethodGet}
	}
	return c
}
