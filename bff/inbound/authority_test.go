package inbound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs certificates of any kind.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial atomic.Int64
}

func newAuthority(t testing.TB, name string, by *authority) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a.cert, a.key = issue(t, template, by)
	return a
}

// issue makes a certificate and its key; by is nil for one that signs itself.
func issue(t testing.TB, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// client makes a client's certificate, changed as a test wants it.
func (a *authority) client(t testing.TB, change func(*x509.Certificate), chain ...*authority) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial.Add(1)), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"orders.internal"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	cert, key := issue(t, template, a)
	pair := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.cert.Raw)
	}
	return pair
}

func pemOf(kind string, ders ...[]byte) string {
	var b strings.Builder
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: der})
	}
	return b.String()
}

// revocations are a list of an authority.
func (a *authority) revocations(t testing.TB, next time.Time, revoked ...*x509.Certificate) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(a.serial.Add(1)), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: next}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

var ordersName = Name{DNS: "orders.internal", As: "orders", Roles: []string{"service"}, Scopes: []string{"write"}}

func certified(t testing.TB, cfg Certificate, a *authority) (*Inbound, Certificate) {
	t.Helper()
	if cfg.CA == "" {
		cfg.CA = filepath.Join(t.TempDir(), "ca.pem")
		writeTo(t, cfg.CA, pemOf("CERTIFICATE", a.cert.Raw))
	}
	if cfg.Names == nil {
		cfg.Names = []Name{ordersName}
	}
	d := deps(newClock(), nil)
	d.Now = time.Now // of certificates
	in, err := New(Config{Certificate: cfg}, d)
	if err != nil {
		t.Fatal(err)
	}
	return in, cfg
}

func writeTo(t testing.TB, path, text string) {
	t.Helper()
	if tt, ok := t.(*testing.T); ok {
		put(tt, path, text)
	}
}

// serve answers over real TLS: /open always, /known with the caller's name or the reason of a refusal.
func serve(t *testing.T, in *Inbound) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/open" {
			_, _ = io.WriteString(w, "open")
			return
		}
		kind, err := in.Present(r, []string{KindCertificate})
		if err != nil || kind == "" {
			_, _ = fmt.Fprintf(w, "nobody %v", err)
			return
		}
		c, err := in.Identify(r.Context(), r, kind)
		if err != nil {
			_, _ = fmt.Fprint(w, refusal(t, err).Reason)
			return
		}
		_, _ = fmt.Fprintf(w, "%s %s %v %v", c.ID, c.Name, c.Roles, c.Scopes)
	}))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := s.TLS.Clone()
		c.GetConfigForClient = nil
		in.AskForCertificates(c)
		return c, nil
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// get asks with a certificate, or without, over a new connection.
func get(t *testing.T, s *httptest.Server, path string, cert *tls.Certificate, version uint16) string {
	t.Helper()
	conf := &tls.Config{RootCAs: x509.NewCertPool(), MaxVersion: version}
	conf.RootCAs.AddCert(s.Certificate())
	if cert != nil { // shown whatever authorities the server names
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Get(s.URL + path)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
