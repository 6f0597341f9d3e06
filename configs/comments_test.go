package configs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// docs are the doc comments of all Config types, by type and field name: "cloakroom/proxy.Config" and "cloakroom/proxy.Config.Path".
type docs map[string]string

// readDocs reads the sources of every package that has a part of the configuration.
func readDocs(t *testing.T) docs {
	t.Helper()
	d := docs{}
	packages := map[string]bool{}
	visitStructs(reflect.TypeFor[Config](), func(s reflect.Type) { packages[s.PkgPath()] = true })
	for p := range packages {
		d.readPackage(t, p)
	}
	return d
}

func visitStructs(t reflect.Type, visit func(reflect.Type)) {
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		visitStructs(t.Elem(), visit)
	case reflect.Struct:
		visit(t)
		for _, f := range fields(t) {
			visitStructs(t.Field(f.index).Type, visit)
		}
	}
}

func (d docs) readPackage(t *testing.T, path string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", strings.TrimPrefix(path, "cloakroom/"), "*config.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no config.go (%v)", path, err)
	}
	for _, file := range files {
		d.readFile(t, path, file)
	}
}

func (d docs) readFile(t *testing.T, path, file string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range f.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		for _, spec := range gen.Specs {
			d.readType(path, spec.(*ast.TypeSpec), gen.Doc.Text())
		}
	}
}

func (d docs) readType(path string, spec *ast.TypeSpec, doc string) {
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	name := path + "." + spec.Name.Name
	d[name] = plainDoc(spec.Name.Name, doc)
	for _, f := range s.Fields.List {
		for _, n := range f.Names {
			d[name+"."+n.Name] = plainDoc(n.Name, f.Doc.Text())
		}
	}
}

var spaces = regexp.MustCompile(`\s+`)

// plainDoc makes a Go comment one for readers of YAML: without the field's Go name at its beginning.
func plainDoc(name, doc string) string {
	doc = strings.TrimSpace(spaces.ReplaceAllString(doc, " "))
	for _, verb := range []string{" is ", " are ", " says ", ": ", " "} {
		if rest, ok := strings.CutPrefix(doc, name+verb); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return doc
}
