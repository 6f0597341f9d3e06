package configs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const describedHead = `server: {public_url: https://app.example.com}
providers: {main: {issuer: https://id.example.com, client_id: spa, client_secret: b7Kq2Zt9Xw4Lm6Rc}}
session: {secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}
include: [team/*.yaml]
`

// A file's default description holds for each of its routes, and a mistake in it is a mistake of the file that names it.
func TestDescriptionsAreInherited(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "team"), 0o700); err != nil {
		t.Fatal(err)
	}
	load := func(schema, team string) (*Config, error) {
		for name, text := range map[string]string{"team/note.json": schema, "team/notes.yaml": team} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return Parse(filepath.Join(dir, "cloakroom.yaml"), []byte(describedHead), nil)
	}
	const team = `defaults:
  upstream: http://notes:9002
  request:
    schema: note.json
routes:
  - path: /api/notes
  - path: /api/other
    request: {schema: ""}
`
	file := filepath.Join(dir, "team", "note.json")
	cfg, err := load(`{"type":"object"}`, team)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Routes[0].Request.Schema; got != file {
		t.Errorf("the route has %q, want %q", got, file)
	}
	if got := cfg.Routes[1].Request.Schema; got != "" {
		t.Errorf("the route that wants none has %q", got)
	}
	if !slices.Contains(cfg.Files(), file) {
		t.Errorf("a change of %s would not be noticed: %v", file, cfg.Files())
	}
	_, err = load(`{"type":"thing"}`, team)
	if err == nil || !strings.Contains(err.Error(), "notes.yaml:4:") || !strings.Contains(err.Error(), "#/type") {
		t.Errorf("got %v", err)
	}
	_, err = load(`{"type":"thing"}`, strings.ReplaceAll(team, "defaults:\n  upstream: http://notes:9002\n  request:\n    schema: note.json\nroutes:\n  - path: /api/notes\n", "routes:\n  - path: /api/notes\n    upstream: http://notes:9002\n    request: {schema: note.json}\n")+"    upstream: http://notes:9002\n")
	if err == nil || !strings.Contains(err.Error(), "notes.yaml:4:") || !strings.Contains(err.Error(), "routes[0].request.schema") {
		t.Errorf("got %v", err)
	}
}
