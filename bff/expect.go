package bff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"cloakroom/bff/inbound"
	"cloakroom/bff/policy"
	"cloakroom/configs"
)

// Difference is something in an explanation that is not as expected.
type Difference struct{ What, Want, Got string }

// Ask explains the request of an expectation.
func (e *Explainer) Ask(r configs.ExpectedRequest, x *configs.Expectations) Explanation {
	req := Request{Method: r.Method, Target: r.Path, Header: From(r.Sender()), Claims: x.Users[r.As], OPA: r.OPA, NoResource: r.Resource == "none"}
	if c, ok := x.Callers[r.Caller]; ok {
		req.Caller = Described(&c)
	}
	// What cannot be read was a mistake of the file's.
	req.Now, _ = time.Parse(time.RFC3339, r.Now)
	req.Client, _ = netip.ParseAddr(r.ClientIP)
	if object, ok := r.Resource.(map[string]any); ok {
		req.Resource = asResource(object)
	}
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	switch body := r.Body.(type) {
	case nil:
	case string:
		req.Carry([]byte(body))
	default:
		text, err := json.Marshal(body)
		if err != nil {
			text = []byte(fmt.Sprint(body)) // of what YAML can say, JSON has all
		}
		req.Carry(text)
	}
	return e.Explain(req)
}

// Described is a caller of an expectation as a request has it.
func Described(c *configs.ExpectedCaller) *inbound.Description {
	return &inbound.Description{Kind: c.Kind, Subject: c.Sub, Roles: c.Roles, Scopes: c.Scopes, Claims: c.Claims}
}

// asResource is an object as an upstream would send it, whose numbers are text.
func asResource(object map[string]any) map[string]any {
	text, err := json.Marshal(object)
	if err != nil {
		return object
	}
	read, err := policy.ParseResource(text)
	if err != nil {
		return object
	}
	return read
}

// Carry gives the request a body: as JSON, if its headers do not say what it is.
func (r *Request) Carry(body []byte) {
	if r.Body = append([]byte{}, body...); len(body) > 0 && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
}

// Differs compares an explanation with what is expected. Only what the expectation names is compared.
func (x Explanation) Differs(want configs.Expected) []Difference {
	var all []Difference
	compare := func(what, want, got string) {
		if want != got {
			all = append(all, Difference{what, want, got})
		}
	}
	given := func(what, want, got string) {
		if want != "" {
			compare(what, want, got)
		}
	}
	given("verdict", want.Verdict, x.Verdict)
	given("route", want.Route, x.route())
	if want.Status != 0 {
		compare("status", strconv.Itoa(want.Status), x.status())
	}
	given("code", want.Code, cmp.Or(x.Code, "none"))
	given("rule", want.Rule, cmp.Or(x.Rule, "none"))
	given("reason", want.Reason, cmp.Or(x.Reason, "none"))
	given("upstream", want.Upstream, cmp.Or(x.Upstream, "none"))
	for _, name := range slices.Sorted(maps.Keys(want.Headers)) {
		got := "none"
		if values := x.Headers.Values(name); len(values) > 0 {
			got = fmt.Sprintf("%q", values[0])
		}
		compare("header "+http.CanonicalHeaderKey(name), fmt.Sprintf("%q", want.Headers[name]), got)
	}
	for _, name := range want.Absent {
		if values := x.Headers.Values(name); len(values) > 0 {
			compare("header "+http.CanonicalHeaderKey(name), "none", fmt.Sprintf("%q", values[0]))
		}
	}
	return all
}

func (x Explanation) route() string {
	if x.Route == nil {
		return "none"
	}
	return x.Route.Path
}

// status is that of the answer, as far as it is known.
func (x Explanation) status() string {
	switch {
	case x.Status != 0:
		return strconv.Itoa(x.Status)
	case x.Verdict == Forwarded:
		return "the upstream's own"
	}
	return "not known beforehand"
}
