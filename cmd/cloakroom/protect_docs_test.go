package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/protect-a-route.md shows of explain is what explain says under the step before it. A line of dots stands for any lines.
func TestTheExplanationsOfAProtectedRouteAreRight(t *testing.T) {
	const path = "../../docs/protect-a-route.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("secrets/oidc", "b7Kq2Zt9Xw4Lm6Rc")
	put("secrets/session", "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+\\.(?:json|yaml))` \\| `(.*)` \\|$").FindAllStringSubmatch(string(page), -1) {
		put(row[1], row[2])
	}
	head, shown := "", 0
	for _, block := range regexp.MustCompile("(?s)```(yaml|console)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		switch {
		case block[1] == "yaml" && head == "":
			head = block[2]
		case block[1] == "yaml":
			put("cloakroom.yaml", head+block[2])
		default:
			shown++
			command, want, _ := strings.Cut(block[2], "\n")
			got := explained(t, dir, command)
			if !fits(strings.Split(strings.TrimSpace(want), "\n"), strings.Split(strings.TrimSpace(got), "\n")) {
				t.Errorf("%s\nis documented to say\n%s\nand says\n%s", command, want, got)
			}
		}
	}
	if shown != 11 {
		t.Errorf("%d explanations, want one of each step", shown)
	}
}

// explained is what a command of the page prints in a folder.
func explained(t *testing.T, dir, command string) string {
	t.Helper()
	args, ours := strings.CutPrefix(command, "$ cloakroom ")
	if !ours {
		t.Fatalf("%q is no command of ours", command)
	}
	words := append(strings.Fields(args), "--config", filepath.Join(dir, "cloakroom.yaml"))
	for i, word := range words {
		if regexp.MustCompile(`^[a-z]+\.(json|yaml)$`).MatchString(word) {
			words[i] = filepath.Join(dir, word)
		}
	}
	var out bytes.Buffer
	if code := run(words, &out, &out); code != 0 {
		t.Fatalf("%s: exit code %d\n%s", command, code, &out)
	}
	return out.String()
}

// fits tells whether lines are as they are shown.
func fits(shown, lines []string) bool {
	switch {
	case len(shown) == 0:
		return len(lines) == 0
	case shown[0] == "…":
		return fits(shown[1:], lines) || len(lines) > 0 && fits(shown, lines[1:])
	}
	return len(lines) > 0 && shown[0] == lines[0] && fits(shown[1:], lines[1:])
}
