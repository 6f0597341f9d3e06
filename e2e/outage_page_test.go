package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloakroom/e2e/stack"
)

// Every row of the page of outages names a test that exists, and every test of an outage has its row. What the rows say is
// demanded by the tests themselves, see documented.
func TestThePageOfOutagesAndItsTestsAreInStep(t *testing.T) {
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "e2e/*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all, outages strings.Builder
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
		if strings.HasPrefix(filepath.Base(path), "outage_") && filepath.Base(path) != "outage_test.go" && filepath.Base(path) != "outage_page_test.go" {
			outages.Write(text)
		}
	}
	page := readRoot(t, outagesPage)
	rows, shown := 0, regexp.MustCompile("\\| `(Test\\w+)(?:/([\\w-]+))?` \\|$")
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| failure |") {
			continue
		}
		m := shown.FindStringSubmatch(line)
		switch {
		case m == nil:
			t.Errorf("the row names no test: %s", line)
		case !strings.Contains(all.String(), "\nfunc "+m[1]+"(t *testing.T)"):
			t.Errorf("no test is called %s", m[1])
		case m[2] != "" && !strings.Contains(all.String(), `"`+m[2]+`"`):
			t.Errorf("%s has no story %q", m[1], m[2])
		}
		rows++
	}
	if rows < 15 {
		t.Errorf("the page has %d rows", rows)
	}
	for _, m := range regexp.MustCompile(`\nfunc (Test\w+)\(`).FindAllStringSubmatch(outages.String(), -1) {
		if !strings.Contains(page, "`"+m[1]+"`") && !strings.Contains(page, "`"+m[1]+"/") {
			t.Errorf("%s lacks a row of %s", outagesPage, m[1])
		}
	}
}
