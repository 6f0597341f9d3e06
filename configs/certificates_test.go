package configs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newPair makes a certificate and its key, both PEM.
func newPair(t testing.TB) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, own.Public(), own)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func someCertificate(t testing.TB) []byte {
	cert, _ := newPair(t)
	return cert
}

// What the server would refuse to start with is found by whoever reads the configuration, in the file and line that names it.
func TestCertificatesAreLookedInto(t *testing.T) {
	dir := t.TempDir()
	cert, key := newPair(t)
	_, other := newPair(t)
	for name, data := range map[string][]byte{
		"ca.pem": cert, "tls.crt": cert, "tls.key": key, "other.key": other, "none.pem": []byte("nothing"),
		"teams/none.pem": []byte("nothing"), "teams/tls.crt": cert, "teams/other.key": other,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const (
		provider = "    client_id: spa\n"
		redis    = `  redis: {url: "redis://:kJ8vN2mQ5xR7tY1zPw3C@redis:6379/0"}`
		secure   = `  redis: {url: "rediss://:kJ8vN2mQ5xR7tY1zPw3C@redis:6379/0", `
	)
	for name, c := range map[string]struct{ main, team, want string }{
		"all are right":                         {strings.NewReplacer(provider, provider+"    ca: ca.pem\n", redis, secure+"ca: ca.pem, cert: tls.crt, key: tls.key}").Replace(good), "tls: {ca: ../ca.pem, cert: ../tls.crt, key: ../tls.key}", ""},
		"a provider's authority is none":        {strings.Replace(good, provider, provider+"    ca: none.pem\n", 1), "", "cloakroom.yaml:7:5: providers.main.ca: has no certificate in PEM"},
		"Redis' authority is none":              {strings.Replace(good, redis, secure+"ca: none.pem}", 1), "", "cloakroom.yaml:9:63: session.redis.ca: has no certificate in PEM"},
		"the key is another's, for Redis":       {strings.Replace(good, redis, secure+"cert: tls.crt, key: other.key}", 1), "", "session.redis.key: is the private key of another certificate than cert's"},
		"an upstream's authority is none":       {good, "tls: {ca: none.pem}", "teams/a.yaml:1:58: upstreams.vault.tls.ca: has no certificate in PEM"},
		"the key is another's, for an upstream": {good, "tls: {cert: tls.crt, key: other.key}", "teams/a.yaml:1:73: upstreams.vault.tls.key: is the private key of another certificate than cert's"},
		"an upstream's certificate is none":     {good, "tls: {cert: none.pem, key: other.key}", "upstreams.vault.tls.cert: has no usable certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			team := "{}\n"
			if c.team != "" {
				team = `upstreams: {vault: {url: "https://vault.internal", ` + c.team + "}}\n"
			}
			for file, text := range map[string]string{"cloakroom.yaml": c.main + "include: [teams/*.yaml]\n", "teams/a.yaml": team} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load(filepath.Join(dir, "cloakroom.yaml"))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "nothing")) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
			if wrong, ok := errors.AsType[*Errors](err); ok && !slices.ContainsFunc(wrong.Files, func(path string) bool { return filepath.Ext(path) == ".pem" || filepath.Ext(path) == ".key" }) {
				t.Errorf("a reload would not see that it is mended: %v", wrong.Files)
			}
		})
	}
}
