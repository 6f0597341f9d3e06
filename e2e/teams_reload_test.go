package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

func canonical(name string) string { return http.CanonicalHeaderKey(name) }

// path, read, write and remove are for a file of the configuration. One is replaced as a whole, so that the server never sees half of it.
func (s *teams) path(name string) string { return filepath.Join(s.dir(), filepath.FromSlash(name)) }

func (s *teams) read(name string) string {
	s.Helper()
	text, err := os.ReadFile(s.path(name))
	s.check(err)
	return string(text)
}

func (s *teams) write(name, text string) {
	s.Helper()
	s.replace(s.path(name), []byte(text))
}

func (s *teams) remove(name string) {
	s.Helper()
	s.check(os.Remove(s.path(name)))
}

// reload asks for one by SIGHUP and waits for its effect.
func (s *story) reload(effect string, seen func() bool) {
	s.Helper()
	s.check(s.Replicas[0].Signal(syscall.SIGHUP))
	s.eventually(effect, seen)
}

// rejected reports whether the log says that a configuration was refused, and all of this about it.
func (s *story) rejected(says ...string) bool {
	for _, l := range s.Replicas[0].Events("config_refused") {
		text, all := fmt.Sprint(l.Fields["err"]), true
		for _, part := range says {
			all = all && strings.Contains(text, part)
		}
		if all {
			return true
		}
	}
	return false
}

// mistake is something wrong with a file of a team, and what is said of it.
type mistake struct {
	file string
	do   func(path, text string) error
	says []string
}

// changed writes a file with one piece replaced, or with more at its end.
func changed(old, new string) func(path, text string) error {
	return func(path, text string) error {
		if old == "" {
			return os.WriteFile(path, []byte(text+new), 0o600)
		}
		return os.WriteFile(path, []byte(strings.Replace(text, old, new, 1)), 0o600)
	}
}

// replacedBy puts something else in the place of a file.
func replacedBy(do func(path string) error) func(path, text string) error {
	return func(path, _ string) error { return errors.Join(os.Remove(path), do(path)) }
}

var mistakes = map[string]mistake{
	"an unknown key":                     {"teams/checked.yaml", changed("", "  - {path: /new/, upstraem: x}\n"), []string{"teams/checked.yaml:10:19:", `did you mean "upstream"?`}},
	"a section that is not the team's":   {"teams/checked.yaml", changed("", "session: {lifetime: 24h}\n"), []string{"teams/checked.yaml:10:1: session: belongs into the main file"}},
	"a route of another team":            {"teams/checked.yaml", changed("", "  - {path: /told/}\n"), []string{"teams/told.yaml:3:5:", "in teams/checked.yaml:10,"}},
	"another's upstream":                 {"teams/checked.yaml", changed("  checkedapi:", "  vault: {url: \"http://127.0.0.1:1\"}\n  checkedapi:"), []string{"teams/platform/vault.yaml:2:3: upstreams.vault: is the name of another upstream, in teams/checked.yaml:3"}},
	"a variable that is not set":         {"teams/told.yaml", changed("env:TENANT", "env:TENANT_NEW"), []string{"teams/told.yaml:5:", "${env:TENANT_NEW}: the environment has no variable of this name"}},
	"half a file":                        {"teams/told.yaml", func(path, text string) error { return os.WriteFile(path, []byte(text[:400]), 0o600) }, []string{"teams/told.yaml:"}},
	"a description with a wrong type":    {"teams/apis/orders.yaml", changed("type: integer", "type: intger"), []string{"teams/checked.yaml:5:34:", `"intger"`}},
	"a description that leads elsewhere": {"apis/ledger.json", changed(`"type": "object",`, `"$ref": "https://evil.test/x.json",`), []string{"teams/checked.yaml:6:34:", `"https://evil.test/x.json": nothing is loaded from elsewhere`}},
	"a secret that is gone":              {"teams/secrets/api-key", replacedBy(func(string) error { return nil }), []string{"teams/told.yaml:6:17:", "${file:secrets/api-key}: no such file"}},
	"a certificate that is none":         {"teams/platform/vault/ca.pem", changed("BEGIN", "BEGUN"), []string{"teams/platform/vault.yaml:2:", "upstreams.vault.tls.ca: has no certificate in PEM"}},
	"a link to nowhere":                  {"teams/told.yaml", replacedBy(func(path string) error { return os.Symlink("nowhere.yaml", path) }), []string{"include[0]: teams/told.yaml: no such file"}},
	"a link to another team's file":      {"teams/told.yaml", replacedBy(func(path string) error { return os.Symlink("pages.yaml", path) }), []string{"teams/told.yaml is the same file as teams/pages.yaml"}},
	"a folder in place of a description": {"teams/apis/orders.yaml", replacedBy(func(path string) error { return os.Mkdir(path, 0o700) }), []string{"teams/checked.yaml:5:34:", "is a folder where a file is wanted"}},
	"a pipe in place of a file":          {"teams/told.yaml", replacedBy(func(path string) error { return syscall.Mkfifo(path, 0o600) }), []string{"teams/told.yaml is not a regular file"}},
}

// CFG-01, VAL-04: what is wrong with a team's file is said with its place, and with the other place where there are two.
func TestMistakesOfATeamAreExplained(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	dir := t.TempDir()
	_, err := s.Config.Write(dir)
	s.check(err)
	for name, m := range mistakes {
		path := filepath.Join(dir, filepath.FromSlash(m.file))
		s.check(m.do(path, s.Config.Files[m.file]))
		_, errs, code := s.tool(dir, false, "check")
		if code != 2 {
			t.Errorf("%s: exit code %d", name, code)
		}
		for _, part := range m.says {
			if !strings.Contains(errs, part) {
				t.Errorf("%s: it does not say %s:\n%s", name, part, errs)
			}
		}
		s.check(os.RemoveAll(path))
		s.check(os.WriteFile(path, []byte(s.Config.Files[m.file]), 0o600))
	}
}

// A file of one team that is wrong changes nothing for anybody, and the log says what is wrong; so does one that it names. When it is right again, it holds.
func TestAnIncludedFileThatIsWrongChangesNothing(t *testing.T) {
	t.Parallel()
	s := onOwnTeams(t)
	b := s.signedIn("mona")
	for _, name := range []string{"an unknown key", "a description with a wrong type", "a secret that is gone", "a pipe in place of a file"} {
		m := mistakes[name]
		s.check(m.do(s.path(m.file), s.Config.Files[m.file]))
		s.reload("the log says of "+name, func() bool { return s.rejected(m.says...) })
		s.get(b, "/told/json?mona", 200)
		if got := header(s.last("/told/json?mona"), "X-Api-Key"); got != s.apiKey {
			t.Errorf("%s: the secret is now %q", name, got)
		}
		s.get(b, "/c/orders/?limit=500", 400)
		s.get(b, "/c/orders/?limit=5", 200)
		s.get(b, "/new/json", 404)
		s.check(os.RemoveAll(s.path(m.file)))
		s.write(m.file, s.Config.Files[m.file])
	}
	if !s.unchanged() {
		t.Error("a configuration held that changed something")
	}
	s.write("teams/checked.yaml", strings.Replace(s.Config.Files["teams/checked.yaml"], "routes:", "routes:\n  - {path: /c/new/}", 1))
	s.reload("the new route is there", func() bool { return s.status(b, "/c/new/json") == 200 })
}

// status asks for a path and says how it was answered.
func (s *story) status(b *browse.Browser, path string) int {
	s.Helper()
	a, err := b.Fetch(s.ctx, "GET", path, "")
	s.check(err)
	return a.Status
}

// unchanged reports whether all configurations that were taken were as the one before.
func (s *story) unchanged() bool {
	for _, l := range s.Replicas[0].Events("config_reloaded") {
		if changed, _ := l.Fields["changed"].([]any); len(changed) > 0 {
			return false
		}
	}
	return true
}

// A team's file that goes away takes its routes along, and the request that is under way ends under the old ones.
func TestATeamsFileThatGoesAway(t *testing.T) {
	t.Parallel()
	s := onOwnTeams(t)
	b := s.signedIn("nils")
	gate := s.echo.Hold("silent/nils")
	done := s.under(b, "GET", "/going/silent/nils")
	select {
	case <-gate.Arrived():
	case <-s.ctx.Done():
		t.Fatal("the request has not arrived")
	}
	s.remove("teams/going.yaml")
	s.reload("the route is gone", func() bool { return s.status(b, "/going/x") == 404 })
	gate.Release()
	if status := <-done; status != 200 {
		t.Errorf("the request that was under way was answered %d", status)
	}
	s.get(b, "/told/json", 200)
}

// The server finds its files wherever it was started, also when it reads them again; and SIGHUP never ends it.
func TestTheServerStartsInAnotherFolder(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	dir := t.TempDir()
	_, err := s.Config.Write(dir)
	s.check(err)
	program, err := shared.program()
	s.check(err)
	cmd := exec.Command(program, "serve", "-c", "../../cloakroom.yaml")
	cmd.Dir, cmd.Env = filepath.Join(dir, "teams/platform"), append(os.Environ(), s.env()...)
	p, err := stack.Launch("elsewhere", cmd)
	s.check(err)
	t.Cleanup(func() { _ = p.Kill() })
	_, err = p.Await(s.ctx, "listener", func(l stack.Line) bool { return l.Is("listening") && l.Fields["listener"] == "public" })
	s.check(err)
	s.check(p.Signal(syscall.SIGHUP))
	_, err = p.Await(s.ctx, "reload", func(l stack.Line) bool { return l.Fields["event"] == "config_reloaded" })
	s.check(err)
	s.check(p.Signal(syscall.SIGTERM))
	if code, err := p.Wait(s.ctx); err != nil || code != 0 {
		t.Errorf("it ended with %d, %v", code, err)
	}
}
