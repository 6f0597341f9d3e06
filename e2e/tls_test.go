package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloakroom/e2e/ca"
	"cloakroom/e2e/stack"
)

const tlsHost = "app.example.test"

// ownTLS is the binary with TLS of its own. Its provider is away, which matters to nobody here.
type ownTLS struct {
	*testing.T
	*stack.Replica
	ctx   context.Context
	plain string // the address of the listener for plain HTTP
}

// startWithTLS starts it with the YAML of server.tls.
func startWithTLS(t *testing.T, dir, tlsSection string) *ownTLS {
	t.Helper()
	program, err := shared.program()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cloakroom.yaml")
	text := fmt.Sprintf(`server: {public_url: "https://%s", listen: "127.0.0.1:0", http_listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", log: {format: json}, tls: %s}
providers: {main: {issuer: "http://127.0.0.1:1", client_id: spa, client_secret: b7Kq2Zt9Xw4Lm6Rc}}
session: {store: memory, secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}
`, tlsHost, tlsSection)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &ownTLS{T: t, ctx: deadline(t)}
	if f.Replica, err = stack.StartReplica(f.ctx, "front", program, path, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := f.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	line, err := f.Await(f.ctx, "http listener", func(l stack.Line) bool { return l.Is("listening") && l.Fields["listener"] == "http" })
	if err != nil {
		t.Fatal(err)
	}
	f.plain = line.Fields["address"].(string)
	return f
}

// event waits for one in the log.
func (f *ownTLS) event(name string) {
	f.Helper()
	if _, err := f.Await(f.ctx, name, func(l stack.Line) bool { return l.Fields["event"] == name }); err != nil {
		f.Fatal(err)
	}
}

// client is a browser of that name which believes roots.
func (f *ownTLS) client(roots *x509.CertPool) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, f.Address)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
	}
	f.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// ask gets an answer, whole.
func (f *ownTLS) ask(c *http.Client) (*http.Response, error) {
	r, err := http.NewRequestWithContext(f.ctx, http.MethodGet, "https://"+tlsHost+"/bff/user", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-CSRF", "1")
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res, err
}

// asks is ask, and demands that it is as it should be.
func (f *ownTLS) asks(c *http.Client) *http.Response {
	f.Helper()
	res, err := f.ask(c)
	if err != nil {
		f.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		f.Errorf("%s by %s, HSTS %q", res.Status, res.Proto, res.Header.Get("Strict-Transport-Security"))
	}
	return res
}

// awaitCertificate waits until a handshake succeeds.
func (f *ownTLS) awaitCertificate(roots *x509.CertPool) {
	f.Helper()
	c := f.client(roots)
	if err := stack.Eventually(f.ctx, "there is a certificate", func() bool { _, err := f.ask(c); return err == nil }); err != nil {
		f.Fatal(err)
	}
}

func newPair(t *testing.T, a *ca.Authority, dir string) {
	t.Helper()
	cert, key, err := a.Issue(tlsHost, time.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func newAuthority(t *testing.T) *ca.Authority {
	t.Helper()
	a, err := ca.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TLS-01 as a scanner sees it; OAX-08 as browsers do: the files of the certificate are replaced under an open connection.
func TestTheBinarySpeaksGoodTLSAndFollowsItsFiles(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	newPair(t, a, dir)
	f := startWithTLS(t, dir, "{cert: tls.crt, key: tls.key}")
	early := f.client(a.Pool)
	before := f.asks(early).TLS.PeerCertificates[0]
	f.scan()

	newPair(t, a, dir)
	f.event("certificate_changed")
	after := f.asks(f.client(a.Pool)).TLS.PeerCertificates[0]
	if after.SerialNumber.Cmp(before.SerialNumber) == 0 {
		t.Error("a new connection got the old certificate")
	}
	if still := f.asks(early).TLS.PeerCertificates[0]; still.SerialNumber.Cmp(before.SerialNumber) != 0 {
		t.Error("the open connection was not used again")
	}
	if err := os.WriteFile(filepath.Join(dir, "tls.key"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.event("certificate_refused")
	f.asks(f.client(a.Pool))
	_, metrics, err := f.Get(f.ctx, "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`cloakroom_certificates_total{result="changed"} 1`, `cloakroom_certificates_total{result="refused"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
	ends, err := strconv.ParseFloat(regexp.MustCompile(`\ncloakroom_certificate_expiry_timestamp_seconds (\S+)\n|\z`).FindStringSubmatch(metrics)[1], 64)
	if err != nil || int64(ends) != after.NotAfter.Unix() {
		t.Errorf("the metric says %v (%v), the certificate ends %v", ends, err, after.NotAfter.Unix())
	}
}

// scan lets sslscan try every version and suite that it knows.
func (f *ownTLS) scan() {
	f.Helper()
	out, err := exec.CommandContext(f.ctx, "sslscan", "--no-colour", "--sni-name="+tlsHost, f.Address).CombinedOutput()
	if err != nil {
		f.Fatalf("sslscan (make setup installs it): %v\n%s", err, out)
	}
	text := string(out)
	for _, want := range []string{`SSLv2 +disabled`, `SSLv3 +disabled`, `TLSv1\.0 +disabled`, `TLSv1\.1 +disabled`, `TLSv1\.2 +enabled`, `TLSv1\.3 +enabled`,
		`Server supports TLS Fallback SCSV`, `renegotiation not supported`, `Altnames: +DNS:` + regexp.QuoteMeta(tlsHost)} {
		if !regexp.MustCompile(want).MatchString(text) {
			f.Errorf("sslscan does not find %q\n%s", want, text)
		}
	}
	suites := regexp.MustCompile(`(?m)^(?:Preferred|Accepted) +(TLSv\S+) +\d+ bits +(\S+)`).FindAllStringSubmatch(text, -1)
	for _, s := range suites {
		aead := strings.Contains(s[2], "GCM") || strings.Contains(s[2], "CHACHA20")
		if !aead || s[1] == "TLSv1.2" && !strings.HasPrefix(s[2], "ECDHE-") {
			f.Errorf("%s takes %s", s[1], s[2])
		}
	}
	if len(suites) < 5 {
		f.Errorf("sslscan found %d suites\n%s", len(suites), text)
	}
}

func TestTheBinaryDoesNotStartWithAnotherCertificatesKey(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	newPair(t, a, dir)
	cert, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	newPair(t, a, dir)
	if err := os.WriteFile(filepath.Join(dir, "tls.crt"), cert, 0o600); err != nil {
		t.Fatal(err)
	}
	text := "server:\n  public_url: https://" + tlsHost + "\n  tls:\n    cert: tls.crt\n    key: tls.key\n" +
		"providers: {main: {issuer: \"http://127.0.0.1:1\", client_id: spa, client_secret: b7Kq2Zt9Xw4Lm6Rc}}\nsession: {store: memory, secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}\n"
	path := filepath.Join(dir, "cloakroom.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := shared.program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(deadline(t), program, "serve", "--config", path)
	out, _ := cmd.CombinedOutput()
	if want := "cloakroom.yaml:5:5: server.tls.key: is the private key of another certificate"; cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), want) {
		t.Errorf("exit code %d\n%s\nwant 2 and %q", cmd.ProcessState.ExitCode(), out, want)
	}
}

// The binary gets a certificate from an ACME server, redirects people to it, and finds it again at its next start.
func TestTheBinaryGetsItsCertificateByACME(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	door, directory, err := ca.NewDoor()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), a.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "acme"), 0o700); err != nil {
		t.Fatal(err)
	}
	section := fmt.Sprintf("{acme: {agree: true, cache: acme, directory: %q, ca: ca.pem}}", directory)
	f := startWithTLS(t, dir, section)
	pebble, err := ca.StartPebble(f.ctx, door, a, ca.Options{Dir: dir, HTTPPort: portOf(t, f.plain), TLSPort: portOf(t, f.Address), Validity: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pebble.Close)
	f.event("certificate_obtained")
	f.awaitCertificate(pebble.Roots)
	first := f.asks(f.client(pebble.Roots)).TLS.PeerCertificates[0]
	f.redirects()

	if err := f.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code, err := f.Wait(f.ctx); err != nil || code != 0 {
		t.Fatalf("the server ended with %d, %v", code, err)
	}
	again := startWithTLS(t, dir, section)
	again.awaitCertificate(pebble.Roots)
	if second := again.asks(again.client(pebble.Roots)).TLS.PeerCertificates[0]; second.SerialNumber.Cmp(first.SerialNumber) != 0 || pebble.Issued() != 1 {
		t.Errorf("%d certificates were ordered, want 1", pebble.Issued())
	}
}

// redirects is TLS-03: people are sent on, scripts are not.
func (f *ownTLS) redirects() {
	f.Helper()
	for accept, status := range map[string]int{"text/html": 308, "*/*": 403} {
		r, err := http.NewRequestWithContext(f.ctx, http.MethodGet, "http://"+f.plain+"/api/orders?x=1", nil)
		if err != nil {
			f.Fatal(err)
		}
		r.Host = tlsHost
		r.Header.Set("Accept", accept)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			f.Fatal(err)
		}
		res.Body.Close()
		location := res.Header.Get("Location")
		if res.StatusCode != status || (status == 308) != (location == "https://"+tlsHost+"/api/orders?x=1") {
			f.Errorf("Accept %s: %d to %q, want %d", accept, res.StatusCode, location, status)
		}
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return addr.Port
}
