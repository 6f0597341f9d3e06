package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/tokscan"
)

// callerRoutes take callers without a session.
func callerRoutes(upstream string) string {
	return fmt.Sprintf(`  - {path: /keyed/, upstream: %[1]q, callers: [api_key]}
  - {path: /keyed-writes/, upstream: %[1]q, callers: [api_key], allow: {scopes: [docs.write]}}
  - {path: /keyed-roles/, upstream: %[1]q, callers: [api_key], allow: {roles: [support]}}
  - {path: /keyed-open/, upstream: %[1]q, auth: none, callers: [api_key]}
  - {path: /keyed-twice/, upstream: %[1]q, callers: [api_key], limit: {rate: 3/1h, burst: 3, per: caller}}
  - {path: /tokens/, upstream: %[1]q, callers: [bearer], pass_credentials: true, allow: {scopes: [docs.read]}}
  - {path: /tokens-kept/, upstream: %[1]q, callers: [bearer, api_key]}
`, upstream)
}

// keys runs `cloakroom keys` against the running replicas' Redis.
func (s *story) keys(args ...string) (out, errs string, code int) {
	s.Helper()
	program, err := shared.program()
	s.check(err)
	cmd := exec.CommandContext(s.ctx, program, append(append([]string{"keys"}, args...), "--config", s.ConfigPath)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // its exit code is looked at
	shared.corpus.See(tokscan.Log, "keys "+args[0], []byte(stderr.String()))
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// newKey makes an API key, which nothing may show from now on.
func (s *story) newKey(flags ...string) string {
	s.Helper()
	out, errs, code := s.keys(append([]string{"new", "importer"}, flags...)...)
	key := strings.TrimSpace(out)
	if code != 0 || !strings.HasPrefix(key, "ck_") || strings.ContainsAny(key, " \n") {
		s.Fatalf("keys new: exit code %d, %d bytes\n%s", code, len(out), errs)
	}
	shared.corpus.Learn("API key", key)
	return key
}

// idOf is the part of a key that names it.
func (s *story) idOf(key string) string {
	s.Helper()
	out, _, _ := s.keys("list", "--json")
	var all []struct{ ID string }
	s.check(json.Unmarshal([]byte(out), &all))
	for _, k := range all {
		if strings.Contains(key, k.ID) {
			return k.ID
		}
	}
	s.Fatalf("keys list has no such key")
	return ""
}

// AUN-01, AUN-04: a key from the command line opens on every replica what it is for, with its roles and scopes, and nothing of it goes on to the upstream, into a log or into Redis: the scanner knows it.
func TestAnAPIKeyFromTheCommandLine(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	reads, writes, admin := s.newKey("--scope", "docs.read"), s.newKey("--scope", "docs.read", "--scope", "docs.write"), s.newKey("--role", "admin")
	for n := range 2 {
		for key, want := range map[string][3]int{reads: {200, 403, 403}, writes: {200, 200, 403}, admin: {200, 403, 200}} {
			for i, path := range []string{"/keyed/cli", "/keyed-writes/cli", "/keyed-roles/cli"} {
				if a := s.program(n, "POST", path, "X-API-Key: "+key); a.Status != want[i] {
					t.Errorf("%s: %d, want %d\n%s", path, a.Status, want[i], s.brief(a))
				}
			}
		}
	}
	for _, r := range reached(s.Upstream, "/cli") {
		for _, h := range r.Headers {
			if strings.EqualFold(h[0], "X-API-Key") || strings.EqualFold(h[0], "Authorization") || strings.Contains(h[1], "ck_") {
				t.Errorf("the upstream got %s", h[0])
			}
		}
	}
	s.refusedOnce(s.program(0, "GET", "/keyed-writes/x", "X-API-Key: "+reads), 403, refusal{"forbidden", "scopes", "scope_missing"})
	list, _, code := s.keys("list")
	if code != 0 || strings.Contains(list, reads) || !strings.Contains(list, s.idOf(reads)) {
		t.Errorf("keys list: %d\n%s", code, list)
	}
	s.get(s.browser(), "/keyed-open/x", 200)
	if a := s.program(0, "GET", "/api/x", "X-API-Key: "+reads); a.Status < 400 {
		t.Errorf("a route that takes no keys: %d", a.Status)
	}
}

// AUN-04, LOG-01: what is no good key, or in the wrong place, is refused and said once in the log, without the key.
func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	key := s.newKey()
	short, swapped := key[:len(key)-1], key[:len(key)-2]+key[len(key)-1:]+key[len(key)-2:len(key)-1]
	for name, c := range map[string]struct {
		path, header string
		status       int
		want         refusal
	}{
		"a typo":               {"/keyed/x", "X-API-Key: " + short, 401, refusal{"bad_credential", "", "api_key_malformed"}},
		"letters swapped":      {"/keyed/x", "X-API-Key: " + swapped, 401, refusal{"bad_credential", "", "api_key_malformed"}},
		"in the query":         {"/keyed/x?api_key=" + key, "", 400, refusal{"bad_credentials", "", "api_key_in_query"}},
		"in another parameter": {"/keyed/x?q=" + key, "", 400, refusal{"bad_credentials", "", "api_key_in_query"}},
		"encoded":              {"/keyed/x?q=%63" + key[1:], "", 400, refusal{"bad_credentials", "", "api_key_in_query"}},
		"behind a semicolon":   {"/keyed/x?a=1;q=" + key, "", 400, refusal{"bad_credentials", "", "api_key_in_query"}},
		"where none are taken": {"/public/x?q=" + key, "", 400, refusal{"bad_credentials", "", "api_key_in_query"}},
		"beside a good one":    {"/keyed/x?apikey=x", "X-API-Key: " + key, 400, refusal{"bad_credentials", "", "api_key_in_query"}},
		"as a bearer":          {"/keyed/x", "Authorization: Bearer " + key, 400, refusal{"bad_credentials", "", "api_key_misplaced"}},
	} {
		t.Run(name, func(t *testing.T) {
			one := &story{t, s.Stack, s.ctx}
			one.unseen200(func() *browse.Answer {
				a := one.program(1, "GET", c.path, append([]string{}, c.header)...)
				one.refusedOnce(a, c.status, c.want)
				return a
			})
		})
	}
	two := s.ask(fmt.Sprintf("GET /keyed/x HTTP/1.1\r\nHost: %s\r\nX-API-Key: %[2]s\r\nx-api-key: %[2]s\r\n\r\n", s.host(), key))
	s.refusedOnce(two, 400, refusal{"bad_credentials", "", "two_credentials"})
}

// unseen200 demands that nothing of what f asks came through.
func (s *story) unseen200(f func() *browse.Answer) {
	s.Helper()
	if a := f(); a.Status < 400 {
		s.Errorf("%s came through", a.URL)
	}
}

// AUN-04: a key that is revoked is refused on both replicas in less than a second; so is one whose time is over.
func TestAKeyIsRevoked(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	key, other, brief := s.newKey(), s.newKey(), s.newKey("--expires", "3s")
	for n := range 2 {
		for _, k := range []string{key, other, brief} {
			if a := s.program(n, "GET", "/keyed/x", "X-API-Key: "+k); a.Status != 200 && k != brief {
				t.Fatalf("before: %d\n%s", a.Status, s.brief(a))
			}
		}
	}
	if out, errs, code := s.keys("revoke", key); code != 0 || strings.Contains(out+errs, key) { // found somewhere, whole
		t.Fatalf("keys revoke: %d\n%s%s", code, out, errs)
	}
	revoked := time.Now()
	for n := range 2 {
		s.eventually("the key is refused", func() bool {
			asked := time.Since(revoked)
			a := s.program(n, "GET", "/keyed/x", "X-API-Key: "+key)
			if a.Status == 200 && asked > time.Second {
				t.Fatalf("replica %d takes it %s later", n+1, asked)
			}
			return a.Status != 200
		})
		s.refusedOnce(s.program(n, "GET", "/keyed/x", "X-API-Key: "+key), 401, refusal{"bad_credential", "", "api_key_unknown"})
		if a := s.program(n, "GET", "/keyed/x", "X-API-Key: "+other); a.Status != 200 {
			t.Errorf("another key: %d", a.Status)
		}
	}
	if _, _, code := s.keys("revoke", key); code == 0 {
		t.Error("a key is revoked twice")
	}
	var over *browse.Answer
	s.eventually("the brief key is over", func() bool {
		over = s.program(0, "GET", "/keyed/x", "X-API-Key: "+brief)
		return over.Status != 200
	})
	s.refusedOnce(over, 401, refusal{"bad_credential", "", "api_key_expired"})
}

// AUN-01, AUN-02: a session and a credential are never both looked at, whatever the credential is worth, and a credential does not take the place of the session where the route does not say so.
func TestASessionBesideACredential(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b, key := s.signedIn("kira"), s.newKey()
	two := refusal{"bad_credentials", "", "two_credentials"}
	s.refusedOnce(s.sends(b, "GET", "/keyed/x", "X-API-Key: "+key), 400, two)
	s.refusedOnce(s.sends(b, "GET", "/keyed/x", "X-API-Key: ck_worthless"), 400, two)
	s.refusedOnce(s.sends(b, "GET", "/tokens/x", "Authorization: Bearer worth.less.token"), 400, two)
	s.refusedOnce(s.sends(b, "GET", "/tokens-kept/x", "X-API-Key: "+key, "Authorization: Bearer worth.less.token"), 400, two)
	stale := s.browser()
	stale.SetTicket(strings.Repeat("A", 43))
	s.refusedOnce(s.sends(stale, "GET", "/keyed/x", "X-API-Key: "+key), 400, two)
	s.get(b, "/keyed/x", 200)
	for _, credential := range []string{"X-API-Key: " + key, "Authorization: Bearer x", "Authorization: Basic eDp5"} {
		if a := s.program(0, "GET", "/api/x", credential); a.Status < 400 {
			t.Errorf("%.20s opens a session's route", credential)
		}
		if a := s.sends(s.browser(), "GET", "/api/x", credential); a.Status != 401 {
			t.Errorf("%.20s: %d, want 401", credential, a.Status)
		}
	}
}

// RL-04: a limit per caller is over both replicas, and another key is another caller.
func TestALimitPerKey(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	first, second := s.newKey(), s.newKey()
	by := s.through(10, func(n int) *browse.Answer { return s.program(n%2, "GET", "/keyed-twice/x", "X-API-Key: "+first) })
	if by[200] != 3 || by[429] != 7 {
		t.Errorf("%v, want 3 with 200 and 7 with 429", by)
	}
	if a := s.program(0, "GET", "/keyed-twice/x", "X-API-Key: "+second); a.Status != 200 {
		t.Errorf("another key: %d", a.Status)
	}
}
