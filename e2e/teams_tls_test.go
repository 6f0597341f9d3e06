package e2e

import (
	"crypto/tls"

	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/ca"
	"cloakroom/e2e/stack"
)

// vault is a server that only clients with a certificate of its authority reach, and that says who asked, by which protocol.
type vault struct {
	address     string
	authority   *ca.Authority
	cert, key   []byte // of the first client
	otherServer []byte // the certificate of an authority that has not signed the server's
}

// configuration is of the team that uses it: the files are in a folder beside the team's.
func (v *vault) configuration() map[string]string {
	return map[string]string{
		"teams/platform/vault.yaml": fmt.Sprintf(`upstreams:
  vault: {url: "https://%[1]s", tls: {ca: vault/ca.pem, server_name: vault.internal, cert: vault/tls.crt, key: vault/tls.key}}
  vault-by-another-name: {url: "https://%[1]s", tls: {ca: vault/ca.pem, cert: vault/tls.crt, key: vault/tls.key}}
  vault-of-nobody: {url: "https://%[1]s", tls: {ca: vault/ca.pem, server_name: vault.internal}}
  vault-of-strangers: {url: "https://%[1]s", tls: {ca: vault/strange.pem, server_name: vault.internal}}
  vault-by-default: {url: "https://%[1]s"}
routes:
  - {path: /vault/, upstream: vault}
  - {path: /vault-by-another-name/, upstream: vault-by-another-name}
  - {path: /vault-of-nobody/, upstream: vault-of-nobody}
  - {path: /vault-of-strangers/, upstream: vault-of-strangers}
  - {path: /vault-by-default/, upstream: vault-by-default}
`, v.address),
		"teams/platform/vault/ca.pem":      string(v.authority.PEM),
		"teams/platform/vault/strange.pem": string(v.otherServer),
		"teams/platform/vault/tls.crt":     string(v.cert),
		"teams/platform/vault/tls.key":     string(v.key),
	}
}

// startVault starts it.
func (r *run) startVault() (v *vault, err error) {
	v = &vault{}
	if v.authority, err = ca.NewAuthority(); err != nil {
		return nil, err
	}
	strange, err := ca.NewAuthority()
	if err != nil {
		return nil, err
	}
	v.otherServer = strange.PEM
	if v.cert, v.key, err = v.authority.Issue("client-one", time.Now().Add(time.Hour)); err != nil {
		return nil, err
	}
	cert, key, err := v.authority.Issue("vault.internal", time.Now().Add(time.Hour))
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s by %s", r.TLS.PeerCertificates[0].Subject.CommonName, r.Proto)
	}), TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: v.authority.Pool}}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.ServeTLS(listener, "", "") }() // ends by undo
	r.undo(func() error { err := server.Close(); <-served; return err })
	v.address = listener.Addr().String()
	return v, nil
}

// PRX-44: an upstream is reached with the authority, the name and the certificate that its team's file says, and not otherwise; another certificate on disk holds without a
// reload, and no request fails meanwhile. Files that do not fit together change nothing.
func TestAnUpstreamWithItsOwnAuthority(t *testing.T) {
	t.Parallel()
	s := onOwnTeams(t)
	b := s.signedIn("gina")
	if a := s.get(b, "/vault/x", 200); a.Body != "client-one by HTTP/2.0" {
		t.Fatalf("reached as %s", a.Body)
	}
	for _, path := range []string{"/vault-by-another-name/", "/vault-of-nobody/", "/vault-of-strangers/", "/vault-by-default/"} {
		s.problem(s.get(b, path, 502), "upstream_failed")
	}
	cert, key, err := s.vault.authority.Issue("client-two", time.Now().Add(time.Hour))
	s.check(err)
	dir := filepath.Join(s.dir(), "teams/platform/vault")
	s.replace(filepath.Join(dir, "tls.crt"), cert)
	_, err = s.Replicas[0].Await(s.ctx, "line about half a pair", func(l stack.Line) bool {
		return strings.HasPrefix(fmt.Sprint(l.Fields["msg"]), "certificates of an upstream cannot be read")
	})
	s.check(err)
	if a := s.get(b, "/vault/x", 200); a.Body != "client-one by HTTP/2.0" {
		t.Errorf("with half a pair it is reached as %s", a.Body)
	}
	s.replace(filepath.Join(dir, "tls.key"), key)
	s.eventually("the new certificate is used", func() bool { return s.get(b, "/vault/x", 200).Body == "client-two by HTTP/2.0" })
	if n := len(s.Replicas[0].Events("config_reloaded")); n != 0 {
		t.Errorf("%d reloads for a certificate", n)
	}
}

// replace writes a file beside the old one and renames it, as tools do that rotate.
func (s *story) replace(path string, data []byte) {
	s.Helper()
	s.check(os.WriteFile(path+".new", data, 0o600))
	s.check(os.Rename(path+".new", path))
}
