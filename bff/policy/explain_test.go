package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// What explain shows of a question is what would be asked.
func TestExplain(t *testing.T) {
	c := agentAt(decision)
	s := newSet(t, map[string]Rule{"tried": {Terms: Terms{Roles: []string{"x"}}, ReportOnly: true}, "of_it": {Terms: Terms{When: `resource.owner == user.sub`}}})
	p := compile(t, s, Allow{Terms: Terms{
		Roles: []string{"admin"}, Scopes: []string{"docs.read"}, When: `user.claims.none == "x"`, OPA: c, ACR: []string{"urn:hardware"}, MaxAuthAge: time.Minute,
	}, Rules: []string{"tried", "of_it"}}, true)
	lines := func(u *Subject) (out []string) {
		for _, step := range p.Explain(t.Context(), u, request("GET", "/api/documents/7"), Sources{}) {
			mark := map[bool]string{true: "ok", false: "no"}[step.Passes]
			if !step.Enforced {
				mark += "?"
			}
			if step.Asked {
				mark = "ask"
			}
			out = append(out, strings.TrimSpace(mark+" "+step.Rule+" "+step.Key+" "+step.Reason+": "+step.Text))
			if (step.URL != "") != (step.Key == "opa") || step.URL != "" && (step.URL != decision || !json.Valid(step.Input) || !strings.Contains(string(step.Input), `"path":"/api/documents/7"`)) {
				t.Errorf("%+v", step)
			}
		}
		return out
	}
	want := []string{
		`no roles roles role_missing: wants one of admin; the user has customer, editor, support`,
		`ok scopes scopes : wants all of docs.read; the user has docs.read, docs.write`,
		`no when when when_error: user.claims.none == "x": has no value: no such key: none`,
		`no acr acr acr_insufficient: wants a sign-in by urn:hardware; it was by urn:mfa`,
		`no max_auth_age max_auth_age auth_too_old: wants a sign-in within 1m0s; it was 5m0s ago`,
		`no? tried roles role_missing: wants one of x; the user has customer, editor, support`,
		`ask of_it when : would be asked when the resource is there: resource.owner == user.sub`,
		`ask opa opa : would be asked: ` + decision,
	}
	if got := lines(s.Subject(alice())); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("explained\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, line := range lines(nil) {
		if !strings.HasPrefix(line, "ask ") && !strings.Contains(line, "nobody: is about the user, and nobody is signed in") {
			t.Errorf("nobody: %s", line)
		}
	}
	lines(s.Subject(Identity{Kind: KindAPIKey}))
	if steps := (*Policy)(nil).Explain(t.Context(), nil, nil, Sources{}); len(steps) != 1 || steps[0].Passes {
		t.Errorf("%+v", steps)
	}
}
