package house_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"cloakroom/configs"
)

func TestTheConfigurationOfHeadersIsRight(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, "docs/headers.md"), -1)
	if len(blocks) != 1 {
		t.Fatalf("docs/headers.md has %d YAML blocks, want 1", len(blocks))
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"cloakroom.yaml": blocks[0][1], "secrets/assertion.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"secrets/oidc": "b7Kq2Zt9Xw4Lm6Rc", "secrets/session": "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta", "secrets/orders": "q8vN2mQ5xR7tY1z0"} {
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
		t.Fatalf("the configuration is wrong:\n%v", err)
	}
	if got := cfg.Routes[0].Headers.Set["X-User-ID"]; got != "${user.sub}" {
		t.Errorf("X-User-ID became %q", got)
	}
}
