package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tool runs the program in a folder, with the environment of the teams unless it is bare, and returns what it writes and its exit code.
func (s *teams) tool(dir string, bare bool, args ...string) (stdout, stderr string, code int) {
	s.Helper()
	program, err := shared.program()
	s.check(err)
	cmd := exec.CommandContext(s.ctx, program, args...)
	cmd.Dir, cmd.Env = dir, os.Environ()
	if !bare {
		cmd.Env = append(cmd.Env, s.env()...)
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	for _, secret := range []string{s.apiKey, s.Config.ClientSecret, s.Config.Secrets[0]} {
		if strings.Contains(out.String()+errs.String(), secret) {
			s.Errorf("%v shows a secret", args)
		}
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// says demands an exit code and lines that begin so, whatever the numbers of blanks.
func (s *teams) says(output string, code, want int, lines ...string) {
	s.Helper()
	if code != want {
		s.Errorf("exit code %d, want %d\n%s", code, want, output)
	}
	var got []string
	for line := range strings.Lines(output) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	for _, line := range lines {
		if !slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, line) }) {
			s.Errorf("no line begins with %q:\n%s", line, output)
		}
	}
}

// CFG-01: all files are judged from wherever the command is called; what the environment lacks is said with the file and the line.
func TestTheTeamsFilesAreCheckedFromAnywhere(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	for dir, config := range map[string]string{s.dir(): "", filepath.Join(s.dir(), "teams/platform"): "../../cloakroom.yaml", "/": s.ConfigPath} {
		args := []string{"check"}
		if config != "" {
			args = append(args, "--config", config)
		}
		out, errs, code := s.tool(dir, false, args...)
		s.says(out, code, 0, "cloakroom.yaml: ok", "provider main: "+s.Provider.Issuer)
		if errs != "" {
			t.Errorf("in %s it complains: %s", dir, errs)
		}
	}
	out, errs, code := s.tool("/", true, "check", "-c", s.ConfigPath)
	s.says(errs, code, 2, "teams/checked.yaml:3:", "teams/going.yaml:1:", "teams/told.yaml:1:", "teams/told.yaml:5:", "cloakroom.yaml: 4 mistakes")
	if out != "" || !strings.Contains(errs, "ECHO_URL") {
		t.Errorf("mistakes belong to standard error, with the variable's name: %q\n%s", out, errs)
	}
}

// Everything that the files name is asked, by the way that the server would take.
func TestEverythingOutsideIsAsked(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	out, errs, code := s.tool("/", false, "check", "--online", "-c", s.ConfigPath)
	var marks []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 2 && (f[0] == "ok" || f[0] == "FAIL") && strings.HasSuffix(f[1], "s") {
			marks = append(marks, f[0]+" "+strings.Join(f[2:], " "))
		}
	}
	s.says(strings.Join(marks, "\n"), code, 1, "ok provider main at "+s.Provider.Issuer, "ok redis: read and write", "ok upstream vault at https://"+s.vault.address,
		"FAIL upstream vault-by-another-name at", "FAIL upstream vault-of-nobody at", "FAIL upstream vault-of-strangers at", "FAIL upstream vault-by-default at", "ok upstream modern at "+s.h2c, "ok upstream at unix:"+s.unix)
	if !strings.HasSuffix(errs, "could not be reached\n") {
		t.Errorf("it does not say so: %s", errs)
	}
}

// What explain says of a request is what the upstream gets of it.
func TestExplainSaysWhatHappens(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	dir := t.TempDir()
	s.check(os.WriteFile(filepath.Join(dir, "claims.json"), []byte(`{"sub":"jurgen","name":"Jürgen","picture":"Höhe, Breite","email":"jurgen@example.test","groups":["clerk","a,b"]}`), 0o600))
	out, errs, code := s.tool(dir, false, "explain", "GET", "/told/json?explained", "--as", "claims.json", "-H", "X-Page: 2", "-H", "X-Debug: 1", "-H", "X-User-Id: root", "-c", s.ConfigPath, "--json")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	var x struct {
		Verdict, Upstream string
		Route             struct{ File string }
		Headers           map[string][]string
	}
	s.check(json.Unmarshal([]byte(out), &x))
	s.fetch(s.signedIn("jurgen"), "GET", "/told/json?explained", 200, "X-Page: 2", "X-Debug: 1", "X-User-Id: root")
	r := s.last("/told/json?explained")
	if x.Verdict != "forwarded" || x.Upstream != s.echo.URL+r.Target || x.Route.File != "teams/told.yaml" {
		t.Errorf("%s to %s by %s; it went to %s", x.Verdict, x.Upstream, x.Route.File, r.Target)
	}
	for _, h := range r.Headers {
		said := strings.Join(x.Headers[canonical(h[0])], " | ")
		if !strings.HasPrefix(canonical(h[0]), "X-") {
			continue
		}
		if said == "" || !strings.ContainsAny(said, "[(") && said != "192.0.2.1" && said != h[1] {
			t.Errorf("it went with %s: %s, and explain says %q", h[0], h[1], said)
		}
		delete(x.Headers, canonical(h[0]))
	}
	for name := range x.Headers {
		if strings.HasPrefix(name, "X-") {
			t.Errorf("explain says %s, which did not arrive", name)
		}
	}
	out, _, code = s.tool("/", false, "explain", "/c/nothing", "-c", s.ConfigPath)
	s.says(out, code, 0, "GET /c/nothing")
}

// The routes of all files, with their places; and what a team expects of them.
func TestTheTeamsRoutesAndExpectations(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	out, _, code := s.tool(filepath.Join(s.dir(), "teams"), false, "routes", "--config", "../cloakroom.yaml")
	s.says(out, code, 0, "/told/ all required session "+s.echo.URL+" teams/told.yaml:3", "/vault/ all required session vault teams/platform/vault.yaml:8", "/home/{id} ",
		"/c/notes POST,PUT required session checkedapi teams/checked.yaml:7")

	dir := t.TempDir()
	expect := func(name, text string) {
		s.check(os.WriteFile(filepath.Join(dir, name), []byte("users:\n  ada: {sub: ada}\ntests:\n"+text), 0o600))
	}
	expect("holds.yaml", `  - {name: told, request: {path: /told/x, as: ada}, expect: {verdict: forwarded, headers: {X-User-ID: ada}, absent: [X-Picture, Cookie]}}
  - {name: shared, request: {path: /shared/x, as: ada, headers: {Origin: "http://localhost:4444", Sec-Fetch-Site: same-site, Sec-Fetch-Mode: cors}}, expect: {verdict: forwarded}}
`)
	expect("fails.yaml", "  - {name: open, request: {path: /told/x}, expect: {verdict: forwarded}}\n")
	expect("wrong.yaml", "  - {name: open, request: {path: /told/x, as: eve}, expect: {verdict: forwarded}}\n")
	out, errs, code := s.tool(dir, false, "test", "-c", s.ConfigPath, "holds.yaml")
	s.says(out+errs, code, 0, "2 tests: ok")
	out, errs, code = s.tool(dir, false, "test", "-c", s.ConfigPath, "holds.yaml", "fails.yaml")
	s.says(out+errs, code, 1, "fails.yaml:4: open", "- want forwarded", "+ got refused", "1 of 3 tests failed")
	out, errs, code = s.tool(dir, false, "test", "-c", s.ConfigPath, "fails.yaml", "wrong.yaml")
	s.says(out+errs, code, 2, "wrong.yaml:4:")
}
