package house_test

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// The table of bounds in docs/security.md is held against the program: each default is that of its key or constant, and each test is there.
func TestTheBoundsAreAsTheyAreDocumented(t *testing.T) {
	var reference any
	if err := yaml.Unmarshal([]byte(read(t, "configs/reference.yaml")), &reference); err != nil {
		t.Fatal(err)
	}
	constants, tests := constantsOf(t), testsOf(t)
	table := section(t, read(t, "docs/security.md"), "## Bounds")
	rows := regexp.MustCompile("(?m)^\\| .+ \\| (\\S+) \\| `(\\S+)` \\| .+ \\| (.*) \\|$").FindAllStringSubmatch(table, -1)
	if all := strings.Count(table, "\n| ") - strings.Count(table, "\n| what |"); len(rows) != all || all < 50 {
		t.Fatalf("%d rows can be read, of %d", len(rows), all)
	}
	for _, row := range rows {
		documented, key := row[1], row[2]
		expression, isConstant := constants[key]
		switch value := at(reference, key); {
		case isConstant:
			if got, want := number(t, expression), number(t, documented); got != want {
				t.Errorf("%s is %s, which is not %s", key, expression, documented)
			}
		case value == "":
			t.Errorf("%s is neither a key nor a constant", key)
		case value != documented:
			t.Errorf("%s is %s by default, not %s", key, value, documented)
		}
		for _, name := range named("`(\\w+)`", row[3]) {
			if !tests[name] {
				t.Errorf("%s: there is no %s", key, name)
			}
		}
	}
}

// constantsOf are the constants of all packages by folder and name, such as bff/edge.MaxPath, as they are written.
func constantsOf(t *testing.T) map[string]string {
	found := map[string]string{}
	for _, f := range house(t) {
		for _, d := range f.tree.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST || f.test() {
				continue
			}
			for _, s := range decl.Specs {
				spec := s.(*ast.ValueSpec)
				for i, value := range spec.Values {
					found[filepath.ToSlash(f.dir)+"."+spec.Names[i].Name] = types.ExprString(value)
				}
			}
		}
	}
	return found
}

// testsOf are the names of all tests.
func testsOf(t *testing.T) map[string]bool {
	found := map[string]bool{}
	for _, f := range house(t) {
		for _, d := range f.tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test() && strings.HasPrefix(fn.Name.Name, "Test") {
				found[fn.Name.Name] = true
			}
		}
	}
	return found
}

// at is the value of a key in the reference: [] is a list's first item, NAME a map's only one.
func at(v any, key string) string {
	for part := range strings.SplitSeq(key, ".") {
		m, _ := v.(map[string]any)
		name, isList := strings.CutSuffix(part, "[]")
		if v = m[name]; name == "NAME" {
			for _, v = range m {
			}
		}
		if list, ok := v.([]any); isList && ok && len(list) > 0 {
			v = list[0]
		}
	}
	switch v := v.(type) {
	case string:
		return v
	case uint64:
		return strconv.FormatUint(v, 10)
	}
	return ""
}

// number is what an amount comes to, as the documentation or the program writes it: 64KiB, 500ms, 64 << 10, 500 * time.Millisecond.
func number(t *testing.T, text string) int64 {
	t.Helper()
	if d, err := time.ParseDuration(text); err == nil {
		return int64(d)
	}
	text = strings.NewReplacer("KiB", "<<10", "MiB", "<<20", "time.Millisecond", "1000000", "time.Second", "1000000000", "time.Minute", "60000000000").Replace(text)
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	n, _ := constant.Int64Val(constant.ToInt(v.Value))
	return n
}
