package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What an editor underlines in a file of expectations is what cloakroom test refuses.
func TestSchemaAndLoaderAgreeOnExpectations(t *testing.T) {
	s := compileSchema(t, TestsSchema())
	const test = "tests: [{name: a, request: {path: /a}, expect: {verdict: forwarded}}]"
	for _, c := range []struct {
		name, text string
		taken      bool
	}{
		{"the least", test, true},
		{"a user", "users: {alice: {sub: alice, groups: [a], level: 7}}\n" + test, true},
		{"a body as it is sent", strings.Replace(test, "path: /a", "path: /a, method: POST, body: x=1", 1), true},
		{"a body as JSON", strings.Replace(test, "path: /a", "path: /a, method: POST, body: {lines: [{id: 7}]}", 1), true},
		{"no tests", "users: {}", false},
		{"an empty list of tests", "tests: []", false},
		{"a test without a name", strings.Replace(test, "name: a, ", "", 1), false},
		{"a test without a request", strings.Replace(test, "request: {path: /a}, ", "", 1), false},
		{"a request without a path", strings.Replace(test, "path: /a", "method: GET", 1), false},
		{"an unknown key", strings.Replace(test, "verdict:", "verdickt:", 1), false},
		{"an unknown verdict", strings.Replace(test, "forwarded", "forwards", 1), false},
		{"somebody from nowhere known", strings.Replace(test, "path: /a", "path: /a, from: mars", 1), false},
		{"a status that is text", strings.Replace(test, "verdict: forwarded", "status: fine", 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "routes_test.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, loader := LoadExpectations(path)
			schema := s.Validate(decodeYAML(t, path))
			if (loader == nil) != c.taken || (schema == nil) != c.taken {
				t.Errorf("loader: %v\nschema: %v\nwant taken = %v", loader, schema, c.taken)
			}
		})
	}
}
