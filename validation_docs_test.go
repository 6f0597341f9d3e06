package house_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloakroom/configs"
)

// The example of docs/validation.md is read as the program reads it, its description included.
func TestTheValidationExampleIsRight(t *testing.T) {
	page := read(t, "docs/validation.md")
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page, -1)
	schema := regexp.MustCompile("(?s)`note.json`:\n\n```json\n(.*?)```").FindStringSubmatch(page)
	if len(blocks) != 2 || schema == nil {
		t.Fatalf("docs/validation.md has %d YAML blocks, want 2, and a schema: %v", len(blocks), schema != nil)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("secrets/oidc", "b0Nkq7YxVd2Lw9sRtZe4Hu6Pf1Aj3Mc8Gi5\n")
	write("secrets/session", "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta\n")
	write("cloakroom.yaml", blocks[0][1])
	write("orders.yaml", blocks[1][1])
	write("note.json", schema[1])
	path := filepath.Join(dir, "cloakroom.yaml")
	if _, err := configs.Load(path); err != nil {
		t.Fatalf("the example is wrong:\n%v", err)
	}
	write("orders.yaml", strings.Replace(blocks[1][1], "maxLength: 40", `pattern: "(?=a)"`, 1))
	_, err := configs.Load(path)
	if err == nil {
		t.Fatal("a pattern that is not RE2 is taken")
	}
	for _, want := range []string{"cloakroom.yaml:14:", "routes[0].request.openapi", "#/components/schemas/Order/properties/product/pattern", "RE2"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

// Every reason is explained.
func TestEveryReasonOfACheckIsDocumented(t *testing.T) {
	same(t, "docs/validation.md", "reason", named("`([a-z0-9_]+)`", strings.Join(regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllString(section(t, read(t, "docs/validation.md"), "## Reasons"), -1), "\n")),
		named(`Reason\w+\s+= "([a-z0-9_]+)"`, read(t, "proxy/schema/fault.go")))
}
