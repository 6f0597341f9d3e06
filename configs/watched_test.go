package configs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What changes a configuration changes its digest, and nothing else does.
func TestDigestOfWhatIsWatched(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil { // as kubelet swaps
			t.Fatal(err)
		}
	}
	const secretText = "b0Nkq7YxVd2Lw9sRtZe4Hu6Pf1Aj3Mc8Gi5"
	main := `server: {public_url: "https://app.example.com"}
providers: {main: {issuer: "https://id.example.com", client_id: spa, client_secret: "b7Kq2Zt9Xw4Lm6Rc"}}
session: {store: memory, secrets: ["${file:secret}"]}
include: ["teams/*.yaml"]
`
	routes := "routes: [{path: /a/, upstream: \"http://a\"}]\n"
	write("1/cloakroom.yaml", main)
	write("1/secret", secretText)
	write("teams/a.yaml", routes)
	link("1", "data")
	link("data/cloakroom.yaml", "cloakroom.yaml")
	link("data/secret", "secret")
	path := filepath.Join(dir, "cloakroom.yaml")
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	w := cfg.Watched()
	for _, c := range []struct {
		name    string
		do      func()
		differs bool
	}{
		{"nothing", func() {}, false},
		{"the same text again", func() { write("1/secret", secretText) }, false},
		{"another folder with the same", func() { write("2/cloakroom.yaml", main); write("2/secret", secretText); link("2", "data") }, false},
		{"a folder that is swapped", func() { write("3/cloakroom.yaml", main); write("3/secret", secretText+"x"); link("3", "data") }, true},
		{"the main file", func() { write("3/cloakroom.yaml", main+"# more\n") }, true},
		{"a file that is none of it", func() { write("teams/notes.txt", "x"); write("other", "x") }, false},
		{"a file that a pattern finds", func() { write("teams/b.yaml", "routes: []") }, true},
		{"an included file", func() { write("teams/a.yaml", routes+"\n") }, true},
		{"a file that is gone", func() { os.Remove(filepath.Join(dir, "3/secret")) }, true},
		{"a file that is empty instead", func() { write("3/secret", "") }, true},
	} {
		before := w.Digest()
		c.do()
		if differs := w.Digest() != before; differs != c.differs {
			t.Errorf("%s: the digest differs: %t", c.name, differs)
		}
	}
}

// A file that made a configuration wrong is watched, although it was no part of the one before.
func TestWhatIsWrongIsWatched(t *testing.T) {
	dir := t.TempDir()
	path, secret := filepath.Join(dir, "cloakroom.yaml"), filepath.Join(dir, "new")
	if err := os.WriteFile(path, []byte("session: {secrets: [\"${file:new}\"]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	wrong, ok := errors.AsType[*Errors](err)
	if !ok {
		t.Fatal(err)
	}
	w := WatchedFile(path).With(wrong)
	before := w.Digest()
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w.Digest() == before {
		t.Error("the file that was missing is there, and nothing has changed")
	}
	write := func(text string) Watched {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		wrong, _ := errors.AsType[*Errors](err)
		return WatchedFile(path).With(wrong)
	}
	for _, include := range []string{"team.yaml", "teams/*.yaml"} {
		w := write("include: [\"" + include + "\"]\n")
		before := w.Digest()
		if err := os.Mkdir(filepath.Join(dir, filepath.Base(filepath.Dir(include))), 0o700); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "team.yaml"), []byte("routes: []"), 0o600); err != nil {
			t.Fatal(err)
		}
		if w.Digest() == before {
			t.Errorf("include %s: what was missing is there, and nothing has changed", include)
		}
	}
	if WatchedFile(path).Digest() == w.Digest() {
		t.Error("the main file alone has the same digest")
	}
}
