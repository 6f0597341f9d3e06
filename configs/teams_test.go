package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// sections writes a text of several files, each under a line `-- name --`, into a folder, which it returns.
func sections(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	heads := regexp.MustCompile(`(?m)^-- (\S+) --\n`).FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		write(t, filepath.Join(dir, text[h[2]:h[3]]), text[h[1]:end])
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// load reads the configuration in a folder.
func load(t *testing.T, dir string) (*Config, error) {
	t.Helper()
	path := filepath.Join(dir, "cloakroom.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sys := broken()
	sys.read = readFile
	return parse(path, data, sys)
}

// Every broken configuration of several files is a requirement in the words of its name.
func TestBrokenFilesOfTeamsAreRefused(t *testing.T) {
	cases, err := filepath.Glob("testdata/teams/*.txt")
	if err != nil || len(cases) < 8 {
		t.Fatalf("%d cases (%v)", len(cases), err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = load(t, sections(t, string(data)))
			if err == nil {
				t.Fatal("the configuration was taken")
			}
			if strings.Contains(err.Error(), canary[:10]) {
				t.Errorf("the message shows a secret:\n%v", err)
			}
			golden(t, strings.TrimSuffix(path, ".txt")+".golden", err.Error()+"\n")
		})
	}
}

const teamsMain = `-- cloakroom.yaml --
server: {public_url: https://app.example.com}
providers: {main: {issuer: https://id.example.com, client_id: spa, client_secret: "${file:secret}"}}
session: {secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}
-- secret --
b7Kq2Zt9Xw4Lm6Rc
`

const teams = teamsMain + `-- cloakroom.d/b.yaml --
defaults: {upstream: "http://b:8000", auth: none, timeout: 5s, request: {max_body: 1MiB}}
routes:
  - {path: /b/}
  - {path: /b/own/, auth: optional, upstream: "http://own:8000", request: {min_rate: 1KiB}}
-- cloakroom.d/a.yaml --
routes:
  - {path: /a/, upstream: "http://a:8000"}
-- cloakroom.d/.a.yaml.swp.yaml --
what an editor leaves
`

func TestEachFileHasItsOwnDefaults(t *testing.T) {
	dir := sections(t, teams)
	main := filepath.Join(dir, "cloakroom.yaml")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	write(t, main, "routes: [{path: /, upstream: 'http://main:8000'}]\ndefaults: {idle: 7s}\ninclude: [cloakroom.d/*.yaml]\n"+string(text))
	cfg, err := load(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range cfg.Routes {
		got = append(got, fmt.Sprint(r.Path, " ", r.Upstream, " ", r.Auth, " ", r.Timeout, " ", r.Idle, " ", int64(r.Request.MaxBody), " ", int64(r.Request.MinRate)))
	}
	want := []string{
		"/ http://main:8000 required 30s 7s 10485760 512",
		"/a/ http://a:8000 required 30s 1m0s 10485760 512",
		"/b/ http://b:8000 none 5s 1m0s 1048576 512",
		"/b/own/ http://own:8000 optional 5s 1m0s 1048576 1024",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i := range want {
		if file, line := cfg.Place(i); file == "" || line == 0 {
			t.Errorf("route %d: no place", i)
		}
	}
	if file, line := cfg.Place(3); file != "cloakroom.d/b.yaml" || line != 4 {
		t.Errorf("route 3 is in %s:%d", file, line)
	}
	if got, want := cfg.Files(), []string{main, filepath.Join(dir, "cloakroom.d/a.yaml"), filepath.Join(dir, "cloakroom.d/b.yaml"), filepath.Join(dir, "secret")}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if got, want := cfg.Folders(), []string{filepath.Join(dir, "cloakroom.d")}; !slices.Equal(got, want) {
		t.Errorf("folders %q, want %q", got, want)
	}
}

func TestAPatternMayMatchNothingWhileItsFolderIsThere(t *testing.T) {
	dir := sections(t, strings.Replace(teamsMain, "session:", "include: [routes/*.yaml, \"routes/[xy]/?.yaml\"]\nsession:", 1)+"-- routes/.keep --\n")
	if _, err := load(t, dir); err != nil {
		t.Error(err)
	}
}

// Kubernetes mounts a ConfigMap as links into a folder that it swaps; the same file by two links would have every route conflict with itself.
func TestALinkIsFollowedAndTheSameFileTwiceIsRefused(t *testing.T) {
	dir := sections(t, strings.Replace(teamsMain, "session:", "include: [routes/*.yaml]\nsession:", 1)+"-- routes/..1/a.yaml --\nroutes: [{path: /a/, upstream: 'http://a:8000'}]\n")
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, "routes", name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/a.yaml", "a.yaml")
	if cfg, err := load(t, dir); err != nil || len(cfg.Routes) != 1 {
		t.Fatal(cfg, err)
	}
	link("a.yaml", "b.yaml")
	if _, err := load(t, dir); err == nil || !strings.Contains(err.Error(), "routes/b.yaml is the same file as routes/a.yaml") {
		t.Errorf("got %v", err)
	}
}

func TestIncludedFilesAreBounded(t *testing.T) {
	with := strings.Replace(teamsMain, "session:", "include: [routes/*.yaml]\nsession:", 1)
	for name, files := range map[string]func(dir string){
		"is larger than 1048576 bytes": func(dir string) { write(t, filepath.Join(dir, "a.yaml"), strings.Repeat("#", maxFile+1)) },
		"names 1001 files": func(dir string) {
			for i := range maxIncluded + 1 {
				write(t, filepath.Join(dir, fmt.Sprint(i, ".yaml")), "")
			}
		},
		"together are larger than 16777216 bytes": func(dir string) {
			for i := range maxTotal/maxFile + 1 {
				write(t, filepath.Join(dir, fmt.Sprint(i, ".yaml")), strings.Repeat("#", maxFile))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := sections(t, with)
			files(filepath.Join(dir, "routes"))
			if _, err := load(t, dir); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %.400v", err)
			}
		})
	}
}

// A reload that failed waits for a change of what it has read, which may be more than what was read before.
func TestABadConfigurationSaysWhichFilesItWasReadFrom(t *testing.T) {
	dir := sections(t, strings.Replace(teams, "session:", "include: [cloakroom.d/*.yaml, nowhere.yaml]\nsession:", 1))
	_, err := load(t, dir)
	list, ok := errors.AsType[*Errors](err)
	if !ok || !slices.Contains(list.Files, filepath.Join(dir, "cloakroom.d/b.yaml")) || list.Files[0] != filepath.Join(dir, "cloakroom.yaml") {
		t.Errorf("got %v", err)
	}
}

// What a file says for its routes must mean there what it means in a route.
func TestDefaultsAreKeysOfARoute(t *testing.T) {
	route, defaults := reflect.ValueOf(Default[Routing]().Routes), reflect.TypeFor[Defaults]()
	for _, f := range fields(defaults) {
		own, r, ok := find(reflect.New(route.Type().Elem()).Elem(), f.key)
		if !ok {
			t.Errorf("defaults.%s: a route has no such key", f.key)
			continue
		}
		rt, dt := own.Type(), defaults.Field(f.index).Type
		if rt != dt || !slices.Equal(r.enum, f.enum) || r.file != f.file || !r.required && r.def != f.def {
			t.Errorf("defaults.%s is %s, default %q, enum %q; of a route it is %s, %q, %q", f.key, dt, f.def, f.enum, rt, r.def, r.enum)
		}
	}
	if d := Default[Defaults](); d.Timeout != 30*time.Second {
		t.Errorf("timeout %v", d.Timeout)
	}
}

// A token is one thing, whether it is written as a word or as a section: half of one and half of another would be a third.
func TestATokenOfTheDefaultsIsTakenOrReplacedAsAWhole(t *testing.T) {
	dir := sections(t, strings.Replace(teamsMain, "session:", "include: [routes/*.yaml]\nsession:", 1)+`-- routes/a.yaml --
defaults: {upstream: "http://a:8000", strip_prefix: /api, token: {audience: orders, scopes: [read]}}
routes:
  - {path: /api/a/}
  - {path: /api/b/, token: none}
  - {path: /api/c/, token: {scopes: [write]}}
  - {path: /api/d, compose: {x: {url: "http://x:1/x"}}}
-- routes/b.yaml --
defaults: {upstream: "http://b:8000", token: none, headers: {set: {X-User: "${user.sub}"}}}
routes: [{path: /b/}]
`)
	cfg, err := load(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Routes[4].Headers.Set["X-User"]; got != "${user.sub}" {
		t.Errorf("headers.set of the defaults: %q", got)
	}
	for i, want := range []string{"auto orders [read]", "none  []", "auto  [write]", "auto orders [read]", "none  []"} {
		tok := cfg.Routes[i].Token
		if got := fmt.Sprint(tok.Method, " ", tok.Audience, " ", tok.Scopes); got != want {
			t.Errorf("%s: %q, want %q", cfg.Routes[i].Path, got, want)
		}
	}
}

func TestRoutesOfAllFilesShareTheUpstreams(t *testing.T) {
	dir := sections(t, strings.Replace(teamsMain, "session:", "include: [routes/*.yaml]\nupstreams: {orders: {url: 'http://orders:9001'}}\nsession:", 1)+`-- routes/a.yaml --
upstreams: {users: {url: "http://users:9002"}}
defaults: {upstream: orders}
routes:
  - {path: /orders/}
  - {path: /several/, upstreams: ["http://a:1", "http://b:1"]}
-- routes/b.yaml --
routes: [{path: /users/, upstream: users}]
`)
	cfg, err := load(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"http://orders:9001", "", "http://users:9002"} {
		u, err := cfg.Routes[i].Resolve(cfg.Upstreams)
		if err != nil || u.URL != want || (want == "") != (len(u.URLs) == 2) {
			t.Errorf("%s goes to %+v (%v), want %q", cfg.Routes[i].Path, u, err, want)
		}
	}
}
