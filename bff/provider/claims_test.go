package provider

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// AUZ-03: the form of a claim is what the configuration says, and nothing else. `"admin"`, `"user admin"` and lists with something else in them are no roles where an array is
// configured, and an array is none where a string is.
func TestClaimsHaveTheFormThatIsConfigured(t *testing.T) {
	for _, tc := range []struct{ name, claims, array, spaced string }{
		{"an array", `{"r":["user","admin"]}`, "user|admin", ""},
		{"a string with one", `{"r":"admin"}`, "", "admin"},
		{"a string with two", `{"r":"user admin"}`, "", "user|admin"},
		{"an item with a space is one name", `{"r":["user admin"]}`, "user admin", ""},
		{"commas do not separate", `{"r":"user,admin"}`, "", "user,admin"},
		{"nor do other kinds of space", `{"r":"user\tadmin\nroot\u00a0x"}`, "", "user\tadmin\nroot\u00a0x"},
		{"spaces around", `{"r":"  user   admin "}`, "", "user|admin"},
		{"letters are kept", `{"r":["Admin","ADMIN"]}`, "Admin|ADMIN", ""},
		{"an array in an array", `{"r":[["admin"]]}`, "", ""},
		{"a number among them", `{"r":["user",1,"admin"]}`, "", ""},
		{"null among them", `{"r":["user",null]}`, "", ""},
		{"an object", `{"r":{"admin":true}}`, "", ""},
		{"true", `{"r":true}`, "", ""},
		{"a number", `{"r":7}`, "", ""},
		{"null", `{"r":null}`, "", ""},
		{"an empty string", `{"r":""}`, "", ""},
		{"an empty array", `{"r":[]}`, "", ""},
		{"no claim", `{"R":["admin"]}`, "", ""},
	} {
		var claims map[string]any
		if err := json.Unmarshal([]byte(tc.claims), &claims); err != nil {
			t.Fatal(err)
		}
		for format, want := range map[string]string{"array": tc.array, "": tc.array, "space_separated": tc.spaced} {
			s, reason := Config{RolesClaim: "r", RolesFormat: format, ScopesClaim: "r", ScopesFormat: format}.selectClaims(claims, nil)
			if strings.Join(s.roles, "|") != want || strings.Join(s.scopes, "|") != want || s.scopes == nil || reason != "" {
				t.Errorf("%s as %q: roles %q, scopes %q, want %q", tc.name, format, s.roles, s.scopes, want)
			}
		}
	}
}

// RFC 6749, section 5.1: a scope that is not said is the one that was asked for; at a refresh, the one that was. What is granted counts, not what was asked for.
func TestScopes(t *testing.T) {
	for _, tc := range []struct {
		name           string
		token, claims  func(map[string]any)
		claim, format  string
		signIn, reborn string // "-" is unchanged
	}{
		{"granted as asked", nil, nil, "", "", "openid", "openid"},
		{"granted less", with(map[string]any{"scope": "openid email"}), nil, "", "", "openid|email", "openid|email"},
		{"not said", without("scope"), nil, "", "", "openid|profile|email", "-"},
		{"a claim", nil, with(map[string]any{"scp": []string{"a", "b"}}), "scp", "array", "a|b", "a|b"},
		{"a claim that is one string", nil, with(map[string]any{"scp": "a b"}), "scp", "space_separated", "a|b", "a|b"},
		{"a claim of another form", nil, with(map[string]any{"scp": "a b"}), "scp", "array", "", ""},
		{"a claim that is not there", with(map[string]any{"scope": "admin"}), nil, "scp", "array", "", ""},
	} {
		o := newOP(t)
		o.token, o.claims = tc.token, tc.claims
		c := newClientOf(t, o, func(cfg *Config) {
			cfg.Scopes, cfg.ScopesClaim, cfg.ScopesFormat = []string{"openid", "profile", "email"}, tc.claim, tc.format
		})
		id, err := c.callback(t)
		if err != nil || strings.Join(id.Scopes, "|") != tc.signIn || id.Scopes == nil {
			t.Errorf("%s: %v, scopes %q, want %q", tc.name, err, id.Scopes, tc.signIn)
		}
		id, err = c.Refresh(t.Context(), theRefresh, c.previous())
		if err != nil || strings.Join(id.Scopes, "|") != strings.TrimSuffix(tc.reborn, "-") || (id.Scopes == nil) != (tc.reborn == "-") {
			t.Errorf("%s, refreshed: %v, scopes %q, want %q", tc.name, err, id.Scopes, tc.reborn)
		}
	}
}

// A refresh without an ID token says nothing of what a claim says.
func TestScopesOfAClaimStayWithoutAnIDToken(t *testing.T) {
	c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.ScopesClaim, cfg.ScopesFormat = "groups", "array" })
	c.op.token = without("id_token")
	if id, err := c.Refresh(t.Context(), theRefresh, c.previous()); err != nil || id.Scopes != nil {
		t.Errorf("%v, scopes %q", err, id.Scopes)
	}
}

// What explain assumes of a user is what a sign-in would bring.
func TestGranted(t *testing.T) {
	claims := map[string]any{"sub": "a", "scp": []any{"x"}}
	c := Config{Scopes: []string{"openid", "email"}}
	if got := c.Granted(claims, ""); !slices.Equal(got, []string{"openid", "email"}) {
		t.Errorf("not said: %q", got)
	}
	if got := c.Granted(claims, "openid"); !slices.Equal(got, []string{"openid"}) {
		t.Errorf("said: %q", got)
	}
	c.ScopesClaim, c.ScopesFormat = "scp", "array"
	if got := c.Granted(claims, "openid"); !slices.Equal(got, []string{"x"}) {
		t.Errorf("a claim: %q", got)
	}
}

// FuzzRoleClaims: whatever a claim holds, its roles are exactly the strings of an array of nothing but strings, or the words of one string, and never both.
func FuzzRoleClaims(f *testing.F) {
	for _, seed := range []string{`["a","b"]`, `"a b"`, `"a"`, `["a",1]`, `[["a"]]`, `{"a":"b"}`, `null`, `[]`, `""`, `["a b","c"]`, `"a\u0000b c"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		claims := map[string]any{"r": v}
		array, reason := Config{RolesClaim: "r", RolesFormat: "array"}.selectClaims(claims, nil)
		spaced, reason2 := Config{RolesClaim: "r", RolesFormat: spaceSeparated}.selectClaims(claims, nil)
		if reason != "" || reason2 != "" {
			return // too large
		}
		if list, ok := v.([]any); ok {
			for i, role := range array.roles {
				if list[i] != any(role) || len(array.roles) != len(list) {
					t.Fatalf("%s: roles %q", text, array.roles)
				}
			}
			array.roles = nil
		}
		if s, ok := v.(string); ok {
			for _, role := range spaced.roles {
				if role == "" || strings.Contains(role, " ") || !strings.Contains(" "+s+" ", " "+role+" ") {
					t.Fatalf("%s: roles %q", text, spaced.roles)
				}
			}
			spaced.roles = nil
		}
		if len(array.roles)+len(spaced.roles) != 0 {
			t.Fatalf("%s: roles %q and %q of another form", text, array.roles, spaced.roles)
		}
	})
}
