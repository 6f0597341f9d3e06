package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority is a CA of a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
	next int64
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	a.write(a.file, "CERTIFICATE", a.cert.Raw)
	return a
}

// sign makes a certificate for c, by itself where by is nil.
func (a *authority) sign(c *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.next++
	c.SerialNumber, c.NotBefore = big.NewInt(a.next), time.Now().Add(-2*time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(path, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes a certificate for a name, and its key, to files.
func (a *authority) issue(cert, key, name string) {
	a.t.Helper()
	c, k := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}, a)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(key, "PRIVATE KEY", der)
	a.write(cert, "CERTIFICATE", c.Raw)
}

// serve starts a server with a certificate for name.
func (a *authority) serve(name string, expires time.Time, change func(*tls.Config), h http.HandlerFunc) string {
	a.t.Helper()
	c, k := a.sign(&x509.Certificate{DNSNames: []string{name}, NotAfter: expires}, a)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{c.Raw}, PrivateKey: k}}}
	if change != nil {
		change(s.TLS)
	}
	s.Config.ErrorLog = quiet
	s.EnableHTTP2 = true
	s.StartTLS()
	a.t.Cleanup(s.Close)
	return s.URL
}

func TestAnUpstreamsCertificateIsVerified(t *testing.T) { // PRX-44 TLS-02
	no := func(most uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, most }
	}
	ours, other := newAuthority(t), newAuthority(t)
	ok := func(http.ResponseWriter, *http.Request) {}
	for _, c := range []struct {
		name   string
		url    string
		config TLSConfig
		status int
	}{
		{"by the authority that is configured", ours.serve("orders.test", time.Time{}, nil, ok), TLSConfig{CA: ours.file, ServerName: "orders.test"}, 200},
		{"not by another", other.serve("orders.test", time.Time{}, nil, ok), TLSConfig{CA: ours.file, ServerName: "orders.test"}, 502},
		{"by no authority that the system has", ours.serve("orders.test", time.Time{}, nil, ok), TLSConfig{ServerName: "orders.test"}, 502},
		{"for another name", ours.serve("users.test", time.Time{}, nil, ok), TLSConfig{CA: ours.file, ServerName: "orders.test"}, 502},
		{"for another name than the URL's", ours.serve("orders.test", time.Time{}, nil, ok), TLSConfig{CA: ours.file}, 502},
		{"over TLS 1.2", ours.serve("orders.test", time.Time{}, no(tls.VersionTLS12), ok), TLSConfig{CA: ours.file, ServerName: "orders.test"}, 200},
		{"over no more than TLS 1.1", ours.serve("orders.test", time.Time{}, no(tls.VersionTLS11), ok), TLSConfig{CA: ours.file, ServerName: "orders.test"}, 502},
		{"expired", ours.serve("orders.test", time.Now().Add(-time.Hour), nil, ok), TLSConfig{CA: ours.file, ServerName: "orders.test"}, 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, protocol := range []string{"auto", "http1"} { // HTTP/2 has a bound of its own
				g := newGatewayTo(t, Upstream{URL: c.url, TLS: c.config, Protocol: protocol}, nil)
				if res, _ := get(t, g.URL+"/x"); res.StatusCode != c.status {
					t.Errorf("%s: got %d, want %d: %v", protocol, res.StatusCode, c.status, g.lastError())
				}
			}
		})
	}
}

func TestOurCertificateGoesToItsUpstreamOnly(t *testing.T) { // PRX-44 OAX-06
	a := newAuthority(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	a.issue(cert, key, "cloakroom")
	whoami := func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.TLS.PeerCertificates {
			io.WriteString(w, c.Subject.CommonName)
		}
	}
	ask := func(how tls.ClientAuthType) func(*tls.Config) {
		return func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs = how, x509.NewCertPool()
			c.ClientCAs.AddCert(a.cert)
		}
	}
	demands := a.serve("orders.test", time.Time{}, ask(tls.RequireAndVerifyClientCert), whoami)
	asks := a.serve("orders.test", time.Time{}, ask(tls.VerifyClientCertIfGiven), whoami)
	known, unknown := TLSConfig{CA: a.file, ServerName: "orders.test", Cert: cert, Key: key}, TLSConfig{CA: a.file, ServerName: "orders.test"}
	for _, c := range []struct {
		name, url string
		config    TLSConfig
		status    int
		body      string
	}{
		{"one that demands it has it", demands, known, 200, "cloakroom"},
		{"one for which none is configured gets none", asks, unknown, 200, ""},
		{"also if it demands one", demands, unknown, 502, ""},
	} {
		g := newGatewayTo(t, Upstream{URL: c.url, TLS: c.config}, nil)
		if res, body := get(t, g.URL+"/x"); res.StatusCode != c.status || body != c.body {
			t.Errorf("%s: got %d %q, want %d %q", c.name, res.StatusCode, body, c.status, c.body)
		}
	}
}

// New certificates are taken as they come, in any order and half-written, and nobody's request fails for it.
func TestCertificatesAreRenewedWithoutARestart(t *testing.T) { // OAX-08
	a := newAuthority(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	a.issue(cert, key, "first")
	end, entered := make(chan struct{}), make(chan struct{})
	up := a.serve("orders.test", time.Time{}, func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		c.ClientCAs.AddCert(a.cert)
	}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- struct{}{}
			<-end
		}
		io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	})
	g := newGatewayTo(t, Upstream{URL: up, TLS: TLSConfig{CA: a.file, ServerName: "orders.test", Cert: cert, Key: key}}, nil)
	service := g.table.routes[0].up
	var failed atomic.Int64
	who := func() string {
		res, body := get(t, g.URL+"/x")
		if res.StatusCode != 200 {
			failed.Add(1)
		}
		return body
	}
	if got := who(); got != "first" {
		t.Fatalf("got %q", got)
	}
	slow := make(chan string)
	go func() { _, body := get(t, g.URL+"/slow"); slow <- body }()
	<-entered
	now := time.Now()
	upkeep := func() { now = now.Add(filesEvery); service.upkeep(now) }

	other := filepath.Join(dir, "other")
	a.issue(cert, other, "second") // and its key is not there yet
	upkeep()
	if got := who(); got != "first" {
		t.Errorf("with half of the files got %q", got)
	}
	if err := os.Rename(other, key); err != nil {
		t.Fatal(err)
	}
	upkeep()
	if got := who(); got != "second" {
		t.Errorf("with new files got %q", got)
	}
	close(end)
	if got := <-slow; got != "first" {
		t.Errorf("a request that was on its way got %q", got)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	upkeep()
	if got := who(); got != "second" || failed.Load() > 0 {
		t.Errorf("without a file got %q; %d requests failed", got, failed.Load())
	}
	eventually(t, "the old connections are gone", func() bool { upkeep(); return g.status()[up].Connections == 1 })
}

func TestCertificatesThatCannotBeReadAreToldAtTheStart(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	cert, key, other, text := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), filepath.Join(dir, "other.key"), filepath.Join(dir, "text")
	a.issue(cert, other, "x")
	a.issue(cert, key, "x")
	if err := os.WriteFile(text, []byte("not PEM: hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, config := range map[string]TLSConfig{
		"no certificate in PEM": {CA: text},
		"cert and key":          {Cert: cert, Key: other},
		"no such file":          {Cert: cert, Key: filepath.Join(dir, "none")},
	} {
		c := conf("/")
		c.Upstream = "up"
		_, err := Compile([]Config{c}, map[string]Upstream{"up": {URL: "https://orders", TLS: config}}, Deps{}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || bytes.Contains([]byte(err.Error()), []byte("hunter2")) {
			t.Errorf("%+v: got %v, want %q", config, err, want)
		}
	}
}

func TestProtocols(t *testing.T) {
	a := newAuthority(t)
	proto := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }
	secure := a.serve("orders.test", time.Time{}, nil, proto)
	clear := httptest.NewUnstartedServer(http.HandlerFunc(proto))
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetHTTP1(true)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	t.Cleanup(clear.Close)
	for _, c := range []struct{ url, protocol, want string }{
		{secure, "auto", "HTTP/2.0"}, {secure, "http1", "HTTP/1.1"}, {secure, "http2", "HTTP/2.0"},
		{clear.URL, "auto", "HTTP/1.1"}, {clear.URL, "http1", "HTTP/1.1"}, {clear.URL, "h2c", "HTTP/2.0"},
	} {
		config := Upstream{URL: c.url, Protocol: c.protocol}
		if c.url == secure {
			config.TLS = TLSConfig{CA: a.file, ServerName: "orders.test"}
		}
		g := newGatewayTo(t, config, nil)
		for range 2 {
			if _, got := do(t, newRequest(t, "POST", g.URL+"/x", "body")); got != c.want {
				t.Errorf("%s to %s: got %s, want %s", c.protocol, c.url, got, c.want)
			}
		}
	}
	g := newGatewayTo(t, Upstream{URL: clear.URL, Protocol: "h2c"}, nil)
	if res, _ := get(t, g.URL+"/x", "Connection", "Upgrade", "Upgrade", "websocket"); res.StatusCode != 400 {
		t.Errorf("a socket over HTTP/2 only: got %d, want 400", res.StatusCode)
	}
}

// In TLS 1.3 a server says what it thinks of our certificate after our side of the handshake is over.
func TestAProbeHearsThatOurCertificateIsRefused(t *testing.T) {
	a, other, dir := newAuthority(t), newAuthority(t), t.TempDir()
	pair := func(by *authority, name string) TLSConfig {
		c := TLSConfig{CA: a.file, ServerName: "orders.test", Cert: filepath.Join(dir, name+".crt"), Key: filepath.Join(dir, name+".key")}
		by.issue(c.Cert, c.Key, name)
		return c
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		url := a.serve("orders.test", time.Time{}, func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, x509.NewCertPool(), version
			c.ClientCAs.AddCert(a.cert)
		}, nil)
		for name, c := range map[string]struct {
			config TLSConfig
			ok     bool
		}{
			"ours": {pair(a, "ours"), true}, "none": {TLSConfig{CA: a.file, ServerName: "orders.test"}, false}, "of another authority": {pair(other, "theirs"), false},
		} {
			g := newGatewayTo(t, Upstream{URL: url, TLS: c.config}, nil)
			if got := g.table.Probe(t.Context()); len(got) != 1 || got[0].How != "TLS handshake" || (got[0].Err == nil) != c.ok || got[0].Took <= 0 || got[0].Took >= secondThought {
				t.Errorf("%s, %s: %+v", tls.VersionName(version), name, got)
			}
		}
	}
}
