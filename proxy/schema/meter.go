package schema

import (
	"runtime"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Meters, the reason: a validator tries every branch of a oneOf or anyOf to its end. Where a branch leads back to the whole, as in a filter made of filters, each level of a body doubles
// the work, and a kilobyte could keep a processor busy for years. So the work on schemas that refer back to themselves is counted, step by step, and given up
// when it is out of proportion to the body. The steps are counted by a `format` that every such schema is given: the validator asks formats before anything that takes long.
// Compiled schemas have no room for what belongs to one request; so there are a few copies of them, each with its own meter, and each used by one request at a time.

// Steps that a value may cost: some, and more for each value in it. 4,000 steps take some 10 ms.
const (
	stepsAtLeast  = 4_000
	stepsPerValue = 10
)

// meterFormat is the format that counts. It is no name of a real one.
const meterFormat = "cloakroom-step"

// meter counts the steps of one validation.
type meter struct{ left int }

// exhausted is what a meter panics with: there is no other way out of the validator.
type exhausted struct{}

// step counts one.
func (m *meter) step(any) error {
	if m.left--; m.left < 0 {
		panic(exhausted{})
	}
	return nil
}

// meters are the copies of a description that refers back to itself.
type meters struct {
	all  []*meter
	free chan int // indexes of those that nobody uses
}

func newMeters() *meters {
	m := &meters{free: make(chan int, runtime.GOMAXPROCS(0))}
	for i := range cap(m.free) {
		m.all = append(m.all, &meter{})
		m.free <- i
	}
	return m
}

// validate asks one of the copies of a schema. ok is false where it was given up.
func (m *meters) validate(copies []*jsonschema.Schema, v any) (err error, ok bool) {
	i := <-m.free
	defer func() {
		m.free <- i
		if p := recover(); p != nil {
			if _, is := p.(exhausted); !is {
				panic(p)
			}
			err, ok = nil, false
		}
	}()
	m.all[i].left = stepsAtLeast + stepsPerValue*count(v)
	return copies[i].Validate(v), true
}

// count is how many values there are in v.
func count(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			n += count(item)
		}
	case []any:
		for _, item := range v {
			n += count(item)
		}
	}
	return n
}

// metered gives a converted schema the format that counts. One of its own it keeps, beside.
func metered(out map[string]any) {
	if own, ok := out["format"]; ok {
		all, _ := out["allOf"].([]any)
		out["allOf"] = append(all[:len(all):len(all)], map[string]any{"format": own})
	}
	out["format"] = meterFormat
}

// refersBack reports whether some schema of a description leads back to itself. References by name are taken to.
func refersBack(whole any) bool {
	w := &walk{whole: whole, state: map[string]bool{}}
	w.visit(whole)
	return w.found
}

// walk goes along references.
type walk struct {
	whole any
	state map[string]bool // of a target: true while what is in it is looked at, false afterwards
	found bool
}

func (w *walk) visit(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			if ref, ok := item.(string); ok && (key == "$ref" || key == "$dynamicRef" || key == "$recursiveRef") {
				w.follow(key, ref)
				continue
			}
			w.visit(item)
		}
	case []any:
		for _, item := range v {
			w.visit(item)
		}
	}
}

func (w *walk) follow(key, ref string) {
	open, known := w.state[ref]
	if key != "$ref" || !strings.HasPrefix(ref, "#/") || open {
		w.found = true
	}
	if known || w.found {
		return
	}
	w.state[ref] = true
	if target, ok := lookUp(w.whole, unfragment(ref)); ok {
		w.visit(target)
	}
	w.state[ref] = false
}
