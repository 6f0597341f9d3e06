package configs

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// reference writes a configuration with every key, its default or an example, and its comment.
type reference struct {
	strings.Builder
	docs docs
}

const referenceHead = `# Cloakroom's configuration: every key with its default, and what it means.
# Keys marked "required" have no default, but an example. Leave out what you do not change.
# Made by go generate from the Config types; change their comments, not this file.
# yaml-language-server: $schema=schema.json
`

// shownByExample are keys of which one of several is needed: the reference shows their examples, so that it is a configuration.
var shownByExample = []string{"proxy.Upstream.url", "proxy.Config.upstream"}

// shownAside are sections that cannot stand beside others: the reference shows them as comments.
var shownAside = []string{
	"proxy.compose.Config.compose", "configs.Route.limit", "configs.Defaults.limit", "configs.Routing.rules", "bff.limit.Config.shared",
	"bff.inbound.Config.api_key", "bff.inbound.Config.basic", "bff.inbound.Config.bearer", "bff.inbound.Config.certificate",
}

func (r *reference) structure(t reflect.Type, indent string) {
	for _, f := range fields(t) {
		sf := t.Field(f.index)
		if f.inline {
			r.structure(sf.Type, indent)
			continue
		}
		if indent == "" {
			r.WriteByte('\n')
		}
		r.comment(r.docs[t.PkgPath()+"."+t.Name()+"."+sf.Name], f, indent)
		if slices.Contains(shownAside, typeName(t)+"."+f.key) {
			r.aside(sf.Type, f, indent)
			continue
		}
		f.required = f.required || slices.Contains(shownByExample, typeName(t)+"."+f.key)
		r.field(sf.Type, f, indent)
	}
}

// aside writes a section as its default, and what may be in it as comments.
func (r *reference) aside(t reflect.Type, f field, indent string) {
	if f.hasDef {
		fmt.Fprintf(r, "%s%s: %s\n", indent, f.key, f.def)
	}
	section := reference{docs: r.docs}
	section.field(t, f, "")
	for line := range strings.Lines(section.String()) {
		r.WriteString(indent + "# " + line)
	}
}

func (r *reference) comment(doc string, f field, indent string) {
	if f.required {
		doc = "Required. " + doc
	}
	if f.enum != nil {
		doc += " One of: " + strings.Join(f.enum, ", ") + "."
	}
	line := indent + "#"
	for _, w := range strings.Fields(doc) {
		if len(line)+1+len(w) > 110 {
			r.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + w
	}
	r.WriteString(line + "\n")
}

func (r *reference) field(t reflect.Type, f field, indent string) {
	elem := t
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		elem = t.Elem()
	}
	switch {
	case elem.Kind() != reflect.Struct:
		fmt.Fprintf(r, "%s%s: %s\n", indent, f.key, f.shown(t))
	case t.Kind() == reflect.Map:
		fmt.Fprintf(r, "%s%s:\n%s  main:\n", indent, f.key, indent)
		r.structure(elem, indent+"    ")
	case t.Kind() == reflect.Slice:
		fmt.Fprintf(r, "%s%s:\n%s  -\n", indent, f.key, indent)
		r.structure(elem, indent+"    ")
	default:
		fmt.Fprintf(r, "%s%s:\n", indent, f.key)
		r.structure(elem, indent+"  ")
	}
}

// shown is the default, or the example of a required key, as it stands in YAML.
func (f field) shown(t reflect.Type) string {
	text := f.def
	if f.required {
		text = f.example
	}
	if t.Kind() == reflect.String && (text == "" || strings.HasPrefix(text, ":")) {
		return fmt.Sprintf("%q", text)
	}
	return text
}

func writeReference(t *testing.T) string {
	r := reference{docs: readDocs(t)}
	r.WriteString(referenceHead)
	r.structure(reflect.TypeFor[Config](), "")
	return r.String()
}

func TestReferenceIsUpToDate(t *testing.T) {
	golden(t, "reference.yaml", writeReference(t))
}

func TestEveryKeyIsExplained(t *testing.T) {
	d := readDocs(t)
	visitStructs(reflect.TypeFor[Config](), func(s reflect.Type) {
		for _, f := range fields(s) {
			i := f.index
			name := s.PkgPath() + "." + s.Name() + "." + s.Field(i).Name
			if !f.inline && d[name] == "" {
				t.Errorf("%s has no comment", name)
			}
			if !f.inline && f.key == "" {
				t.Errorf("%s has no key", name)
			}
			if k := s.Field(i).Type.Kind(); !f.inline && !f.required && !f.hasDef && k != reflect.Struct {
				t.Errorf("%s is neither required nor has a default", name)
			}
			if f.required && f.example == "" {
				t.Errorf("%s is required and has no example", name)
			}
		}
	})
}

// What the reference shows as defaults are the defaults: with required keys alone, the same configuration comes out.
func TestReferenceEqualsTheDefaults(t *testing.T) {
	files := map[string]string{"/run/secrets/oidc": "b7Kq2Zt9Xw4Lm6Rc", "/run/secrets/session": "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta"}
	sys := system{
		env:  func(string) (string, bool) { return "", false },
		read: func(path string) ([]byte, error) { return []byte(files[path]), nil },
		stat: os.Stat,
		list: os.ReadDir,
	}
	full, err := parse("reference.yaml", []byte(writeReference(t)), sys)
	if err != nil {
		t.Fatal(err)
	}
	short, err := parse("short.yaml", []byte(`
server: {public_url: https://app.example.com}
providers: {main: {issuer: https://id.example.com, client_id: spa, client_secret: "${file:/run/secrets/oidc}"}}
session: {secrets: ["${file:/run/secrets/session}"]}
upstreams: {main: {url: http://orders:9001/v2}}
routes: [{path: /api/, upstream: http://orders:9001/v2}]
`), sys)
	if err != nil {
		t.Fatal(err)
	}
	full.read, short.read = sources{}, sources{}
	if !reflect.DeepEqual(full, short) {
		t.Errorf("got  %+v\nwant %+v", full, short)
	}
}
