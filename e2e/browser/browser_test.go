package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
	"cloakroom/e2e/tokscan"
)

// given is what the stories are told, see chromium.mjs.
type given struct {
	Chromium string   `json:"chromium"`
	App      string   `json:"app"`      // the built app behind the binary
	Replicas []string `json:"replicas"` // of the binary
	Provider string   `json:"provider"` // its provider
	Evil     string   `json:"evil"`     // a page of another site
	Dev      string   `json:"dev"`      // the app behind the binary, served by Vite
	Greeting string   `json:"greeting"` // a source file of it
	Demo     string   `json:"demo"`
	Notebook string   `json:"notebook"`
	Pictures string   `json:"pictures"`
}

// What a browser is sent, shows and stores holds no credential (BBA-6.1-03, CK-06).
func TestInARealBrowser(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	corpus := tokscan.New()
	witness := &browse.Witness{Corpus: corpus}
	dir := t.TempDir()
	g := given{Notebook: filepath.Join(dir, "notebook"), Pictures: pictures(t)}
	var err error
	if g.Chromium, err = exec.LookPath("chromium"); err != nil {
		t.Fatalf("chromium is missing: run `make setup`: %v", err)
	}
	program, err := stack.Build(ctx, dir, "./cmd/cloakroom", true)
	if err != nil {
		t.Fatal(err)
	}

	dist := filepath.Join(dir, "dist")
	vite(t, ctx, "build", source(t), "--outDir", dist)
	app := start(t, ctx, program, corpus, 2, func(c *stack.Config) {
		c.SPADir, c.Provider = dist, "    timeout: 5s\n    frontchannel_logout: true"
		c.Routes = stack.UsualRoutes(c.Upstream) + guardedRoutes(c.Upstream)
	})
	g.App, g.Provider, g.Evil = app.PublicURL, app.Provider.Issuer, app.Upstream.URL
	for _, r := range app.Replicas {
		g.Replicas = append(g.Replicas, r.Address)
	}

	copied := copySource(t)
	g.Greeting = filepath.Join(copied, "src", "greeting.jsx")
	dev := start(t, ctx, program, corpus, 1, func(c *stack.Config) { c.DevServer = serveVite(t, ctx, copied) })
	g.Dev = dev.PublicURL

	g.Demo = startDemo(t, ctx, corpus)
	run(t, ctx, g)

	for _, s := range []*stack.Stack{app, dev} {
		if err := s.Provider.Confess(ctx, corpus); err != nil {
			t.Fatal(err)
		}
	}
	readNotebook(t, g.Notebook, g.Dev, witness)
	violations, answers := witness.Violations()
	for _, v := range violations {
		t.Error(v)
	}
	for _, f := range corpus.Scan() {
		t.Error(f)
	}
	records, secrets := corpus.Count()
	t.Logf("scanned %v for %v, checked %d answers", records, secrets, answers)
	if records[tokscan.Answer] == 0 || records[tokscan.Page] == 0 || secrets["ticket"] == 0 || secrets["access token"] == 0 {
		t.Errorf("there was not everything to scan: %v, %v", records, secrets)
	}
}

// guardedRoutes want more of a sign-in than that there was one, or of its user, or send whoever comes back to sign in.
func guardedRoutes(upstream string) (routes string) {
	for path, allow := range map[string]string{
		"/safe/": "{acr: urn:mfa}", "/fresh/": "{max_auth_age: 1m}", "/pages/vault": "{acr: urn:mfa}", "/pages/fresh": "{max_auth_age: 1m}",
		"/pages/staff": "{roles: [emperor]}", "/pages/again": "{}",
	} {
		routes += fmt.Sprintf("  - path: %s\n    upstream: %s\n    allow: %s\n", path, upstream, allow)
		if strings.HasPrefix(path, "/pages/") {
			routes += "    cross_site_navigation: true\n"
		}
	}
	return routes
}

// run runs the stories with node's test runner.
func run(t *testing.T, ctx context.Context, g given) {
	t.Helper()
	told, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	stories, err := filepath.Glob("*.test.mjs")
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	cmd := exec.CommandContext(ctx, "node", append([]string{"--test", "--test-reporter=spec", "--test-timeout=200000"}, stories...)...)
	cmd.Env = append(os.Environ(), "CLOAKROOM_BROWSER="+string(told))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the browser's stories: %v", err)
	}
}

// start starts replicas with their parts.
func start(t *testing.T, ctx context.Context, program string, corpus *tokscan.Corpus, replicas int, configure func(*stack.Config)) *stack.Stack {
	t.Helper()
	s, err := stack.Start(ctx, stack.Options{Program: program, Dir: t.TempDir(), Replicas: replicas, Corpus: corpus, Configure: configure})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// startDemo runs the demo on a free port and returns its URL.
func startDemo(t *testing.T, ctx context.Context, corpus *tokscan.Corpus) string {
	t.Helper()
	program, err := stack.Build(ctx, t.TempDir(), "./cmd/demo", true)
	if err != nil {
		t.Fatal(err)
	}
	p, err := stack.Launch("demo", exec.Command(program, "--listen", "localhost:0", "--verbose"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, l := range p.Lines() {
			corpus.See(tokscan.Log, "demo", []byte(l.Text))
		}
		if err := p.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if code, err := p.Wait(context.WithoutCancel(ctx)); err != nil || code != 0 {
			t.Errorf("the demo ended with %d, %v", code, err)
		}
	})
	line, err := p.Await(ctx, "URL", func(l stack.Line) bool { return strings.Contains(l.Text, "http://localhost:") })
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(line.Text, "http://")
	return "http://" + strings.Fields(rest)[0]
}

// readNotebook gives the browser's notes to the scanner and checks the rules for every answer that is ours.
func readNotebook(t *testing.T, path, dev string, witness *browse.Witness) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var n struct {
			Kind, Where, Method, URL, Body string
			Status                         int
			Headers                        [][2]string
		}
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			t.Fatal(err)
		}
		if n.Kind == "page" {
			witness.Corpus.See(tokscan.Page, n.Where, []byte(n.Body))
			continue
		}
		header := http.Header{}
		for _, h := range n.Headers {
			header.Add(h[0], h[1])
		}
		u, err := url.Parse(n.URL)
		if err != nil {
			t.Fatal(err)
		}
		a := &browse.Answer{Status: n.Status, Header: header, Body: n.Body, URL: u}
		if strings.HasPrefix(n.URL, dev) {
			witness.Keep(n.Method+" "+u.Path, n.Status, header, n.Body) // Vite's answers, not ours
			continue
		}
		witness.See(n.Method, a)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// pictures returns the folder that keeps the screenshots.
func pictures(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("CLOAKROOM_PICTURES"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("cloakroom-pictures-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Logf("pictures are in %s", dir)
	return dir
}
