package configs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/units"
	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"
	validate "github.com/santhosh-tekuri/jsonschema/v6"

	"cloakroom/configs/secret"
)

// expansionPattern is any text with ${env:…} or ${file:…}, which may stand for a value of any kind.
const expansionPattern = `\$\{(env|file):[^}]+\}`

func writeSchema(t *testing.T) string {
	t.Helper()
	d := readDocs(t)
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true, ExpandedStruct: true,
		Namer:  typeName,
		Mapper: scalarSchema,
		LookupComment: func(s reflect.Type, f string) string {
			return d[strings.TrimSuffix(s.PkgPath()+"."+s.Name()+"."+f, ".")]
		},
	}
	s := r.Reflect(&Config{})
	s.Title = "Cloakroom's configuration"
	visitStructs(reflect.TypeFor[Config](), func(st reflect.Type) {
		def := s.Definitions[typeName(st)]
		if st == reflect.TypeFor[Config]() {
			def = s
		}
		if def != nil { // an inline type has none: its keys are its owner's
			describe(def, st)
		}
	})
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}

// typeName keeps the Config types of the packages apart.
func typeName(t reflect.Type) string {
	if t.Name() == "" {
		return ""
	}
	return strings.TrimPrefix(strings.ReplaceAll(t.PkgPath(), "/", "."), "cloakroom.") + "." + t.Name()
}

// scalarSchema is the schema of the types that are text in YAML whatever they are in Go.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$|` + expansionPattern}
	case reflect.TypeFor[units.Base2Bytes]():
		return &jsonschema.Schema{Type: "string", Pattern: size.String() + "|" + expansionPattern}
	case reflect.TypeFor[secret.String]():
		return &jsonschema.Schema{Type: "string", MinLength: new(uint64(1))}
	}
	switch t.Kind() {
	case reflect.Bool:
		return orExpansion("boolean")
	case reflect.Int:
		return orExpansion("integer")
	}
	return nil
}

func orExpansion(kind string) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: kind}, {Type: "string", Pattern: expansionPattern}}}
}

// describe adds what our own tags say.
func describe(def *jsonschema.Schema, t reflect.Type) {
	for i := range t.NumField() {
		f := fieldOf(i, t.Field(i))
		if f.inline {
			describe(def, t.Field(i).Type)
			continue
		}
		p, ok := def.Properties.Get(f.key)
		if !ok {
			continue
		}
		if f.required || requires(t.Field(i).Type) {
			def.Required = append(def.Required, f.key)
		}
		if f.hasDef {
			p.Default = jsonDefault(t.Field(i).Type, f.def)
		}
		if f.example != "" && t.Field(i).Type.Kind() == reflect.String {
			p.Examples = []any{f.example}
		}
		enumerate(p, f)
	}
}

// requires tells whether a section cannot be left out, because one of its keys cannot.
func requires(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if f := fieldOf(i, t.Field(i)); f.required || requires(t.Field(i).Type) {
			return true
		}
	}
	return false
}

func enumerate(p *jsonschema.Schema, f field) {
	if f.enum == nil {
		return
	}
	if p.Items != nil {
		p = p.Items
	}
	values := make([]any, len(f.enum))
	for i, e := range f.enum {
		values[i] = e
	}
	p.AnyOf = []*jsonschema.Schema{{Enum: values}, {Pattern: expansionPattern}}
}

func jsonDefault(t reflect.Type, text string) any {
	switch {
	case t.Kind() == reflect.Slice:
		return append([]string{}, list(text)...)
	case t.Kind() == reflect.Map:
		return map[string]any{}
	case t.Kind() == reflect.Bool:
		return text == "true"
	case t.Kind() == reflect.Int:
		n, _ := strconv.Atoi(text)
		return n
	}
	return text
}

func TestSchemaIsUpToDate(t *testing.T) {
	golden(t, "schema.json", writeSchema(t))
	if !*update && Schema() != writeSchema(t) {
		t.Error("the embedded schema is not the one on disk")
	}
}

func compileSchema(t *testing.T) *validate.Schema {
	t.Helper()
	doc, err := validate.UnmarshalJSON(strings.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := validate.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decodeYAML(t *testing.T, path string) any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	v, err := validate.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func examples(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(found) == 0 {
		t.Fatalf("no examples (%v)", err)
	}
	return found
}

func TestSchemaTakesTheReferenceAndTheExamples(t *testing.T) {
	s := compileSchema(t)
	for _, path := range append(examples(t), "reference.yaml") {
		if err := s.Validate(decodeYAML(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	s := compileSchema(t)
	for _, name := range []string{
		"an_unknown_key_suggests_the_nearest_one", "missing_required_keys_point_at_their_parent", "a_duration_needs_its_unit",
		"a_size_needs_its_unit", "an_enum_lists_its_values", "signature_algorithms_none_and_HS256_are_refused",
		"a_missing_section_points_at_the_file", "a_boolean_is_true_or_false", "text_that_YAML_takes_for_a_number_needs_quotes",
	} {
		if s.Validate(decodeYAML(t, filepath.Join("testdata/broken", name+".yaml"))) == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
}

var literalSecret = regexp.MustCompile(`(?m)^[^#\n]*(secret|secrets): *["\[]*[^$"\[\s]`)

// CFG-02: an example with a literal secret would be copied, secret and all.
func TestExamplesLoadAndHaveNoSecrets(t *testing.T) {
	sys := system{
		env: func(name string) (string, bool) { return "redis://redis:6379/0", name == "REDIS_URL" },
		read: func(path string) ([]byte, error) {
			return []byte("Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta" + filepath.Base(path)), nil
		},
		stat: func(path string) (os.FileInfo, error) {
			if filepath.Ext(path) == ".pem" {
				return os.Stat("doc.go")
			}
			return os.Stat(".")
		},
	}
	for _, path := range append(examples(t), "reference.yaml") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(path, data, sys); err != nil {
			t.Errorf("%s:\n%v", path, err)
		}
		if !bytes.Contains(data, []byte("# yaml-language-server: $schema=")) {
			t.Errorf("%s names no schema", path)
		}
		if m := literalSecret.Find(data); m != nil {
			t.Errorf("%s has a literal secret: %s", path, m)
		}
	}
}
