package house_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/e2e/ca"
)

// The examples of docs/tls.md are read as the program reads them, the files of the certificate included, and so is the mistake.
func TestTheTLSExamplesAreRight(t *testing.T) {
	page := read(t, "docs/tls.md")
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/tls.md has %d YAML blocks, want 2", len(blocks))
	}
	a, err := ca.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair := func() (cert, key []byte) {
		cert, key, err := a.Issue("app.example.com", time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	cert, key := pair()
	write("tls/tls.crt", cert)
	write("tls/tls.key", key)
	path := filepath.Join(dir, "cloakroom.yaml")
	for _, block := range blocks {
		text := strings.Replace(block[1], "/var/lib/cloakroom/acme", dir, 1)
		write("cloakroom.yaml", []byte(text+`providers: {main: {issuer: "https://id.example.com", client_id: app, client_secret: b7Kq2Zt9Xw4Lm6Rc}}
session: {secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}
`))
		cfg, err := configs.Load(path)
		if err != nil {
			t.Fatalf("an example is wrong:\n%v", err)
		}
		for _, file := range cfg.Files() {
			if strings.Contains(file, "tls.") {
				t.Errorf("%s belongs to the files that a reload watches", file)
			}
		}
	}
	write("cloakroom.yaml", []byte(blocks[0][1]+"providers: {main: {issuer: \"https://id.example.com\", client_id: app, client_secret: b7Kq2Zt9Xw4Lm6Rc}}\nsession: {secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}\n"))
	_, other := pair()
	write("tls/tls.key", other)
	_, err = configs.Load(path)
	documented := regexp.MustCompile("(?m)^cloakroom.yaml:.*$").FindString(page)
	if first, _, _ := strings.Cut(errText(err), "\n"); first != documented || documented == "" {
		t.Errorf("docs/tls.md shows %q, the program says %q", documented, first)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
