package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/session/storetest"
)

// TestTLS shows that rediss:// trusts the configured CA, and without it nobody who signed himself.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.sign(t, "redis")
	_, port, _ := net.SplitHostPort(freeAddr(t))
	server := storetest.StartRedis(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca.file, "--tls-auth-clients", "no")
	cfg := config(server)
	cfg.URL, cfg.CA = "rediss://127.0.0.1:"+port, ca.file
	if err := open(t, cfg).Check(t.Context()); err != nil {
		t.Errorf("check with the CA: %v", err)
	}
	cfg.CA = ""
	if err := open(t, cfg).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("check without the CA: %v, want an error about the certificate", err)
	}
}

// TestTLSConformance runs the suite on a server that speaks nothing but TLS and wants a certificate of its clients, as the ACL user that has only the rights of doc.go;
// a certificate of somebody else, or none, is refused.
func TestTLSConformance(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	cert, key := ca.sign(t, "redis")
	_, port, _ := net.SplitHostPort(freeAddr(t))
	server := storetest.StartRedis(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca.file, "--tls-auth-clients", "yes")
	cfg := user(t, server, leastRights)
	cfg.URL = strings.Replace(cfg.URL, "redis://", "rediss://", 1)
	cfg.URL = strings.Replace(cfg.URL, server.Addr, "127.0.0.1:"+port, 1)
	cfg.CA = ca.file
	if err := open(t, cfg).Check(t.Context()); !isOutage(err) {
		t.Errorf("check without a certificate: %v, want an outage", err)
	}
	cfg.Cert, cfg.Key = other.sign(t, "cloakroom")
	if err := open(t, cfg).Check(t.Context()); !isOutage(err) {
		t.Errorf("check with a certificate of somebody else: %v, want an outage", err)
	}
	cfg.Cert, cfg.Key = ca.sign(t, "cloakroom")
	conforms(t, cfg)
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// authority signs certificates.
type authority struct {
	file string // its own certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	a.file, _, a.key = a.issue(t, a.cert, nil)
	return a
}

// sign writes a certificate for 127.0.0.1 and its key.
func (a *authority) sign(t *testing.T, name string) (cert, key string) {
	t.Helper()
	cert, key, _ = a.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, a.key)
	return cert, key
}

// issue writes a certificate, signed with signer, or itself, and its key.
func (a *authority) issue(t *testing.T, template *x509.Certificate, signer *ecdsa.PrivateKey) (cert, key string, private *ecdsa.PrivateKey) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, private
}
