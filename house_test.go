// Package house_test holds the rules of the house that a program can check: who may import whom, what is
// explained, what is never used.
package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "cloakroom"

// file is one parsed Go file of the module.
type file struct {
	path  string // from the module's root
	dir   string // its package's folder
	lines int
	set   *token.FileSet
	tree  *ast.File
}

func (f file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

// at is a position in the file, for messages.
func (f file) at(p token.Pos) string {
	return f.path + ":" + strconv.Itoa(f.set.Position(p).Line)
}

// house is every Go file of the module. Other modules in its folders, and what npm brought, are not ours.
func house(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		lines := set.Position(tree.FileEnd).Line
		files = append(files, file{path: path, dir: filepath.Dir(path), lines: lines, set: set, tree: tree})
		return nil
	})
	if err != nil || len(files) < 50 {
		t.Fatalf("%d Go files (%v)", len(files), err)
	}
	return files
}

// may says what a package may import of ours. A new package is added here on purpose, or not at all.
var may = map[string][]string{
	".":                 {},
	"cmd/cloakroom":     {"bff", "configs"},
	"cmd/demo":          {"bff", "configs", "bff/idp", "web"},
	"cmd/devprovider":   {"bff/idp"},
	"bff":               {"bff/edge", "bff/assertion", "bff/certs", "bff/inbound", "bff/limit", "bff/policy", "bff/provider", "bff/static", "session", "session/redis", "session/memory", "proxy", "proxy/tokens", "web", "configs", "configs/secret"},
	"bff/edge":          {"configs/secret"},
	"bff/certs":         {"configs/secret"},
	"bff/assertion":     {"configs/secret"},
	"bff/policy":        {"configs/secret"},
	"bff/inbound":       {"configs/secret"},
	"bff/provider":      {"configs/secret"},
	"bff/static":        {"configs/secret"},
	"bff/limit":         {},
	"bff/idp":           {"configs/secret"},
	"session":           {"configs/secret"},
	"session/redis":     {"session", "configs/secret"},
	"session/memory":    {"session", "configs/secret"},
	"session/storetest": {"session", "configs/secret"},
	"proxy":             {"proxy/compose", "proxy/schema", "proxy/tokens", "configs/secret"},
	"proxy/tokens":      {},
	"proxy/schema":      {},
	"proxy/compose":     {"proxy/tokens", "configs/secret"},
	"configs":           {"bff/assertion", "bff/certs", "bff/inbound", "bff/limit", "bff/policy", "bff/provider", "bff/static", "session", "session/redis", "session/memory", "proxy", "proxy/schema", "proxy/tokens", "configs/secret"},
	"configs/secret":    {},
	"web":               {},
}

// mayInTests says what a package's tests may import besides.
var mayInTests = map[string][]string{
	".":              {"e2e/ca", "bff/edge", "configs"},
	"bff":            {"bff/idp", "proxy/compose", "session/storetest", "e2e/ca"},
	"bff/certs":      {"e2e/ca"},
	"bff/limit":      {"session/redis", "session/storetest"},
	"bff/policy":     {"e2e/opa", "e2e/stack"},
	"cmd/cloakroom":  {"session/storetest"},
	"session":        {"session/redis", "session/memory", "session/storetest"},
	"session/redis":  {"session/storetest"},
	"session/memory": {"session/storetest"},
}

func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	for _, f := range house(t) {
		allowed, known := may[f.dir]
		if strings.HasPrefix(f.dir, "e2e") {
			known = true // black-box: its own packages only
		}
		if !known {
			t.Errorf("%s: the package is not in the import table", f.path)
			continue
		}
		for _, spec := range f.tree.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			ours, ok := strings.CutPrefix(path, module+"/")
			if !ok || allows(f, ours, allowed) {
				continue
			}
			t.Errorf("%s: %s may not import %s", f.at(spec.Pos()), f.dir, ours)
		}
	}
}

func allows(f file, ours string, allowed []string) bool {
	if strings.HasPrefix(f.dir, "e2e") {
		return strings.HasPrefix(ours, "e2e")
	}
	if f.test() && (ours == f.dir || slices.Contains(mayInTests[f.dir], ours)) {
		return true
	}
	return slices.Contains(allowed, ours)
}

func TestTheImportTableIsOfThisHouse(t *testing.T) {
	files := house(t)
	for dir := range may {
		if !slices.ContainsFunc(files, func(f file) bool { return f.dir == dir }) {
			t.Errorf("the import table has %s, which does not exist", dir)
		}
	}
	leaf := file{dir: "proxy", path: "proxy/x.go"}
	if allows(leaf, "session", may["proxy"]) || !allows(leaf, "configs/secret", may["proxy"]) {
		t.Error("the import table lets a leaf know another")
	}
	story := file{dir: "e2e/stack", path: "e2e/stack/x_test.go"}
	if allows(story, "session", nil) || !allows(story, "e2e/op", nil) {
		t.Error("e2e is not black-box")
	}
}

func TestPackageNamesSayWhatTheyHold(t *testing.T) {
	for _, f := range house(t) {
		switch strings.TrimSuffix(f.tree.Name.Name, "_test") {
		case "util", "utils", "common", "helpers", "helper", "types", "models", "misc", "shared":
			t.Errorf("%s: package %s says nothing", f.path, f.tree.Name.Name)
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	explained := map[string]bool{}
	for _, f := range house(t) {
		if !f.test() || strings.HasSuffix(f.tree.Name.Name, "_test") && f.dir == "." {
			explained[f.dir] = explained[f.dir] || f.tree.Doc.Text() != ""
		}
	}
	for dir, ok := range explained {
		if !ok {
			t.Errorf("%s: no file has a package comment", dir)
		}
	}
}

func TestEveryExportedNameHasAComment(t *testing.T) {
	for _, f := range house(t) {
		if f.test() {
			continue
		}
		for _, decl := range f.tree.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc.Text() == "" {
					t.Errorf("%s: %s has no comment", f.at(d.Pos()), d.Name)
				}
			case *ast.GenDecl:
				checkSpecs(t, f, d)
			}
		}
	}
}

// exportedReceiver tells whether a function is one, or a method of an exported type: others nobody sees.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

// checkSpecs takes the comment of a group for its members, and a comment at the end of the line too.
func checkSpecs(t *testing.T, f file, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" {
				t.Errorf("%s: %s has no comment", f.at(s.Pos()), s.Name)
			}
		case *ast.ValueSpec:
			for _, n := range s.Names {
				if n.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
					t.Errorf("%s: %s has no comment", f.at(n.Pos()), n)
				}
			}
		}
	}
}

func TestMainsAreThin(t *testing.T) {
	for _, f := range house(t) {
		if !strings.HasPrefix(f.dir, "cmd/") || filepath.Base(f.path) != "main.go" {
			continue
		}
		if f.lines > 60 {
			t.Errorf("%s has %d lines, want at most 60", f.path, f.lines)
		}
		for _, spec := range f.tree.Imports {
			if spec.Path.Value == `"net/http"` {
				t.Errorf("%s speaks HTTP", f.at(spec.Pos()))
			}
		}
	}
}

func TestFilesHaveOneSubject(t *testing.T) {
	for _, f := range house(t) {
		if f.lines > 401 { // the last line break starts one more
			t.Errorf("%s has %d lines, want at most 400", f.path, f.lines)
		}
	}
}

// STYLE allows 80 lines; most functions have fewer than 15.
func TestFunctionsFitOnAScreen(t *testing.T) {
	for _, f := range house(t) {
		for _, decl := range f.tree.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || f.test() {
				continue
			}
			if n := f.set.Position(d.End()).Line - f.set.Position(d.Pos()).Line + 1; n > 80 {
				t.Errorf("%s: %s has %d lines, want at most 80", f.at(d.Pos()), d.Name, n)
			}
		}
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for _, f := range house(t) {
		for _, decl := range f.tree.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
				t.Errorf("%s: init runs in an order that nobody sees; call it from where it is needed", f.at(d.Pos()))
			}
		}
	}
}

// A call that no test, or no code at all, may make.
var banned = []struct {
	call        string
	tests, code bool
	why         string
}{
	{"time.Sleep", true, false, "a test that waits for a fixed time is slow, or flaky, or both"},
	{"t.Skip", true, false, "a skipped test is a test that nobody runs"},
	{"t.Skipf", true, false, "a skipped test is a test that nobody runs"},
	{"t.SkipNow", true, false, "a skipped test is a test that nobody runs"},
	{"os.Exit", false, true, "only main ends the process"},
	{"log.Fatal", true, true, "only main ends the process"},
	{"http.Get", false, true, "the default client has no timeout"},
	{"http.Post", false, true, "the default client has no timeout"},
	{"http.ListenAndServe", true, true, "the default server has no timeouts"},
}

func TestBannedCalls(t *testing.T) {
	for _, f := range house(t) {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := callee(call)
			for _, b := range banned {
				applies := f.test() && b.tests || !f.test() && b.code
				if b.call == name && applies && !excused(f, name) {
					t.Errorf("%s: %s: %s", f.at(call.Pos()), name, b.why)
				}
			}
			return true
		})
	}
}

// excused are the two places for which the reason does not hold: the end of a program, and a test in which
// time is not real, so that a sleep takes none.
func excused(f file, call string) bool {
	if call == "os.Exit" {
		return f.tree.Name.Name == "main"
	}
	return call == "time.Sleep" && slices.ContainsFunc(f.tree.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"testing/synctest"` })
}

// callee is package.Function or variable.Method of a call; t is any variable of that name.
func callee(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + sel.Sel.Name
}

// httputil.ReverseProxy.Director lets a client strip the bearer by naming it in Connection; Rewrite does not.
func TestNoDirector(t *testing.T) {
	for _, f := range house(t) {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok && !f.test() {
				if k, ok := kv.Key.(*ast.Ident); ok && k.Name == "Director" {
					t.Errorf("%s: Director; use Rewrite", f.at(kv.Pos()))
				}
			}
			return true
		})
	}
}
