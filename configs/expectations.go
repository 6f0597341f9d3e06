package configs

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"cloakroom/bff/inbound"
)

// LoadExpectations reads the file at path. A mistake in it is reported as an [*Errors].
func LoadExpectations(path string) (*Expectations, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read expectations: %w", err)
	}
	d := newDecoder(path, filepath.Base(path), system{env: os.LookupEnv, read: readFile, stat: os.Stat})
	x := Default[Expectations]()
	if d.document(reflect.ValueOf(&x).Elem(), data) {
		d.validate(reflect.ValueOf(x), "")
	}
	if len(d.mistakes) > 0 {
		return nil, &Errors{Mistakes: d.sorted(), Files: []string{path}}
	}
	for i := range x.Tests {
		x.places = append(x.places, routePlace{d.source.file, d.places[fmt.Sprintf("tests[%d]", i)].line})
	}
	return &x, nil
}

// LoadCaller reads the file at path, which describes one caller. A mistake in it is reported as an [*Errors].
func LoadCaller(path string) (*ExpectedCaller, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read caller: %w", err)
	}
	d := newDecoder(path, filepath.Base(path), system{env: os.LookupEnv, read: readFile, stat: os.Stat})
	c := Default[ExpectedCaller]()
	if d.document(reflect.ValueOf(&c).Elem(), data) {
		d.validate(reflect.ValueOf(c), "")
	}
	if len(d.mistakes) > 0 {
		return nil, &Errors{Mistakes: d.sorted(), Files: []string{path}}
	}
	return &c, nil
}

// Place is the file and line of a test.
func (x *Expectations) Place(test int) (file string, line int) {
	return x.places[test].file, x.places[test].line
}

// Sender is who asks: From, or what it is where nothing is said.
func (r ExpectedRequest) Sender() string {
	switch {
	case r.From != "":
		return r.From
	case r.Caller != "":
		return "nowhere"
	}
	return "app"
}

// validate reports slips of the pen.
func (r ExpectedRequest) validate(report func(key, problem string)) {
	if problem := TargetProblem(r.Path); r.Path != "" && problem != "" {
		report("path", problem)
	}
	if problem := MethodProblem(r.Method); r.Method != "" && problem != "" {
		report("method", problem)
	}
	if _, err := time.Parse(time.RFC3339, r.Now); r.Now != "" && err != nil {
		report("now", fmt.Sprintf("%q is no time; write one such as 2026-11-23T10:00:00+01:00", r.Now))
	}
	if _, err := netip.ParseAddr(r.ClientIP); r.ClientIP != "" && err != nil {
		report("client_ip", fmt.Sprintf("%q is no address; write one such as 10.0.0.7", r.ClientIP))
	}
	if _, object := r.Resource.(map[string]any); r.Resource != nil && !object && r.Resource != "none" {
		report("resource", "is neither an object, such as {owner: alice}, nor the word none")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		if problem := HeaderProblem(name, r.Headers[name]); problem != "" {
			report("headers."+name, problem)
		}
	}
}

// Validate reports what no key tells by itself.
func (x Expectations) Validate(report func(key, problem string)) {
	all := slices.Sorted(maps.Keys(x.Users))
	for _, name := range all {
		if _, ok := x.Users[name]["sub"].(string); !ok {
			report("users."+name, "has no sub, which every user has; write sub: "+name)
		}
	}
	callers := slices.Sorted(maps.Keys(x.Callers))
	for i, t := range x.Tests {
		key := fmt.Sprintf("tests[%d].", i)
		isNamed(t.Request.As, "user", all, func(problem string) { report(key+"request.as", problem) })
		isNamed(t.Request.Caller, "caller", callers, func(problem string) { report(key+"request.caller", problem) })
		t.Request.validate(func(sub, problem string) { report(key+"request."+sub, problem) })
		if reflect.DeepEqual(t.Expect, Default[Expected]()) {
			report(key+"expect", "expects nothing; write at least a verdict")
		}
	}
}

// isNamed reports a name that the file does not give to anything.
func isNamed(name, what string, all []string, report func(problem string)) {
	if name == "" || slices.Contains(all, name) {
		return
	}
	problem := fmt.Sprintf("%q is no %s of this file", name, what)
	if best := nearest(name, all); best != "" {
		problem += fmt.Sprintf(", did you mean %q?", best)
	}
	report(problem)
}

// Validate reports what a credential of this kind does not say.
func (c ExpectedCaller) Validate(report func(key, problem string)) {
	bearer := c.Kind == inbound.KindBearer
	if sub, ok := c.Claims["sub"].(string); bearer && (!ok || sub == "") {
		report("claims", "have no sub, which every access token has; write sub: alice")
	}
	if bearer && c.Sub != "" {
		report("sub", "of a bearer is in its claims; write claims: {sub: …}")
	}
	if !bearer && c.Sub == "" {
		report("sub", "is missing: the ID of the API key, the user name, or the certificate's name such as dns:billing.internal")
	}
	if !bearer && len(c.Claims) > 0 {
		report("claims", "are those of an access token; only kind: bearer has such")
	}
	for key, list := range map[string][]string{"roles": c.Roles, "scopes": c.Scopes} {
		if len(list) > 0 && c.Kind != inbound.KindAPIKey {
			report(key, "are said by an API key alone; those of other callers are in the configuration, or in the token's claims")
		}
	}
}
