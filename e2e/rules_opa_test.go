package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/opa"
	"cloakroom/e2e/tokscan"
)

// start starts an agent, and the link leads to it.
func (a *agent) start(ctx context.Context) error {
	dir, err := opa.Example()
	if err != nil {
		return err
	}
	a.Agent, err = opa.Start(ctx, a.dir, filepath.Join(dir, "opa.yaml"), filepath.Join(dir, "policy"))
	if err != nil {
		return err
	}
	a.link.Use(strings.TrimPrefix(a.URL, "http://"))
	return nil
}

// close ends the agent, whose log is for the scanner: it writes down all that it is told.
func (a *agent) close() error {
	err := a.link.Close()
	if a.Agent != nil {
		err = errors.Join(err, a.stop())
	}
	return err
}

func (a *agent) stop() error {
	a.link.Cut()
	err := a.Kill()
	for _, l := range a.Lines() {
		a.run.corpus.See(tokscan.Log, "opa", []byte(l.Text))
	}
	return err
}

// routes ask the agent. The second one waits for nobody, and the third asks for a decision that there is not.
func (a *agent) routes(upstream string) string {
	return fmt.Sprintf(`  - {path: /asked/, upstream: %[1]q, callers: [api_key], allow: {opa: {url: "http://%[2]s/v1/data/documents/allow", timeout: 10s, cache: 0s, headers: [X-Tenant]}}}
  - {path: /asked-briefly/, upstream: %[1]q, allow: {opa: {url: "http://%[2]s/v1/data/documents/allow", timeout: 100ms}}}
  - {path: /asked-in-vain/, upstream: %[1]q, allow: {opa: {url: "http://%[2]s/v1/data/documents/alow", timeout: 10s}}}
`, upstream, a.link.Address)
}

// decision is the agent's own record of the decision that our log names.
func (s *rules) decision(a *browse.Answer) map[string]any {
	s.Helper()
	events, record := s.noted(a)
	id, _ := record["decision"].(string)
	if id == "" {
		s.Fatalf("the log names no decision: %v", record)
	}
	for _, e := range events {
		if e["event"] == "refused" && e["decision"] != id {
			s.Errorf("the event names the decision %v, the record %s", e["decision"], id)
		}
	}
	var found map[string]any
	s.eventually("the agent's log has the decision", func() bool {
		for _, l := range s.agent.Lines() {
			if l.Fields["decision_id"] == id {
				found = l.Fields
			}
		}
		return found != nil
	})
	return found
}

// The real agent decides, with the example policy as a bundle. Our log names its decision, its log has it, and what it was told holds no credential (LOG-02); the scanner looks at all of its log. While
// it is away nobody comes through.
func TestAnAgentDecides(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("dora")
	a := s.fetch(b, "GET", "/asked/dora?access_token=secret-of-dora-0123456789&page=2", 200, "X-Tenant: acme")
	told, _ := s.decision(a)["input"].(map[string]any)
	text := fmt.Sprint(told)
	for _, want := range []string{"dora", "customer", "/asked/", "page:[2]", "x-tenant:[acme]", a.Header.Get("X-Request-Id")} {
		if !strings.Contains(text, want) {
			t.Errorf("the agent was not told %s: %s", want, text)
		}
	}
	for _, never := range []string{b.Ticket(), "secret-of-dora", "cookie", "Cookie", sessionID(b.Ticket())} {
		if strings.Contains(text, never) {
			t.Errorf("the agent was told %s", never)
		}
	}
	denied := s.sends(b, "POST", "/asked/dora")
	s.refusedOnce(denied, 403, refusal{"forbidden", "opa", "opa_denied"})
	if d := s.decision(denied); d["result"] != false {
		t.Errorf("the agent's result is %v", d["result"])
	}
	s.get(b, "/asked/dora", 200)
	key := s.newKey("--scope", "documents")
	s.refusedOnce(s.program(0, "GET", "/asked/key", "X-API-Key: "+key), 403, refusal{"forbidden", "opa", "opa_denied"}) // from another network than the policy's
	s.refusedOnce(s.sends(b, "GET", "/asked-in-vain/dora"), 403, refusal{"forbidden", "opa", "opa_undefined"})
	s.refusedOnce(s.sends(b, "GET", "/asked/dora?a;b"), 403, refusal{"forbidden", "opa", "request_unclear"})
	s.withoutAgent(b)
}

func (s *rules) withoutAgent(b *browse.Browser) {
	s.Helper()
	away := refusal{"rules_unavailable", "opa", "opa_unavailable"}
	s.agent.link.Delay(time.Minute)
	s.refusedOnce(s.sends(b, "GET", "/asked-briefly/slow"), 503, away)
	s.agent.link.Delay(0)
	s.check(s.agent.stop())
	for n := range 2 {
		a := s.sends(s.at(b, n), "GET", "/asked/away")
		s.refusedOnce(a, 503, away)
		if a.Header.Get("Retry-After") == "" {
			s.Error("no Retry-After")
		}
	}
	s.check(s.agent.start(s.ctx))
	for n := range 2 {
		s.get(s.at(b, n), "/asked/back", 200)
	}
	if n := len(reached(s.Upstream, "/asked/away")) + len(reached(s.Upstream, "/asked-briefly/slow")); n != 0 {
		s.Errorf("%d requests came through without the agent", n)
	}
}
