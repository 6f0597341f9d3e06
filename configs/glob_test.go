package configs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A pattern finds what filepath.Glob finds, and passes over what is hidden in every folder on the way.
func TestWhatAPatternMatches(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.yaml", "b.yaml", ".hidden.yaml", "notes.txt", "..data/a.yaml", "team/x.yaml", "other/x.yaml", "other/y.yaml", "a[1]/x.yaml"} {
		write(t, filepath.Join(dir, name), "routes: []\n")
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling.yaml")); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"*.yaml":         "a.yaml b.yaml dangling.yaml",
		".*.yaml":        ".hidden.yaml",
		"*/x.yaml":       "a[1]/x.yaml other/x.yaml team/x.yaml", // and not ..data's
		"*/*.yaml":       "a[1]/x.yaml other/x.yaml other/y.yaml team/x.yaml",
		"..*/*.yaml":     "..data/a.yaml",
		`a\[1\]/x.yaml`:  "a[1]/x.yaml",
		`a\[1\]/*.yaml`:  "a[1]/x.yaml",
		"team/z*.yaml":   "",
		"nowhere/*.yaml": "",
		"a.yaml/*.yaml":  "",
		"a.yaml":         "a.yaml",
		"none.yaml":      "",
	} {
		got, err := matching(filepath.Join(dir, pattern), os.ReadDir)
		for i := range got {
			got[i], _ = filepath.Rel(dir, got[i])
		}
		if text := strings.Join(got, " "); err != nil || text != want {
			t.Errorf("%s: %q, %v; want %q", pattern, text, err, want)
		}
	}
	if _, err := matching("[", os.ReadDir); !errors.Is(err, filepath.ErrBadPattern) {
		t.Errorf("no pattern: %v", err)
	}
}

// A folder that may not be read has no files only as far as anybody can tell. Its routes would be gone, and nothing wrong.
func TestAFolderThatCannotBeReadIsAMistake(t *testing.T) {
	for _, c := range []struct{ pattern, locked string }{{"teams/*.yaml", "teams"}, {"*/routes.yaml", ""}} {
		dir := sections(t, "-- cloakroom.yaml --\n"+`server: {public_url: "https://app.example.com"}
providers: {main: {issuer: "https://id.example.com", client_id: spa, client_secret: "${file:secrets/oidc}"}}
session: {store: memory, secrets: ["${file:secrets/session}"]}
include: ["`+c.pattern+`"]
`+"-- teams/routes.yaml --\nroutes: [{path: /a/, upstream: \"http://a\"}]\n")
		path := filepath.Join(dir, "cloakroom.yaml")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sys := broken()
		sys.read = func(path string) ([]byte, error) {
			if strings.HasPrefix(path, filepath.Join(dir, "secrets")) {
				return broken().read(path)
			}
			return readFile(path)
		}
		if cfg, err := parse(path, data, sys); err != nil || len(cfg.Routes) != 1 {
			t.Fatalf("%s, readable: %v", c.pattern, err)
		}
		sys.list = func(folder string) ([]os.DirEntry, error) {
			if folder == filepath.Join(dir, c.locked) {
				return nil, &fs.PathError{Op: "open", Path: folder, Err: fs.ErrPermission}
			}
			return os.ReadDir(folder)
		}
		_, err = parse(path, data, sys)
		if err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(err.Error(), "include[0]") {
			t.Errorf("%s: %v", c.pattern, err)
		}
	}
}

// A configuration may be wrong because of a file that is not there yet: the one that gives an upstream its name.
func TestAFileThatWouldMendItIsWatchedFor(t *testing.T) {
	dir := sections(t, "-- cloakroom.yaml --\n"+`include: ["teams/*.yaml"]
`+"-- teams/routes.yaml --\nroutes: [{path: /a/, upstream: orders}]\n")
	path := filepath.Join(dir, "cloakroom.yaml")
	_, err := Load(path)
	wrong, ok := errors.AsType[*Errors](err)
	if !ok || !slices.Contains(wrong.Files, filepath.Join(dir, "teams/routes.yaml")) {
		t.Fatal(err)
	}
	w := WatchedFile(path).With(wrong)
	before := w.Digest()
	write(t, filepath.Join(dir, "teams/.#upstreams.yaml"), "an editor's")
	if w.Digest() != before {
		t.Error("a file that is included by nothing counts")
	}
	write(t, filepath.Join(dir, "teams/upstreams.yaml"), "upstreams: {orders: {url: \"http://a\"}}\n")
	if w.Digest() == before {
		t.Error("the upstream has its name now, and nobody would notice")
	}
}
