package configs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Expectations is a file of what a team expects of its routes: this request, by this user, goes there.
type Expectations struct {
	// Users are the claims of an ID token, by a name of your choice.
	Users map[string]map[string]any `yaml:"users" default:"{}"`
	// Tests are requests and what becomes of them.
	Tests []Expectation `yaml:"tests" required:"true" example:"[{name: …, request: {path: /api/}, expect: {verdict: forwarded}}]"`

	places []routePlace
}

// Expectation is one request, and what becomes of it.
type Expectation struct {
	// Name says in words what is expected.
	Name string `yaml:"name" required:"true" example:"orders are for signed-in users"`
	// Request is what is asked.
	Request ExpectedRequest `yaml:"request"`
	// Expect is what becomes of it. Only keys that are there are compared.
	Expect Expected `yaml:"expect"`
}

// ExpectedRequest is a request as a client sends it.
type ExpectedRequest struct {
	// Method is the HTTP method.
	Method string `yaml:"method" default:"GET"`
	// Path is the path, perhaps with a query, as it is sent.
	Path string `yaml:"path" required:"true" example:"/api/orders/7"`
	// From is who asks: a script of the `app`, a `navigation` by hand, a script of an `other_site`, or a client that says `nowhere`.
	From string `yaml:"from" default:"app" enum:"app,navigation,other_site,nowhere"`
	// As names the user of `users` who is signed in. Empty: nobody is.
	As string `yaml:"as" default:""`
	// Headers are further headers of the request.
	Headers map[string]string `yaml:"headers" default:"{}"`
}

// Expected is what becomes of a request.
type Expected struct {
	// Verdict is what the server does with it.
	Verdict string `yaml:"verdict" default:"" enum:"forwarded,refused,sign_in,bounced,preflight,answered,app,endpoint"`
	// Route is the path pattern of its route.
	Route string `yaml:"route" default:""`
	// Status is that of the server's own answer; Code is the problem's.
	Status int    `yaml:"status" default:"0"`
	Code   string `yaml:"code" default:""`
	// Upstream is the URL that is asked.
	Upstream string `yaml:"upstream" default:""`
	// Headers are headers that the upstream gets, with these values.
	Headers map[string]string `yaml:"headers" default:"{}"`
	// Absent are headers that the upstream does not get.
	Absent []string `yaml:"absent" default:"[]"`
}

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

// Place is the file and line of a test.
func (x *Expectations) Place(test int) (file string, line int) {
	return x.places[test].file, x.places[test].line
}

// Validate reports what no key tells by itself.
func (x Expectations) Validate(report func(key, problem string)) {
	all := slices.Sorted(maps.Keys(x.Users))
	for _, name := range all {
		if _, ok := x.Users[name]["sub"].(string); !ok {
			report("users."+name, "has no sub, which every user has; write sub: "+name)
		}
	}
	for i, t := range x.Tests {
		key := fmt.Sprintf("tests[%d].", i)
		if _, ok := x.Users[t.Request.As]; t.Request.As != "" && !ok {
			problem := fmt.Sprintf("%q is no user of this file", t.Request.As)
			if best := nearest(t.Request.As, all); best != "" {
				problem += fmt.Sprintf(", did you mean %q?", best)
			}
			report(key+"request.as", problem)
		}
		if t.Request.Path != "" && !strings.HasPrefix(t.Request.Path, "/") {
			report(key+"request.path", fmt.Sprintf("%q must start with /", t.Request.Path))
		}
		if reflect.DeepEqual(t.Expect, Default[Expected]()) {
			report(key+"expect", "expects nothing; write at least a verdict")
		}
	}
}
