package policy

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// docs/rules.md lists every attribute as the code has it, every reason, and every member of an agent's input.
func TestTheManualListsWhatThereIs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	manual := string(text)
	for _, a := range Vocabulary() {
		if row := "| `" + a.Name + "` | " + a.Type + " | " + a.Text + " |\n"; !strings.Contains(manual, row) {
			t.Errorf("no row %s", row)
		}
	}
	_, table, _ := strings.Cut(manual, "\n| reason | is |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if rows := strings.Count(table+"\n", "\n"); rows != len(Reasons()) {
		t.Errorf("%d reasons in the manual, %d in the code", rows, len(Reasons()))
	}
	for _, r := range Reasons() {
		if !strings.Contains(table, "| `"+r+"` | ") {
			t.Errorf("no row for the reason %s", r)
		}
	}
	for _, member := range members(reflect.TypeFor[input](), "") {
		if !strings.Contains(manual, "`"+member+"`") {
			t.Errorf("the input's %s is not explained", member)
		}
	}
	for _, name := range credentialParams {
		if !strings.Contains(manual, "`"+name+"`") {
			t.Errorf("that %s is left out is not said", name)
		}
	}
}

// members are the names of a struct's JSON, with dots.
func members(t reflect.Type, prefix string) (out []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if k := f.Type.Kind(); k == reflect.Struct || k == reflect.Pointer {
			out = append(out, members(f.Type, prefix+name+".")...)
			continue
		}
		out = append(out, prefix+name)
	}
	return out
}

// The example of the manual compiles.
func TestTheManualsExamplesCompile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	compiled := 0
	for line := range strings.Lines(string(text)) {
		_, rest, ok := strings.Cut(line, "when: '")
		expression, _, closed := strings.Cut(rest, "'}")
		if !ok || !closed {
			continue
		}
		compiled++
		if _, err := parseExpression(expression); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
	if compiled < 2 {
		t.Errorf("%d examples", compiled)
	}
}
