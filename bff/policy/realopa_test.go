package policy

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/opa"
	"cloakroom/e2e/stack"
)

// patience is for a machine that is busy with other things.
const patience = 3 * time.Minute

func example(t *testing.T) string {
	t.Helper()
	dir, err := opa.Example()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// The example policy's own tests pass, and there are some.
func TestTheExamplePolicyPassesItsTests(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := opa.Run(ctx, "test", filepath.Join(example(t), "policy"), "-v")
	if err != nil || strings.Count(out, ": PASS (") < 12 || strings.Contains(out, "FAIL") {
		t.Errorf("%v\n%s", err, out)
	}
}

// startAgent starts the real agent with the example's configuration and a folder of policies.
func startAgent(t *testing.T, policy string) *opa.Agent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, err := opa.Start(ctx, t.TempDir(), filepath.Join(example(t), "opa.yaml"), policy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Kill(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// AUZ-04, law 5: the real agent, with a bundle of the example, says what its policy says about what Cloakroom tells it; its decisions have names, which its log has too.
func TestTheRealAgent(t *testing.T) {
	a := startAgent(t, filepath.Join(example(t), "policy"))
	o := NewOPAClient(OPADeps{})
	defer o.Close()
	s := newSet(t, nil)
	c := agentAt(a.URL + "/v1/data/documents/allow")
	c.Timeout, c.Cache = 10*time.Second, 0 // hours pass within milliseconds here
	p := compile(t, s, own(Terms{OPA: c}), true)
	draft := map[string]any{"owner": "alice", "state": "draft"}
	for name, u := range map[string]struct {
		method, resource string
		at               time.Time
		nobody, want     bool
	}{
		"her own draft, at noon":      {method: "DELETE", at: noon, want: true},
		"at eighteen":                 {method: "DELETE", at: noon.Add(6 * time.Hour)},
		"somebody's":                  {method: "DELETE", resource: "bob", at: noon},
		"customers read":              {method: "GET", resource: "bob", at: noon, want: true},
		"and may ask what they'd get": {method: "HEAD", resource: "bob", at: noon, want: true},
		"nobody does not":             {method: "GET", at: noon, nobody: true},
	} {
		r := request(u.method, "/api/documents/7", "Authorization", "Bearer SECRET", "Cookie", "a=SECRET")
		r.Now = u.at
		who := s.Subject(alice())
		if u.nobody {
			who = nil
		}
		src := Sources{OPA: o, Resource: func(context.Context) (map[string]any, error) {
			if u.resource != "" {
				return map[string]any{"owner": u.resource, "state": "draft"}, nil
			}
			return draft, nil
		}}
		v := p.Ask(t.Context(), who, r, src)
		if v.Allow != u.want || v.Unavailable || v.DecisionID == "" || !v.Allow && v.Reason != ReasonOPA {
			t.Errorf("%s: %+v", name, v)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		line, err := a.Await(ctx, "the decision", func(l stack.Line) bool { return l.Fields["decision_id"] == v.DecisionID })
		cancel()
		if err != nil || strings.Contains(line.Text, "SECRET") || strings.Contains(line.Text, "SESSIONID") || !strings.Contains(line.Text, "REQUESTID") {
			t.Errorf("%s: %v: %s", name, err, line.Text)
		}
	}
}

// What the real agent answers in other cases is what the fake of the other tests answers: undefined, no boolean, an error of evaluation, gone.
func TestTheRealAgentsOtherAnswers(t *testing.T) {
	dir := t.TempDir()
	rego := "package odd\n\ntext := \"true\"\n\nyes := {\"allow\": true, \"reason\": \"x\"}\n\nno := {\"allow\": false}\n\nconflict := 1 if input.request\n\nconflict := 2 if input.request\n"
	if err := os.WriteFile(filepath.Join(dir, "odd.rego"), []byte(rego), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startAgent(t, dir)
	o := NewOPAClient(OPADeps{})
	defer o.Close()
	s := newSet(t, nil)
	ask := func(path string) Verdict {
		c := agentAt(a.URL + "/v1/data/" + path)
		c.Timeout = 10 * time.Second
		return compile(t, s, own(Terms{OPA: c}), false).Ask(t.Context(), s.Subject(alice()), request("GET", "/"), Sources{OPA: o})
	}
	for path, want := range map[string]string{
		"odd/yes": "", "odd/no": ReasonOPA, "odd/text": ReasonOPAUnclear, "odd/none": ReasonOPAUndefined, "od": ReasonOPAUndefined, "odd/conflict": ReasonOPAUnavailable, "odd": ReasonOPAUnavailable,
	} {
		if v := ask(path); v.Reason != want || v.Allow != (want == "") || v.Unavailable != (want == ReasonOPAUnavailable) {
			t.Errorf("%s: %+v, want %q", path, v, want)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if v := ask("odd/yes"); !v.Allow {
				t.Errorf("many at once: %+v", v)
			}
		})
	}
	wg.Wait()
	if err := a.Kill(); err != nil {
		t.Fatal(err)
	}
	if v := ask("odd/no2"); v.Allow || !v.Unavailable {
		t.Errorf("gone: %+v", v)
	}
}
