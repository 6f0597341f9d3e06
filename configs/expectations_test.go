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
		{"a caller with a key", "callers: {importer: {kind: api_key, sub: importer, roles: [a], scopes: [b]}}\n" + strings.Replace(test, "path: /a", "path: /a, caller: importer", 1), true},
		{"a caller with a token", "callers: {robot: {kind: bearer, claims: {sub: robot, level: 7}}}\n" + test, true},
		{"what others would say", strings.Replace(test, "path: /a", "path: /a, resource: {owner: alice}, opa: deny, now: 2026-11-23T10:00:00Z, client_ip: 10.0.0.7", 1), true},
		{"no resource", strings.Replace(test, "path: /a", "path: /a, resource: none", 1), true},
		{"a rule and its reason", strings.Replace(test, "verdict: forwarded", "rule: roles, reason: role_missing", 1), true},
		{"a caller of no kind", "callers: {importer: {sub: importer}}\n" + test, false},
		{"a caller of an unknown kind", "callers: {importer: {kind: cookie, sub: importer}}\n" + test, false},
		{"an agent that does not know", strings.Replace(test, "path: /a", "path: /a, opa: perhaps", 1), false},
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

// What no schema tells is told where it stands.
func TestMistakesInWhatIsTold(t *testing.T) {
	const test = "tests: [{name: a, request: {path: /a}, expect: {verdict: forwarded}}]"
	for _, c := range []struct{ name, text, want string }{
		{"a caller that nobody described", strings.Replace(test, "path: /a", "path: /a, caller: importr", 1) + "\ncallers: {importer: {kind: api_key, sub: x}}", `tests[0].request.caller: "importr" is no caller of this file, did you mean "importer"?`},
		{"a time of day", strings.Replace(test, "path: /a", "path: /a, now: noon", 1), `tests[0].request.now: "noon" is no time`},
		{"no address", strings.Replace(test, "path: /a", "path: /a, client_ip: home", 1), `tests[0].request.client_ip: "home" is no address`},
		{"a resource in a word", strings.Replace(test, "path: /a", "path: /a, resource: draft", 1), "tests[0].request.resource: is neither an object"},
		{"a key without its ID", "callers: {a: {kind: api_key}}\n" + test, "callers.a.sub: is missing"},
		{"a password's roles", "callers: {a: {kind: basic, sub: a, roles: [b]}}\n" + test, "callers.a.roles: are said by an API key alone"},
		{"a token's scopes beside its claims", "callers: {a: {kind: bearer, claims: {sub: a}, scopes: [b]}}\n" + test, "callers.a.scopes: are said by an API key alone"},
		{"a token about nobody", "callers: {a: {kind: bearer, claims: {iss: b}}}\n" + test, "callers.a.claims: have no sub"},
		{"a key's claims", "callers: {a: {kind: api_key, sub: a, claims: {b: c}}}\n" + test, "callers.a.claims: are those of an access token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "routes_test.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadExpectations(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}
