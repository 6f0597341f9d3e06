package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// selfSigned writes a certificate and its key, and returns the certificate.
func selfSigned(t *testing.T, cert, key, name string) *x509.Certificate {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, own.Public(), own)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TLS-02: while whoever replaces our certificate has written only half of the pair, Redis gets the old one, and not nobody.
func TestHalfOfANewPairReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	selfSigned(t, cfg.Cert, cfg.Key, "first")
	conf, err := secure(cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	who := func() string {
		t.Helper()
		pair, err := conf.GetClientCertificate(&tls.CertificateRequestInfo{})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.Subject.CommonName
	}
	later := filepath.Join(dir, "later")
	selfSigned(t, cfg.Cert, later, "second")
	if got := who(); got != "first" {
		t.Errorf("with half of the files Redis gets %q", got)
	}
	if err := os.Rename(later, cfg.Key); err != nil {
		t.Fatal(err)
	}
	if got := who(); got != "second" {
		t.Errorf("with both files Redis gets %q", got)
	}
	if err := os.Remove(cfg.Key); err != nil {
		t.Fatal(err)
	}
	if got := who(); got != "second" {
		t.Errorf("without a file Redis gets %q", got)
	}
}

// TLS-02: Redis is spoken to over TLS 1.2 or newer.
func TestNoOldTLSIsSpoken(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{CA: filepath.Join(dir, "tls.crt")}
	key := filepath.Join(dir, "tls.key")
	selfSigned(t, cfg.CA, key, "redis")
	pair, err := tls.LoadX509KeyPair(cfg.CA, key)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := secure(cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	for most, spoken := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: most})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if conn, err := l.Accept(); err == nil {
				_ = conn.(*tls.Conn).Handshake() // the other side says what it thinks of it
				conn.Close()
			}
		}()
		conn, err := tls.Dial("tcp", l.Addr().String(), conf)
		if (err == nil) != spoken {
			t.Errorf("%s: %v", tls.VersionName(most), err)
		}
		if err == nil {
			conn.Close()
		}
		<-done
		l.Close()
	}
}
