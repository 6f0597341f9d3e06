package configs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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

// writeSchema makes the schema of the files whose keys are those of root.
func writeSchema(t *testing.T, root reflect.Type, title string) string {
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
	s := r.ReflectFromType(root)
	s.Title = title
	described := map[reflect.Type]bool{}
	visitStructs(root, func(st reflect.Type) {
		if described[st] {
			return
		}
		described[st] = true
		def := s.Definitions[typeName(st)]
		if st == root {
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
		return orZero(`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$|` + expansionPattern)
	case reflect.TypeFor[units.Base2Bytes]():
		return orZero(size.String() + "|^0$|" + expansionPattern)
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

// orZero is text, or a plain 0, which needs no unit.
func orZero(pattern string) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string", Pattern: pattern}, {Type: "integer", Enum: []any{0}}}}
}

func orExpansion(kind string) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: kind}, {Type: "string", Pattern: expansionPattern}}}
}

// describe adds what our own tags say.
func describe(def *jsonschema.Schema, t reflect.Type) {
	for _, f := range fields(t) {
		i := f.index
		if f.inline {
			describe(def, t.Field(i).Type)
			continue
		}
		p, ok := def.Properties.Get(f.key)
		if !ok {
			continue
		}
		if (f.required || requires(t.Field(i).Type)) && !inheritable(t, f) {
			def.Required = append(def.Required, f.key)
		}
		if f.required {
			atLeastOne(p, t.Field(i).Type.Kind())
		}
		if f.hasDef && f.def == "" {
			p.MinLength = nil // of a secret that need not be there
		}
		if f.hasDef {
			p.Default = jsonDefault(t.Field(i).Type, f.def)
		}
		if f.example != "" && t.Field(i).Type.Kind() == reflect.String {
			p.Examples = []any{f.example}
		}
		enumerate(p, f)
		switch ft := t.Field(i).Type; {
		case f.short != "" && ft.Kind() == reflect.Slice:
			orShort(p.Items, ft.Elem(), f.short)
		case f.short != "":
			orShort(p, ft, f.short)
		}
		if f.single {
			orOne(p)
		}
	}
}

// atLeastOne lets nothing required be there and empty.
func atLeastOne(p *jsonschema.Schema, kind reflect.Kind) {
	switch kind {
	case reflect.String:
		p.MinLength = new(uint64(1))
	case reflect.Slice:
		p.MinItems = new(uint64(1))
	case reflect.Map:
		p.MinProperties = new(uint64(1))
	}
}

// requires tells whether a section cannot be left out, because one of its keys cannot.
func requires(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for _, f := range fields(t) {
		if f.required || requires(t.Field(f.index).Type) {
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
	for _, c := range []struct {
		file, title, embedded string
		root                  reflect.Type
	}{
		{"schema.json", "Cloakroom's configuration", Schema(), reflect.TypeFor[Config]()},
		{"routes.schema.json", "Routes that Cloakroom's configuration includes", RoutesSchema(), reflect.TypeFor[Routing]()},
		{"tests.schema.json", "What a team expects of Cloakroom's routes", TestsSchema(), reflect.TypeFor[Expectations]()},
	} {
		want := writeSchema(t, c.root, c.title)
		golden(t, c.file, want)
		if !*update && c.embedded != want {
			t.Errorf("the embedded %s is not the one on disk", c.file)
		}
	}
}

func compileSchema(t *testing.T, text string) *validate.Schema {
	t.Helper()
	doc, err := validate.UnmarshalJSON(strings.NewReader(text))
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
	s := compileSchema(t, Schema())
	for _, path := range append(examples(t), "reference.yaml") {
		if err := s.Validate(decodeYAML(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	routes := compileSchema(t, RoutesSchema())
	for _, path := range includedExamples(t) {
		if err := routes.Validate(decodeYAML(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func includedExamples(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("examples/*/*.yaml")
	if err != nil || len(found) < 2 {
		t.Fatalf("%d included examples (%v)", len(found), err)
	}
	return found
}

func TestSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	s := compileSchema(t, Schema())
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

// What an editor underlines should be what the server refuses, and the other way round.
func TestSchemaAndLoaderAgree(t *testing.T) {
	s := compileSchema(t, Schema())
	for _, c := range []struct {
		name, old, with string
		taken           bool
	}{
		{"the file itself", "", "", true},
		{"a duration of 0", "server:\n", "server:\n  shutdown_grace: 0\n", true},
		{"a duration of 0 with a unit", "server:\n", "server:\n  shutdown_grace: 0s\n", true},
		{"a duration with a fraction", "server:\n", "server:\n  shutdown_grace: 1.5s\n", true},
		{"a duration without a unit", "server:\n", "server:\n  shutdown_grace: 5\n", false},
		{"a duration with a space", "server:\n", "server:\n  shutdown_grace: 1m 5s\n", false},
		{"a size of 0", "upstream:", "response: {max_body: 0}\n    upstream:", true},
		{"a size of 0 in quotes", "upstream:", "response: {max_body: '0'}\n    upstream:", true},
		{"a size of 0B", "upstream:", "response: {max_body: 0B}\n    upstream:", true},
		{"a size without a unit", "upstream:", "response: {max_body: 5}\n    upstream:", false},
		{"an empty list", "upstream:", "methods: []\n    upstream:", true},
		{"text for a list", "upstream:", "methods: GET\n    upstream:", false},
		{"a word for a section", "upstream:", "token: client\n    upstream:", true},
		{"a section for the word", "upstream:", "token: {method: client, scopes: [a]}\n    upstream:", true},
		{"a wrong word for a section", "upstream:", "token: klient\n    upstream:", false},
		{"a word for a section that takes none", "upstream:", "request: strict\n    upstream:", false},
		{"yes", "upstream:", "cross_site_navigation: yes\n    upstream:", false},
		{"a number for text", "client_id: spa", "client_id: 7", false},
		{"an empty required text", "client_id: spa", "client_id: ''", false},
		{"an empty required list", "  secrets:\n    - Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta\n    - kJ8vN2mQ5xR7tY1zPw3C-Xn2Rk7Yc5Hs9\n", "  secrets: []\n", false},
		{"a duration from the environment", "server:\n", "server:\n  shutdown_grace: ${env:GRACE}\n", true},
		{"a boolean from the environment", "upstream:", "cross_site_navigation: ${env:FLAG}\n    upstream:", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.with, 1)
			sys := broken()
			sys.env = func(name string) (string, bool) {
				v, ok := map[string]string{"FLAG": "true", "GRACE": "5s"}[name]
				return v, ok
			}
			_, loader := parse("c.yaml", []byte(text), sys)
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			schema := s.Validate(decodeYAML(t, path))
			if (loader == nil) != c.taken || (schema == nil) != c.taken {
				t.Errorf("loader: %v\nschema: %v\nwant taken = %v", loader, schema, c.taken)
			}
		})
	}
}

var schemaLine = regexp.MustCompile(`(?m)^# yaml-language-server: \$schema=(\S+)$`)

var literalSecret = regexp.MustCompile(`(?m)^[^#\n]*(secret|secrets): *["\[]*([^$"\[\s{]|\{[^}])`)

// CFG-02: an example with a literal secret would be copied, secret and all.
func TestExamplesLoadAndHaveNoSecrets(t *testing.T) {
	sys := system{
		env: func(name string) (string, bool) { return "redis://redis:6379/0", name == "REDIS_URL" },
		read: func(path string) ([]byte, error) {
			switch filepath.Ext(path) {
			case ".yaml":
				return os.ReadFile(path)
			case ".pem":
				return someCertificate(t), nil
			}
			return []byte("Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta" + filepath.Base(path)), nil
		},
		list: os.ReadDir,
		stat: func(path string) (os.FileInfo, error) {
			switch filepath.Ext(path) {
			case ".pem":
				return os.Stat("doc.go")
			case ".yaml":
				return os.Stat(path)
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
	}
	for _, path := range slices.Concat(examples(t), includedExamples(t), []string{"reference.yaml", "../deploy/cloakroom.yaml"}) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		schema := schemaLine.FindSubmatch(data)
		if schema == nil {
			t.Errorf("%s names no schema", path)
		} else if _, err := os.Stat(filepath.Join(filepath.Dir(path), string(schema[1]))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if m := literalSecret.Find(data); m != nil {
			t.Errorf("%s has a literal secret: %s", path, m)
		}
	}
}
