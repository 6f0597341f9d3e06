package tutorial

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/stack"
)

// The page is done as its reader does it. After each visit to the browser: there is nothing that scripts can read, and every cookie is
// HttpOnly (BBA-6.1-03, CK-03). At the end: nothing that the browser was sent holds a token, both APIs had the user's, and none had a cookie.
func TestTheTutorialWorksAsItIsWritten(t *testing.T) {
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps, err := parse(string(page))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t, root)
	kinds := map[string]int{}
	for _, s := range steps {
		kinds[s.kind]++
		r.do(s)
		if t.Failed() {
			return
		}
	}
	for _, kind := range []string{"sh", "terminal", "text", "diff", "file", "browser"} {
		if kinds[kind] < 2 {
			t.Errorf("%d steps of %s are on the page: does this test still understand it?", kinds[kind], kind)
		}
	}
	r.builtAppIsServed()
	r.browser.judge(r)
	r.packagesAreThoseOfTheLock()
}

// reader is somebody who follows the page.
type reader struct {
	*testing.T
	ctx       context.Context
	dir       string // where the next command is run
	ports     *strings.Replacer
	app       string // Cloakroom's origin
	printed   string // by the commands before
	after     bool   // a command's output is what was last to be seen
	terminals []*terminal
	browser   *window
}

func newReader(t *testing.T, root string) *reader {
	dir := checkout(t, root)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute) // a fresh machine downloads packages
	t.Cleanup(cancel)
	ports := freePorts(t, "8080", "9000", "9001", "9002", "5173")
	r := &reader{T: t, ctx: ctx, ports: strings.NewReplacer(ports...), dir: dir}
	r.app = r.ports.Replace("http://localhost:8080")
	r.browser = openWindow(r)
	return r
}

func (r *reader) do(s step) {
	r.Helper()
	began := time.Now()
	text := r.ports.Replace(s.text)
	switch s.kind {
	case "sh":
		r.run(s, text)
	case "terminal":
		r.leaveRunning(s, text)
	case "text":
		r.sees(s, text)
	case "file":
		r.writes(s.name, text)
	case "diff":
		was, err := os.ReadFile(filepath.Join(r.dir, s.name))
		if err != nil {
			r.Fatal(err)
		}
		now, err := patch(string(was), text)
		if err != nil {
			r.Fatalf("docs/tutorial.md:%d: %s: %v", s.line, s.name, err)
		}
		r.writes(s.name, now)
	case "browser":
		for _, a := range acts(text) {
			r.browser.do(r, s, a)
		}
		r.browser.holdsNoToken(r)
	}
	r.Logf("%5s  line %d: %s %s", time.Since(began).Round(10*time.Millisecond), s.line, s.kind, s.name)
}

func (r *reader) writes(name, text string) {
	r.Helper()
	r.after = false
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// sees compares what commands have printed, or waits for what a terminal prints.
func (r *reader) sees(s step, text string) {
	r.Helper()
	if r.after {
		want, err := like(text)
		if err != nil {
			r.Fatal(err)
		}
		if !want.MatchString(r.printed) {
			r.Fatalf("docs/tutorial.md:%d: what is printed is not\n%s\nbut\n%s", s.line, text, r.printed)
		}
		return
	}
	for line := range strings.Lines(text) {
		if err := r.await(strings.TrimSuffix(line, "\n")); err != nil {
			r.Fatalf("docs/tutorial.md:%d: %v", s.line, err)
		}
	}
}

// builtAppIsServed is about the end of the page: what the browser has is what was built, and not Vite's.
func (r *reader) builtAppIsServed() {
	r.Helper()
	scripts := r.browser.look(r).Scripts
	if len(scripts) != 1 || !regexp.MustCompile(`^/assets/index-[\w-]{8}\.js$`).MatchString(scripts[0]) {
		r.Errorf("the app's scripts are %q", scripts)
	}
}

// packagesAreThoseOfTheLock says so when the page's app has outgrown the lock file, instead of testing what came out yesterday.
func (r *reader) packagesAreThoseOfTheLock() {
	r.Helper()
	versions := func(path string) map[string]string {
		var lock struct {
			Packages map[string]struct{ Version string }
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &lock)
		}
		if err != nil {
			r.Fatal(err)
		}
		all := map[string]string{}
		for name, p := range lock.Packages {
			all[name] = p.Version
		}
		return all
	}
	pinned, installed := versions("package-lock.json"), versions(filepath.Join(r.dir, "shop/node_modules/.package-lock.json"))
	if len(installed) < 10 {
		r.Errorf("%d packages are installed", len(installed))
	}
	for name, version := range installed {
		if pinned[name] != version {
			r.Errorf("%s is %s, and %q in e2e/tutorial/package-lock.json: write that anew, as its package comment says", name, version, pinned[name])
		}
	}
}

// checkout is a folder in which `make build` has the programs at once; that the project's own makes the same ones is checked.
func checkout(t *testing.T, root string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "cloakroom")
	built := t.TempDir()
	var makefile strings.Builder
	makefile.WriteString("build:\n\tmkdir bin\n")
	make := exec.CommandContext(ctx, "make", "--dry-run", "build")
	make.Dir = root
	would, err := make.CombinedOutput()
	if err != nil {
		t.Fatalf("make build: %v\n%s", err, would)
	}
	for _, pkg := range []string{"./cmd/cloakroom", "./cmd/devprovider"} {
		if !slices.Contains(strings.Fields(string(would)), pkg) {
			t.Errorf("make build does not make %s:\n%s", pkg, would)
		}
		program, err := stack.Build(ctx, built, pkg, true)
		if err != nil {
			t.Fatal(err)
		}
		makefile.WriteString("\tcp " + program + " bin/\n")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(makefile.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
