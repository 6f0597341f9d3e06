package configs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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

// Place is the file and line of a test.
func (x *Expectations) Place(test int) (file string, line int) {
	return x.places[test].file, x.places[test].line
}

// validate reports slips of the pen.
func (r ExpectedRequest) validate(report func(key, problem string)) {
	if problem := TargetProblem(r.Path); r.Path != "" && problem != "" {
		report("path", problem)
	}
	if problem := MethodProblem(r.Method); r.Method != "" && problem != "" {
		report("method", problem)
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
	for i, t := range x.Tests {
		key := fmt.Sprintf("tests[%d].", i)
		if _, ok := x.Users[t.Request.As]; t.Request.As != "" && !ok {
			problem := fmt.Sprintf("%q is no user of this file", t.Request.As)
			if best := nearest(t.Request.As, all); best != "" {
				problem += fmt.Sprintf(", did you mean %q?", best)
			}
			report(key+"request.as", problem)
		}
		t.Request.validate(func(sub, problem string) { report(key+"request."+sub, problem) })
		if reflect.DeepEqual(t.Expect, Default[Expected]()) {
			report(key+"expect", "expects nothing; write at least a verdict")
		}
	}
}
