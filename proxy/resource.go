package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"cloakroom/proxy/compose"
)

// A route's resource, the rule: it is asked for like the one leg of a composed answer, by the same code and with the same bounds, but before the request is let through, for the rules
// to look at. What is remembered of it is remembered for one user.

// resource is what a route knows to find out about what a request is about.
type resource struct {
	*composed
	known *expirable.LRU[resourceOf, map[string]any] // nil: nothing is remembered
}

// resourceOf is whose view of which resource: what one user may see of it is not what another may, and what a header such as X-Tenant asks for is not what another one does.
type resourceOf struct {
	who, path, query string
	said             [sha256.Size]byte
}

const (
	// knownResources bounds how many answers a route remembers.
	knownResources = 1000
	// knownSize is the longest answer that is remembered, in bytes.
	knownSize = 16 << 10
)

func newResource(c *composed, cfg ResourceConfig) *resource {
	r := &resource{composed: c}
	if cfg.Cache > 0 {
		r.known = expirable.NewLRU[resourceOf, map[string]any](knownResources, nil, cfg.Cache)
	}
	return r
}

// HasResource reports whether rules can look at what a request is about.
func (rt *Route) HasResource() bool { return rt.resource != nil }

// Resource asks for the attributes of what r is about: a JSON object, which nobody may change. who tells apart whose view of it is remembered. An error is a [LegFailure], which has
// the upstream's status, or why there was nothing to ask for.
func (rt *Route) Resource(ctx context.Context, r *http.Request, c Caller, who string) (map[string]any, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x := &exchange{Context: ctx, cancel: cancel, route: rt, caller: c, in: r, legs: rt.resource.composed}
	request := compose.Request{Path: rt.resource.valuesOf(r.URL.Path)}
	key := resourceOf{who: who}
	if rt.resource.known != nil {
		targets, err := rt.resource.plan.Targets(request)
		if err != nil {
			return nil, err
		}
		key.path, key.query, key.said = targets[resourceLeg].Path, targets[resourceLeg].Query, x.said()
		if found, ok := rt.resource.known.Get(key); ok {
			return found, nil
		}
	}
	answer, err := rt.resource.plan.Run(x, request, x.fetch, func(leg string, o compose.Outcome, _ time.Duration) {
		if observe := rt.deps.ObserveLeg; observe != nil {
			observe(rt, leg, string(o))
		}
	})
	if err != nil {
		return nil, err
	}
	found, err := rt.parseResource(answer.Body)
	if err != nil {
		return nil, err
	}
	if rt.resource.known != nil && len(answer.Body) <= knownSize {
		rt.resource.known.Add(key, found)
	}
	return found, nil
}

// parseResource reads the composed answer of nothing but the resource.
func (rt *Route) parseResource(body []byte) (found map[string]any, err error) {
	var answer struct {
		Resource json.RawMessage `json:"resource"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("%w: the resource is no JSON", ErrUpstream)
	}
	if parse := rt.deps.ParseResource; parse != nil {
		found, err = parse(answer.Resource)
	} else {
		err = json.Unmarshal(answer.Resource, &found)
	}
	if err != nil || found == nil {
		return nil, fmt.Errorf("%w: the resource is no JSON object with one reading", ErrUpstream)
	}
	return found, nil
}

// said is what the client's headers ask of the look-up, in one word.
func (x *exchange) said() (digest [sha256.Size]byte) {
	h := http.Header{}
	for name, values := range x.in.Header {
		if !x.route.foreign(name) && !ofNoResource(name) {
			h[name] = values
		}
	}
	dropNamed(h, x.in.Header["Connection"])
	sum := sha256.New()
	text := func(s string) {
		sum.Write(binary.AppendUvarint(nil, uint64(len(s)))) // where one ends and the next begins
		sum.Write([]byte(s))
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		text(name)
		sum.Write(binary.AppendUvarint(nil, uint64(len(h[name]))))
		for _, v := range h[name] {
			text(v)
		}
	}
	sum.Sum(digest[:0])
	return digest
}

// ofNoResource reports whether a header says nothing about the resource: no leg sends it, or it is another one for each request by its nature.
func ofNoResource(name string) bool {
	return name == "Traceparent" || name == "Tracestate" || unfit(name)
}
