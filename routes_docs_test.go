package house_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloakroom/configs"
)

func yamlBlocks(t *testing.T, page string, want int) []string {
	t.Helper()
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, page), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) != want {
		t.Fatalf("%s has %d YAML blocks, want %d", page, len(blocks), want)
	}
	return blocks
}

func TestTheConfigurationOfRoutesIsRight(t *testing.T) {
	accept(t, yamlBlocks(t, "docs/routes.md", 1)[0])
}

// The main file of docs/teams.md includes the other one, and its defaults hold.
func TestTheFilesOfTeamsAreRight(t *testing.T) {
	blocks := yamlBlocks(t, "docs/teams.md", 2)
	dir := t.TempDir()
	for name, text := range map[string]string{"cloakroom.yaml": blocks[0], "routes/orders.yaml": blocks[1], "secrets/oidc": "b7Kq2Zt9Xw4Lm6Rc", "secrets/session": "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := configs.Load(filepath.Join(dir, "cloakroom.yaml"))
	if err != nil {
		t.Fatalf("the files are wrong:\n%v", err)
	}
	for i, want := range []string{"/api/orders/ orders /api 5s", "/api/orders/export orders /api 2m0s"} {
		r := cfg.Routes[i]
		if got := strings.Join([]string{r.Path, r.Upstream, r.StripPrefix, r.Timeout.String()}, " "); got != want {
			t.Errorf("route %d is %s, want %s", i, got, want)
		}
	}
}

// The README is the index: it has each page once, and no other.
func TestEveryPageIsInTheIndex(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages (%v)", len(pages), err)
	}
	_, index, _ := strings.Cut(read(t, "README.md"), "\n## Read on\n")
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^\| \[[^\]]+\]\((docs/[a-z-]+\.md)\) \|`).FindAllStringSubmatch(index, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	slices.Sort(pages)
	if !slices.Equal(listed, pages) {
		t.Errorf("README.md lists\n%s\nthere are\n%s", strings.Join(listed, "\n"), strings.Join(pages, "\n"))
	}
}
