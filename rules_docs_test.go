package house_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/e2e/ca"
)

// wholeFile is what a page leaves out that shows a part of the main file.
const wholeFile = `server: {public_url: https://app.example.com, tls: {cert: tls.crt, key: tls.key}}
providers: {main: {issuer: https://id.example.com, client_id: spa, client_secret: "${file:secrets/oidc}", roles_claim: roles}}
session: {secrets: ["${file:secrets/session}"]}
`

// Every example of rules, limits and callers is read as `check` reads it, with the files that it names.
func TestTheExamplesOfRulesAreRight(t *testing.T) {
	dir := files(t)
	for page, want := range map[string]int{"docs/rules.md": 1, "docs/limits.md": 1, "docs/callers.md": 1, "deploy/opa/README.md": 1} {
		for _, block := range yamlBlocks(t, page, want) {
			if !strings.Contains(block, "server:") {
				block = wholeFile + block
			}
			loads(t, dir, page, block)
		}
	}
}

// Every step of docs/protect-a-route.md is read below the beginning that the page shows.
func TestTheStepsOfAProtectedRouteAreRight(t *testing.T) {
	const page = "docs/protect-a-route.md"
	blocks := yamlBlocks(t, page, 12)
	dir := files(t)
	for _, step := range blocks[1:] {
		loads(t, dir, page, blocks[0]+step)
	}
}

// files is a folder with all that the examples name.
func files(t *testing.T) string {
	t.Helper()
	a, err := ca.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := a.Issue("app.example.com", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"secrets/oidc": "b7Kq2Zt9Xw4Lm6Rc", "secrets/session": "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta", "tls.crt": string(cert), "tls.key": string(key), "clients.pem": string(a.PEM),
		"users.htpasswd": "alice:$2y$12$0123456789012345678901234567890123456789012345678901.\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func loads(t *testing.T, dir, page, text string) {
	t.Helper()
	path := filepath.Join(dir, "cloakroom.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := configs.Load(path); err != nil {
		t.Errorf("%s:\n%s\n%v", page, text, err)
	}
}

// A key that an item of the list is answered by is one that there is.
func TestTheKeysAgainstTheTopTenExist(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| \*\*(API\d+)\*\* .*$`).FindAllStringSubmatch(read(t, "docs/owasp.md"), -1)
	if len(rows) != 10 {
		t.Fatalf("%d items, want 10", len(rows))
	}
	reference := read(t, "configs/reference.yaml")
	for i, row := range rows {
		if want := fmt.Sprint("API", i+1); row[1] != want {
			t.Errorf("%s stands in the place of %s", row[1], want)
		}
		keys := named("`([a-z_]+(?:\\.[a-z_]+)*)`", strings.Split(row[0], "|")[3])
		if len(keys) == 0 {
			t.Errorf("%s is answered by no key", row[1])
		}
		for _, key := range keys {
			if foreign := key == "pattern" || key == "enforce"; foreign { // of OpenAPI, and a value
				continue
			}
			for part := range strings.SplitSeq(key, ".") {
				if !regexp.MustCompile(`(?m)^[ #]*` + part + `:`).MatchString(reference) {
					t.Errorf("%s: there is no key %s (%s)", row[1], key, part)
				}
			}
		}
	}
}

// Each row of docs/outages.md is shown by a test that there is.
func TestTheTestsOfOutagesExist(t *testing.T) {
	rows := regexp.MustCompile("(?m)\\| `(Test\\w+)(?:/[^`]*)?`(?: \\(`([^`]+)`\\))? \\|$").FindAllStringSubmatch(read(t, "docs/outages.md"), -1)
	if len(rows) < 25 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		folder := cmp.Or(row[2], "e2e")
		tests, err := filepath.Glob(folder + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(tests, func(path string) bool { return strings.Contains(read(t, path), "func "+row[1]+"(") }) {
			t.Errorf("%s has no %s", folder, row[1])
		}
	}
}

// A metric that a page mentions, in a query or an alert, is one that there is.
func TestTheMetricsThatPagesMentionExist(t *testing.T) {
	real := named("(?m)^\\| `(cloakroom_[a-z_]+)` \\|", read(t, "docs/metrics-and-logs.md")) // which another test holds against the program
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) == 0 || len(real) < 20 {
		t.Fatalf("%d pages, %d metrics (%v)", len(pages), len(real), err)
	}
	for _, page := range append(pages, "configs/examples/rules.yaml") {
		for _, name := range named(`\b(cloakroom_[a-z_]+[a-z])`, read(t, page)) {
			if !slices.Contains(real, strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count")) && !slices.Contains(real, name) {
				t.Errorf("%s mentions %s, which does not exist", page, name)
			}
		}
	}
}
