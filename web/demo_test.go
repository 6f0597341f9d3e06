package web

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// The demo's app runs under default-src 'self': nothing inline, nothing from elsewhere, and every file that it names is there.
func TestDemoNeedsOnlyItsOwnFiles(t *testing.T) {
	app := Demo()
	index := read(t, app, "index.html")
	for _, bad := range []string{"<style", " style=", "onclick=", "http://", "https://"} {
		if strings.Contains(index, bad) {
			t.Errorf("index.html contains %q", bad)
		}
	}
	if m := regexp.MustCompile(`<script[^>]*>[^<]`).FindString(index); m != "" {
		t.Errorf("index.html has an inline script: %q", m)
	}
	named := regexp.MustCompile(`(?:src|href)="/([\w.]+)"|from '\./([\w.]+)'`)
	err := fs.WalkDir(app, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text := read(t, app, path)
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if _, err := fs.Stat(app, m[1]+m[2]); err != nil {
				t.Errorf("%s names %s: %v", path, m[1]+m[2], err)
			}
		}
		for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage.set", "sessionStorage.set"} {
			if strings.Contains(text, sink) {
				t.Errorf("%s uses %s", path, sink)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Text contrast is at least 4.5 to 1 (WCAG 2.2, 1.4.3), control borders at least 3 to 1 (1.4.11).
func TestDemoContrastIsAA(t *testing.T) {
	wantContrast(t, read(t, Demo(), "app.css"), 4.5, [][2]string{
		{"ink", "ground"}, {"ink", "card"}, {"soft", "ground"}, {"soft", "card"}, {"soft", "hover"}, {"on", "accent"}, {"on", "deep"}, {"accent", "card"},
		{"accent", "ground"}, {"accent", "tint"}, {"good", "card"}, {"good", "good-tint"}, {"good", "hover"}, {"bad", "bad-tint"}, {"bad", "card"},
		{"ink", "bad-tint"}, {"ink", "good-tint"}, {"soft", "bad-tint"}, {"accent", "bad-tint"},
	})
	wantContrast(t, read(t, Demo(), "app.css"), 3, [][2]string{{"edge", "card"}})
}

func read(t *testing.T, app fs.FS, path string) string {
	t.Helper()
	b, err := fs.ReadFile(app, path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
