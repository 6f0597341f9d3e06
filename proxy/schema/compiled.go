package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// maxPlaces bounds the places of a Refusal.
const maxPlaces = 5

// compiled is one schema, ready to be asked from many goroutines.
type compiled struct {
	copies []*jsonschema.Schema
	meters *meters // nil: one copy, whose work is bounded by itself
}

// nowhere loads nothing: what a reference leads to must be in the same file.
type nowhere struct{}

// Load refuses.
func (nowhere) Load(url string) (any, error) {
	return nil, fmt.Errorf("reference to %.200q: nothing is loaded from elsewhere; put it into this file", strings.TrimPrefix(url, here))
}

// here is the name under which the compiler knows a description. Relative references resolve to it, and not to a file.
const here = "cloakroom:///description"

// newCompiler knows one document and nothing else.
func newCompiler(doc any, m *meter) (*jsonschema.Compiler, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nowhere{})
	c.UseRegexpEngine(compilePattern)
	c.AssertFormat()
	for _, f := range formats {
		c.RegisterFormat(&f)
	}
	if m != nil {
		c.RegisterFormat(&jsonschema.Format{Name: meterFormat, Validate: m.step})
	}
	return c, c.AddResource(here, doc)
}

// codeUnit is how JavaScript writes a character that Go writes \x{…}.
var codeUnit = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// compilePattern makes an RE2 pattern, whose time is linear in the input.
func compilePattern(s string) (jsonschema.Regexp, error) {
	re, err := regexp.Compile(codeUnit.ReplaceAllString(s, `\x{$1}`))
	if err != nil {
		return nil, fmt.Errorf("pattern %.100q is not RE2, which has no lookaround and no back references: %w", s, err)
	}
	return re, nil
}

// formats are those of OpenAPI that JSON Schema does not have.
var formats = []jsonschema.Format{
	{Name: "int32", Validate: fits(32)},
	{Name: "int64", Validate: fits(64)},
}

// fits judges whole numbers, however they are written: 1e30 is one. Others the schema's type refuses.
func fits(bits int) func(any) error {
	most := math.Ldexp(1, bits-1)
	return func(v any) error {
		number, ok := v.(json.Number)
		if !ok {
			return nil
		}
		_, err := strconv.ParseInt(number.String(), 10, bits)
		if err == nil {
			return nil
		}
		f, _ := number.Float64() // infinite where it is larger still
		if errors.Is(err, strconv.ErrRange) || f >= most || f < -most {
			return errors.New("is too large")
		}
		return nil
	}
}

// check holds v against the schema.
func (c *compiled) check(v any, reason string) *Refusal {
	err, ok := c.validate(v)
	if !ok {
		return badBody(http.StatusBadRequest, ReasonTooComplex, "takes too long to check")
	}
	if err == nil {
		return nil
	}
	r := &Refusal{Status: http.StatusBadRequest, Reason: reason}
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return badBody(http.StatusBadRequest, reason, "does not fit its schema")
	}
	r.leaves(failed)
	slices.SortFunc(r.Faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Detail, b.Detail))
	})
	slices.Sort(r.Places)
	return r
}

func english() *message.Printer { return message.NewPrinter(language.English) }

// validate asks the schema; not to its end where that would take too long.
func (c *compiled) validate(v any) (err error, ok bool) {
	if c.meters == nil {
		return c.copies[0].Validate(v), true
	}
	return c.meters.validate(c.copies, v)
}

// leaves collects what is at the ends of the tree of errors; what is above only repeats it.
func (r *Refusal) leaves(e *jsonschema.ValidationError) {
	if len(r.Faults) >= maxFaults {
		return
	}
	for _, cause := range e.Causes {
		r.leaves(cause)
	}
	if len(e.Causes) > 0 {
		return
	}
	r.place(placeOf(e))
	at := func(name string) string { return pointer(append(append([]string{}, e.InstanceLocation...), name)) }
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			r.add(Fault{Pointer: at(name), Detail: "is missing"})
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			r.add(Fault{Pointer: at(name), Detail: "is not a field of this object"})
		}
	default:
		r.add(Fault{Pointer: pointer(e.InstanceLocation), Detail: detail(k)})
	}
}

// placeOf is where in the description the broken rule stands.
func placeOf(e *jsonschema.ValidationError) string {
	place := strings.TrimPrefix(e.SchemaURL, here)
	for _, word := range e.ErrorKind.KeywordPath() {
		place += "/" + escapeToken(word)
	}
	return cut(place, maxPointer)
}
