package schema

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxDescription bounds a description, in bytes.
const maxDescription = 4 << 20

// maxLevels bounds how deep its values lie in each other.
const maxLevels = 200

// Documents are the descriptions of all routes, each read and compiled once. It is for one goroutine, at the start.
type Documents struct {
	read func(path string) ([]byte, error)
	have map[string]*description
}

// NewDocuments reads descriptions by read, which bounds what it reads.
func NewDocuments(read func(path string) ([]byte, error)) *Documents {
	return &Documents{read: read, have: map[string]*description{}}
}

// description is one file.
type description struct {
	err     error
	root    map[string]any // nil for a JSON Schema that is true or false
	whole   any
	openapi bool                            // or a JSON Schema
	old     bool                            // OpenAPI 3.0, whose schemas are no JSON Schemas yet
	meters  *meters                         // nil where no schema leads back to itself
	views   map[bool][]*jsonschema.Compiler // of requests and, true, of responses: what is read-only may not come, what is write-only may not go
}

// open reads a file once, whatever it is.
func (d *Documents) open(path string, openapi bool) (*description, error) {
	key := fmt.Sprint(openapi, " ", path)
	if have, ok := d.have[key]; ok {
		return have, have.err
	}
	doc := &description{openapi: openapi, views: map[bool][]*jsonschema.Compiler{}}
	d.have[key] = doc
	data, err := d.read(path)
	switch {
	case err != nil:
		doc.err = err
	case len(data) > maxDescription:
		doc.err = fmt.Errorf("is larger than %d bytes", maxDescription)
	default:
		doc.err = doc.load(path, data, openapi)
	}
	return doc, doc.err
}

func (d *description) load(path string, data []byte, openapi bool) error {
	var err error
	if d.whole, err = decode(path, data); err != nil {
		return err
	}
	d.root, _ = d.whole.(map[string]any)
	if err := ownReferences(d.whole, "", 0); err != nil {
		return err
	}
	if refersBack(d.whole) {
		d.meters = newMeters()
	}
	if !openapi {
		return nil
	}
	return d.loadOpenAPI(data)
}

// decode reads YAML, or JSON. A key that is there twice is an error in both.
func decode(path string, data []byte) (v any, err error) {
	if strings.HasSuffix(path, ".json") {
		p := &parser{data: data, maxDepth: maxLevels, maxValues: maxDescription}
		if v = p.all(); p.malformed != nil {
			return nil, fmt.Errorf("%s: %s", p.malformed.refusal().Faults[0].Pointer, p.malformed.detail)
		}
		return v, nil
	}
	if err := yaml.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("is not YAML: %s", firstLine(err.Error()))
	}
	return v, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return cut(s, 300)
}

// ownReferences refuses references that lead elsewhere, before any library sees them.
func ownReferences(v any, at string, depth int) error {
	if depth > maxLevels {
		return fmt.Errorf("%s: is nested deeper than %d levels", place(cut(at, 100)), maxLevels)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sorted(v) {
			ref, isText := v[key].(string)
			if isText && (key == "$ref" || key == "$dynamicRef") && !strings.HasPrefix(ref, "#") {
				return fmt.Errorf("%s: reference to %q: nothing is loaded from elsewhere; put it into this file", place(at), cut(ref, 200))
			}
			if err := ownReferences(v[key], at+"/"+escapeToken(key), depth+1); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			if err := ownReferences(item, at+"/"+strconv.Itoa(i), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// place is a JSON pointer as error messages show it.
func place(pointer string) string { return "#" + pointer }

// loadOpenAPI has the document judged by a library that knows the specification.
func (d *description) loadOpenAPI(data []byte) error {
	version, _ := d.root["openapi"].(string)
	switch {
	case strings.HasPrefix(version, "3.0."):
		d.old = true
	case !strings.HasPrefix(version, "3.1."):
		return fmt.Errorf("#/openapi: %q is neither OpenAPI 3.0 nor 3.1", cut(version, 20))
	}
	if dialect, ok := d.root["jsonSchemaDialect"].(string); ok && dialect != baseDialect && dialect != draft2020 {
		return fmt.Errorf("#/jsonSchemaDialect: %q is not supported; leave it out for JSON Schema 2020-12", cut(dialect, 100))
	}
	loader := openapi3.NewLoader() // without external references and without a reader of URIs
	doc, err := loader.LoadFromData(data)
	if err != nil {
		return fmt.Errorf("is no OpenAPI document: %s", firstLine(err.Error()))
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation(),
		openapi3.DisableSchemaPatternValidation()); err != nil { // patterns are compiled where they are used, with their place
		return fmt.Errorf("is no valid OpenAPI document: %s", firstLine(err.Error()))
	}
	return nil
}

const (
	baseDialect = "https://spec.openapis.org/oas/3.1/dialect/base"
	draft2020   = "https://json-schema.org/draft/2020-12/schema"
)

// compile makes a schema of the place, in as many copies as there are meters.
func (d *description) compile(pointer string, response bool) (*compiled, error) {
	if d.views[response] == nil {
		if err := d.addView(response); err != nil {
			return nil, schemaError(pointer, err)
		}
	}
	out := &compiled{meters: d.meters}
	for _, c := range d.views[response] {
		s, err := c.Compile(here + "#" + (&url.URL{Fragment: pointer}).EscapedFragment())
		if err != nil {
			return nil, schemaError(pointer, err)
		}
		out.copies = append(out.copies, s)
	}
	return out, nil
}

// addView makes the compilers of one direction.
func (d *description) addView(response bool) error {
	doc := d.view(response)
	counters := []*meter{nil}
	if d.meters != nil {
		counters = d.meters.all
	}
	for _, m := range counters {
		c, err := newCompiler(doc, m)
		if err != nil {
			return err
		}
		d.views[response] = append(d.views[response], c)
	}
	return nil
}

// schemaError says what a compiler does not like, in a line.
func schemaError(pointer string, err error) error {
	text := err.Error()
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if failed, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			for len(failed.Causes) > 0 {
				failed = failed.Causes[0]
			}
			pointer = strings.TrimPrefix(invalid.URL, here+"#") // where references led
			for _, token := range failed.InstanceLocation {
				pointer += "/" + escapeToken(token)
			}
			text = failed.ErrorKind.LocalizedString(english())
		}
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, here+"#", "#"), here, "this file")
	return fmt.Errorf("%s: %s", place(pointer), cut(strings.ReplaceAll(text, "\n", " "), 300))
}

// follow goes along references until there is the thing itself.
func (d *description) follow(v any, pointer string) (map[string]any, string, error) {
	for range 32 {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, pointer, fmt.Errorf("%s: is no object", place(pointer))
		}
		ref, ok := m["$ref"].(string)
		if !ok {
			return m, pointer, nil
		}
		next := unfragment(ref)
		if next != "" && next[0] != '/' {
			return m, pointer, nil // an anchor: the compiler knows those
		}
		if v, ok = lookUp(d.whole, next); !ok {
			return nil, pointer, fmt.Errorf("%s: reference to %q leads nowhere", place(pointer), cut(ref, 200))
		}
		pointer = next
	}
	return nil, pointer, fmt.Errorf("%s: references lead in a circle", place(pointer))
}

// unfragment is the JSON pointer in a reference.
func unfragment(ref string) string {
	if pointer, err := url.PathUnescape(strings.TrimPrefix(ref, "#")); err == nil {
		return pointer
	}
	return ref
}

// lookUp finds the place of a JSON pointer.
func lookUp(v any, pointer string) (any, bool) {
	if pointer == "" {
		return v, true
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch node := v.(type) {
		case map[string]any:
			next, ok := node[token]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(node) {
				return nil, false
			}
			v = node[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// ReadFile reads a description: a regular file, so that no pipe or device keeps the start waiting.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a regular file")
	}
	if err == nil && info.Size() > maxDescription {
		err = fmt.Errorf("is larger than %d bytes", maxDescription)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
