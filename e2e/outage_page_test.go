package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	all, outages := testsIn(t, filepath.Join(root, "e2e"), "*_test.go"), testsIn(t, filepath.Join(root, "e2e"), "outage_*_test.go", "outage_page_test.go")
	page := readRoot(t, outagesPage)
	rows, shown := 0, regexp.MustCompile("\\| `(Test\\w+)(?:/([\\w-]+))?`(?: \\(`([\\w/]+)`\\))? \\|$")
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| failure |") {
			continue
		}
		m := shown.FindStringSubmatch(line)
		switch {
		case m == nil:
			t.Errorf("the row names no test: %s", line)
		case m[3] != "":
			if !strings.Contains(testsIn(t, filepath.Join(root, m[3]), "*_test.go"), "\nfunc "+m[1]+"(t *testing.T)") {
				t.Errorf("no test of %s is called %s", m[3], m[1])
			}
		case !strings.Contains(all, "\nfunc "+m[1]+"(t *testing.T)"):
			t.Errorf("no test is called %s", m[1])
		case m[2] != "" && !strings.Contains(all, `"`+m[2]+`"`):
			t.Errorf("%s has no story %q", m[1], m[2])
		}
		rows++
	}
	if rows < 15 {
		t.Errorf("the page has %d rows", rows)
	}
	for _, m := range regexp.MustCompile(`\nfunc (Test\w+)\(`).FindAllStringSubmatch(outages, -1) {
		if !strings.Contains(page, "`"+m[1]+"`") && !strings.Contains(page, "`"+m[1]+"/") {
			t.Errorf("%s lacks a row of %s", outagesPage, m[1])
		}
	}
}

// testsIn is the text of the tests in a folder whose names are like pattern, without some.
func testsIn(t *testing.T, folder, pattern string, without ...string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range files {
		if slices.Contains(without, filepath.Base(path)) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
