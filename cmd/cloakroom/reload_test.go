package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// folder is a configuration that is written file by file.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

// write puts a file in its place as most editors do: whole, and by another name first.
func (f folder) write(name, text string) {
	f.t.Helper()
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path+"~", []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		f.t.Fatal(err)
	}
}

// link points name at target, in one step.
func (f folder) link(target, name string) {
	f.t.Helper()
	if err := os.Symlink(target, f.path(name+".new")); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.path(name+".new"), f.path(name)); err != nil {
		f.t.Fatal(err)
	}
}

// reloadable is a configuration with one route and what else is said.
func reloadable(upstream, more string) string {
	return fmt.Sprintf(`server: {public_url: "http://localhost", listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0"}
providers: {main: {issuer: "http://127.0.0.1:1", client_id: spa, client_secret: b7Kq2Zt9Xw4Lm6Rc}}
session: {store: memory, secrets: ["${file:secret}"]}
routes: [{path: /, upstream: %q, auth: none}]
%s`, upstream, more)
}

const sessionSecret = "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta"

// says is an upstream that always says the same.
func says(t *testing.T, text string) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return s.URL
}

// body is what the public listener answers at path.
func (p *process) body(path string) string {
	p.t.Helper()
	return p.read(p.url + path)
}

func (p *process) read(url string) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Host = "localhost"
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

func (p *process) hangUp() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
}

// SIGHUP reads again whether or not something seems to have changed; and a log level that was raised shows more at once.
func TestSIGHUPReloads(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write("secret", sessionSecret)
	f.write("cloakroom.yaml", reloadable(says(t, "first"), ""))
	p := startFile(t, f.path("cloakroom.yaml"))
	p.hangUp()
	if got := p.event("config_reloaded", "config_refused"); got["event"] != "config_reloaded" || got["generation"] != 2.0 || got["changed"] != nil {
		t.Errorf("%v", got)
	}
	f.write("cloakroom.yaml", reloadable(says(t, "second"), ""))
	p.hangUp()
	if got := p.event("config_reloaded", "config_refused"); got["event"] != "config_reloaded" || fmt.Sprint(got["changed"]) != "[routes]" {
		t.Errorf("%v", got)
	}
	if got := p.body("/"); got != "second" {
		t.Errorf("the upstream says %q", got)
	}
	p.signal()
	if code, log := p.exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, log)
	}
}

// Kubernetes swaps a link, again and again; files that a pattern finds come and go; a secret changes. Nobody says so.
func TestAChangeOfFilesReloads(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for i, text := range []string{"one", "two", "three"} {
		dir := fmt.Sprintf("..%d/", i+1)
		f.write(dir+"cloakroom.yaml", reloadable(says(t, text), `include: ["teams/*.yaml"]`))
		f.write(dir+"secret", sessionSecret)
	}
	f.write("teams/.keep", "")
	f.link("..1", "..data")
	f.link("..data/cloakroom.yaml", "cloakroom.yaml")
	f.link("..data/secret", "secret")
	p := startFile(t, f.path("cloakroom.yaml"))
	for i, text := range []string{"two", "three"} {
		f.link(fmt.Sprintf("..%d", i+2), "..data")
		p.event("config_reloaded")
		if got := p.body("/"); got != text {
			t.Errorf("after swap %d the upstream says %q, want %q", i+1, got, text)
		}
	}
	f.write("teams/a.yaml", fmt.Sprintf("routes: [{path: /team/, upstream: %q, auth: none}]\n", says(t, "team")))
	p.event("config_reloaded")
	if got := p.body("/team/"); got != "team" {
		t.Errorf("the new team's route says %q", got)
	}
	f.write("..3/secret", sessionSecret+"Kd8Wr2")
	if got := p.event("config_reloaded"); fmt.Sprint(got["changed"]) != "[session.secrets]" {
		t.Errorf("%v", got)
	}
}

// Law 7: whatever is wrong is said once, with its place, and nothing changes; when it is mended, it holds.
func TestABadFileChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	upstream := says(t, "first")
	f.write("secret", sessionSecret)
	f.write("cloakroom.yaml", reloadable(upstream, ""))
	p := startFile(t, f.path("cloakroom.yaml"))
	admin := "http://" + p.until("listening")["address"].(string)
	refused := func(reason, what string) {
		t.Helper()
		got := p.event("config_refused", "config_reloaded")
		if text, _ := got["err"].(string); got["reason"] != reason || !strings.Contains(text, what) {
			t.Errorf("%v, want %s: %s", got, reason, what)
		}
		if got := p.body("/"); got != "first" {
			t.Errorf("after a bad reload: %q", got)
		}
		if !strings.Contains(p.read(admin+"/metrics"), "cloakroom_config_last_reload_successful 0") {
			t.Error("the metric says that all is well")
		}
	}
	f.write("cloakroom.yaml", reloadable(upstream, "rotues: []\n"))
	refused("invalid", "cloakroom.yaml:5:1: rotues")
	f.write("cloakroom.yaml", reloadable(upstream, `include: ["teams.yaml"]`))
	refused("invalid", "teams.yaml")
	f.write("teams.yaml", "routes: [{path: /, upstream: \"http://127.0.0.1:1\"}]\n") // mended elsewhere, and wrong again
	refused("invalid", "teams.yaml:1:11: routes[0].path")
	f.write("cloakroom.yaml", strings.Replace(reloadable(upstream, ""), "{store: memory,", "{store: memory, idle_timeout: 5m,", 1))
	refused("refused", "session.idle_timeout")
	f.write("cloakroom.yaml", reloadable(says(t, "mended"), ""))
	if got := p.event("config_refused", "config_reloaded"); got["generation"] != 2.0 {
		t.Errorf("%v", got)
	}
	if got := p.body("/"); got != "mended" {
		t.Errorf("after the mend: %q", got)
	}
}
