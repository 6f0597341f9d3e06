package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloakroom/bff"
)

// What docs/routes.md says about the more specific pattern is asked of the program, with the page's own configuration.
func TestTheDocumentedRoutesWin(t *testing.T) {
	data, err := os.ReadFile("../../docs/routes.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(page)
	_, table, found := strings.Cut(page, "\n| request | route | because |\n|---|---|---|\n")
	if block == nil || !found {
		t.Fatal("docs/routes.md has no configuration, or no table of requests")
	}
	config := writeConfig(t, block[1])
	secrets := filepath.Join(filepath.Dir(config), "secrets")
	for _, dir := range []string{secrets, filepath.Join(filepath.Dir(config), "dist")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"oidc": "b7Kq2Zt9Xw4Lm6Rc", "session": "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta"} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) < 5 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		cells := strings.Split(row, " | ")
		request := strings.Fields(strings.Trim(cells[0], "| `"))
		var out, errs bytes.Buffer
		if code := run(append([]string{"explain", "--json", "-c", config}, request...), &out, &errs); code != 0 {
			t.Fatalf("%s: exit code %d\n%s", row, code, &errs)
		}
		var x bff.Explanation
		if err := json.Unmarshal(out.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		got := "none: the app"
		switch {
		case x.Route != nil:
			got = "`" + x.Route.Path + "`"
		case x.Verdict == "refused":
			got = fmt.Sprint("none: ", x.Status)
		}
		if got != cells[1] {
			t.Errorf("%s goes to %s, the page says %s", request, got, cells[1])
		}
	}
}
