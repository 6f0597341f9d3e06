package inbound

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// AUN-20: chain, purpose and time, over real TLS. A bad certificate breaks nothing where none is wanted.
func TestClientCertificatesOverTLS(t *testing.T) {
	root := newAuthority(t, "root", nil)
	middle, stranger := newAuthority(t, "middle", root), newAuthority(t, "root", nil)
	in, _ := certified(t, Certificate{}, root)
	s := serve(t, in)
	someone := root.client(t, nil)
	const known = "dns:orders.internal orders [service] [write]"
	type change = func(*x509.Certificate)
	for _, c := range []struct {
		name string
		cert tls.Certificate
		want string
	}{
		{"a good one", root.client(t, nil), known},
		{"a good one with what is between", middle.client(t, nil, middle), known},
		{"without what is between", middle.client(t, nil), ReasonCertUntrusted},
		{"of an unknown authority of the same name", stranger.client(t, nil), ReasonCertUntrusted},
		{"of an unknown authority, with the known one beside it", stranger.client(t, nil, stranger, root), ReasonCertUntrusted},
		{"expired", root.client(t, change(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })), ReasonCertTime},
		{"of tomorrow", root.client(t, change(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })), ReasonCertTime},
		{"for servers only", root.client(t, change(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })), ReasonCertUntrusted},
		{"for nothing in particular", root.client(t, change(func(c *x509.Certificate) { c.ExtKeyUsage = nil })), ReasonCertUntrusted},
		{"for both", root.client(t, change(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		})), known},
		{"of an authority itself", root.client(t, change(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })), ReasonCertUntrusted},
		{"signed by a client", (&authority{cert: someone.Leaf, key: someone.PrivateKey.(*ecdsa.PrivateKey)}).client(t, nil), ReasonCertUntrusted},
		{"of somebody else", root.client(t, change(func(c *x509.Certificate) { c.DNSNames = []string{"users.internal"} })), ReasonCertName},
		{"with the name in the subject alone", root.client(t, change(func(c *x509.Certificate) { c.DNSNames, c.Subject = nil, pkix.Name{CommonName: "orders.internal"} })), ReasonCertName},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprintf("%s, TLS %x", c.name, version), func(t *testing.T) {
				if got := get(t, s, "/known", &c.cert, version); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if got := get(t, s, "/open", &c.cert, version); got != "open" {
					t.Errorf("where none is wanted: %q", got)
				}
			})
		}
	}
	if got := get(t, s, "/known", nil, 0); got != "nobody <nil>" {
		t.Errorf("without one: %q", got)
	}
}

// The server names its authorities, so that browsers with other certificates do not ask people; after a change it names the new ones.
func TestAuthoritiesAreNamedAndReadAgain(t *testing.T) {
	before, after := newAuthority(t, "before", nil), newAuthority(t, "after", nil)
	in, cfg := certified(t, Certificate{}, before)
	s := serve(t, in)
	named := func() (subjects string) {
		conf := &tls.Config{RootCAs: x509.NewCertPool()}
		conf.RootCAs.AddCert(s.Certificate())
		conf.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			for _, raw := range r.AcceptableCAs {
				subjects += string(raw)
			}
			return &tls.Certificate{}, nil
		}
		conn, err := tls.Dial("tcp", s.Listener.Addr().String(), conf)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		return subjects
	}
	old, fresh := before.client(t, nil), after.client(t, nil)
	if got := named(); !strings.Contains(got, "before") || get(t, s, "/known", &old, 0) == ReasonCertUntrusted {
		t.Errorf("named %q", got)
	}
	put(t, cfg.CA, pemOf("CERTIFICATE", after.cert.Raw))
	in.look()
	in.look()
	if got := named(); !strings.Contains(got, "after") || strings.Contains(got, "before") {
		t.Errorf("after a change, named %q", got)
	}
	if got := get(t, s, "/known", &old, 0); got != ReasonCertUntrusted {
		t.Errorf("of the authority that is gone, and was known a moment ago: %q", got)
	}
	if got := get(t, s, "/known", &fresh, 0); got != "dns:orders.internal orders [service] [write]" {
		t.Errorf("of the new one: %q", got)
	}
}

// AUN-20: with a file of revocation lists, each authority needs a good one.
func TestRevokedCertificates(t *testing.T) {
	root := newAuthority(t, "root", nil)
	middle, stranger := newAuthority(t, "middle", root), newAuthority(t, "middle", nil)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	cert := middle.client(t, nil, middle)
	leaf := cert.Leaf
	for _, c := range []struct {
		name  string
		lists [][]byte
		want  string
	}{
		{"good lists that do not have it", [][]byte{root.revocations(t, soon), middle.revocations(t, soon)}, ""},
		{"it is revoked", [][]byte{root.revocations(t, soon), middle.revocations(t, soon, leaf)}, ReasonCertRevoked},
		{"it is revoked by an old list that a new one forgot", [][]byte{root.revocations(t, soon), middle.revocations(t, past, leaf), middle.revocations(t, soon)}, ReasonCertRevoked},
		{"its authority is revoked", [][]byte{root.revocations(t, soon, middle.cert), middle.revocations(t, soon)}, ReasonCertRevoked},
		{"the list of its authority is missing", [][]byte{root.revocations(t, soon)}, ReasonCertRevoked},
		{"the list of its authority is over", [][]byte{root.revocations(t, soon), middle.revocations(t, past)}, ReasonCertRevoked},
		{"the list is of another authority of the same name", [][]byte{root.revocations(t, soon), stranger.revocations(t, soon)}, ReasonCertRevoked},
		{"another authority of the same name revokes it", [][]byte{root.revocations(t, soon), middle.revocations(t, soon), stranger.revocations(t, soon, leaf)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, _ := certified(t, Certificate{CRL: file(t, "crl.pem", pemOf("X509 CRL", c.lists...))}, root)
			for range 2 { // the second time, a good one is remembered
				r := request("/")
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf, middle.cert}}
				_, err := in.Identify(t.Context(), r, KindCertificate)
				if (c.want == "") != (err == nil) || err != nil && refusal(t, err).Reason != c.want {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		})
	}
	path := file(t, "crl.pem", pemOf("X509 CRL", root.revocations(t, soon), middle.revocations(t, soon)))
	in, _ := certified(t, Certificate{CRL: path}, root)
	s := serve(t, in)
	if got := get(t, s, "/known", &cert, 0); !strings.HasPrefix(got, "dns:") {
		t.Fatal(got)
	}
	put(t, path, pemOf("X509 CRL", root.revocations(t, soon), middle.revocations(t, soon, leaf)))
	in.look()
	in.look()
	if got := get(t, s, "/known", &cert, 0); got != ReasonCertRevoked {
		t.Errorf("after a new list: %q", got)
	}
}

// AUN-20: a certificate in a header is one of a trusted proxy alone, and there it is judged as any other (RFC 9440).
func TestCertificatesThatAProxyHandsOver(t *testing.T) {
	root := newAuthority(t, "root", nil)
	middle, stranger := newAuthority(t, "middle", root), newAuthority(t, "other", nil)
	good, hung, bad, ofProxy := root.client(t, nil), middle.client(t, nil), stranger.client(t, nil), root.client(t, nil)
	bytes := func(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }
	for _, c := range []struct {
		name, header, from string
		lines              []string
		kind, reason       string
	}{
		{"by a trusted proxy", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: " + bytes(good.Leaf.Raw)}, KindCertificate, ""},
		{"by a stranger", "Client-Cert", "192.0.2.1:1", []string{"Client-Cert: " + bytes(good.Leaf.Raw)}, "", ReasonCertMissing},
		{"by a trusted proxy, where no header is configured", "", "10.0.0.1:1", []string{"Client-Cert: " + bytes(good.Leaf.Raw)}, "", ReasonCertMissing},
		{"in another header", "Client-Cert", "10.0.0.1:1", []string{"X-SSL-Client-Cert: " + bytes(good.Leaf.Raw)}, "", ReasonCertMissing},
		{"with what is between", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: " + bytes(hung.Leaf.Raw), "Client-Cert-Chain: " + bytes(middle.cert.Raw) + ", " + bytes(root.cert.Raw)}, KindCertificate, ""},
		{"with what is between on two lines", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: " + bytes(hung.Leaf.Raw), "Client-Cert-Chain: " + bytes(root.cert.Raw), "Client-Cert-Chain: " + bytes(middle.cert.Raw)}, KindCertificate, ""},
		{"of an unknown authority", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: " + bytes(bad.Leaf.Raw)}, KindCertificate, ReasonCertUntrusted},
		{"that is none", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: :AAAA:"}, KindCertificate, ReasonCertHeader},
		{"in PEM", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: -----BEGIN CERTIFICATE-----"}, KindCertificate, ReasonCertHeader},
		{"with a parameter", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: " + bytes(good.Leaf.Raw) + ";a=1"}, KindCertificate, ReasonCertHeader},
		{"with a broken chain", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: " + bytes(good.Leaf.Raw), "Client-Cert-Chain: x"}, KindCertificate, ReasonCertHeader},
		{"with an endless chain", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: " + bytes(good.Leaf.Raw), "Client-Cert-Chain: " + strings.Repeat(bytes(root.cert.Raw)+",", 8) + bytes(root.cert.Raw)}, KindCertificate, ReasonCertHeader},
		{"that is empty", "Client-Cert", "10.0.0.1:1", []string{"Client-Cert: "}, KindCertificate, ReasonCertHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, _ := certified(t, Certificate{Header: c.header}, root)
			r := request("/", c.lines...)
			r.RemoteAddr = c.from
			if strings.HasPrefix(c.from, "10.") {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{ofProxy.Leaf}} // its own, which is good and is nobody
			}
			kind, err := in.Present(r, []string{KindCertificate})
			if kind != c.kind || err != nil {
				t.Fatalf("got %q, %v, want %q", kind, err, c.kind)
			}
			_, err = in.Identify(t.Context(), r, KindCertificate)
			if (err == nil) != (c.reason == "") || err != nil && refusal(t, err).Reason != c.reason {
				t.Errorf("got %v, want %q", err, c.reason)
			}
		})
	}
}

// OAX-07, over a proxy: what it hands over is what tokens are bound to.
func TestATokenIsBoundToWhatAProxyHandsOver(t *testing.T) {
	root := newAuthority(t, "root", nil)
	own, other := root.client(t, nil), root.client(t, nil)
	in, _ := certified(t, Certificate{Header: "Client-Cert"}, root)
	for cert, want := range map[*x509.Certificate]string{own.Leaf: "", other.Leaf: ReasonTokenCert} {
		r := request("/", "Client-Cert: :"+base64.StdEncoding.EncodeToString(cert.Raw)+":")
		r.RemoteAddr = "10.0.0.1:1"
		claims := map[string]any{"cnf": map[string]any{"x5t#S256": thumbprint(own.Leaf.Raw)}}
		if got := judgeBinding(claims, in.presented(r)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		r.RemoteAddr = "192.0.2.1:1"
		if got := judgeBinding(claims, in.presented(r)); got != ReasonTokenCert {
			t.Errorf("by a stranger: %q", got)
		}
	}
}

func TestFilesOfAuthoritiesThatAreRefused(t *testing.T) {
	root := newAuthority(t, "root", nil)
	leaf := root.client(t, nil)
	for name, text := range map[string]string{
		"nothing":              "",
		"no PEM":               "hello",
		"a client's":           pemOf("CERTIFICATE", leaf.Leaf.Raw),
		"a private key in it":  pemOf("CERTIFICATE", root.cert.Raw) + pemOf("PRIVATE KEY", []byte("secret")),
		"a broken certificate": pemOf("CERTIFICATE", root.cert.Raw[:100]),
	} {
		d := deps(newClock(), nil)
		if _, err := New(Config{Certificate: Certificate{CA: file(t, "ca", text), Names: []Name{ordersName}}}, d); err == nil || !strings.Contains(err.Error(), "callers.certificate: ca: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"nothing": "", "certificates": pemOf("CERTIFICATE", root.cert.Raw), "a broken list": pemOf("X509 CRL", []byte("x"))} {
		cfg := Certificate{CA: file(t, "ca", pemOf("CERTIFICATE", root.cert.Raw)), CRL: file(t, "crl", text), Names: []Name{ordersName}}
		if _, err := New(Config{Certificate: cfg}, deps(newClock(), nil)); err == nil || !strings.Contains(err.Error(), "callers.certificate: crl: ") {
			t.Errorf("a list of %s: %v", name, err)
		}
	}
}

func TestNoCertificatesAreAskedForWhereNoneAreConfigured(t *testing.T) {
	in, err := New(Config{}, deps(newClock(), nil))
	if err != nil {
		t.Fatal(err)
	}
	var c tls.Config
	if in.AskForCertificates(&c); c.ClientAuth != tls.NoClientCert || c.ClientCAs != nil {
		t.Error("they are")
	}
}

func uri(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
