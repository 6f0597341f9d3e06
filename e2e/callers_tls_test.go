package e2e

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/ca"
	"cloakroom/e2e/stack"
)

// overTLS is a story on two replicas with TLS of their own, where passwords and certificates count.
type overTLS struct {
	*story
	servers, clients *ca.Authority
}

// htpasswd is a file with these users and passwords.
func (s *story) htpasswd(users ...string) string {
	s.Helper()
	var text strings.Builder
	for i := 0; i < len(users); i += 2 {
		hash, err := bcrypt.GenerateFromPassword([]byte(users[i+1]), bcrypt.MinCost+1)
		s.check(err)
		fmt.Fprintf(&text, "%s:%s\n", users[i], hash)
		shared.corpus.Learn("password", users[i+1])
		shared.corpus.Learn("password", base64.StdEncoding.EncodeToString([]byte(users[i]+":"+users[i+1])))
	}
	return text.String()
}

func onTLS(t *testing.T) *overTLS {
	t.Helper()
	s := &overTLS{story: &story{T: t}, servers: newAuthority(t), clients: newAuthority(t)}
	cert, key, err := s.servers.Issue(tlsHost, time.Now().Add(time.Hour))
	s.check(err)
	s.story = onOwn(t, stack.Options{Replicas: 2, Configure: func(c *stack.Config) {
		c.PublicURL, c.Server = "https://"+tlsHost, "  tls: {cert: tls.crt, key: tls.key}"
		c.Files = map[string]string{
			"tls.crt": string(cert), "tls.key": string(key), "clients.pem": string(s.clients.PEM),
			"users.htpasswd": s.htpasswd("alice", "first-password-of-alice", "bob", "first-password-of-bob"),
		}
		c.Sections = `limits: {timeout: 5s}
callers:
  api_key: X-API-Key
  basic: {file: users.htpasswd, realm: api, roles: {alice: [support]}}
  certificate: {ca: clients.pem, names: [{dns: billing.internal, as: billing, roles: [service]}, {dns: '*.workers.internal', scopes: [work]}]}
`
		c.Routes = fmt.Sprintf(`  - {path: /basic/, upstream: %[1]q, callers: [basic]}
  - {path: /support/, upstream: %[1]q, callers: [basic], allow: {roles: [support]}}
  - {path: /cert/, upstream: %[1]q, callers: [certificate], allow: {when: 'user.kind == "certificate"'}}
  - {path: /service/, upstream: %[1]q, callers: [certificate, api_key], allow: {roles: [service]}}
  - {path: /address/, upstream: %[1]q, auth: none, limit: {rate: %[2]d/1h, burst: %[2]d, per: ip}}
`, c.Upstream, burst)
	}})
	return s
}

// client is a program that believes the servers, with a certificate or none, at the nth replica. It presents its certificate whatever authorities the server names.
func (s *overTLS) client(n int, cert, key []byte) *http.Client {
	s.Helper()
	t := &tls.Config{RootCAs: s.servers.Pool}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		s.check(err)
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.Replicas[n].Address)
		},
		TLSClientConfig: t, ForceAttemptHTTP2: true,
	}
	s.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// send asks, with header lines.
func (s *overTLS) send(c *http.Client, path string, header ...string) *browse.Answer {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx, "GET", "https://"+tlsHost+path, nil)
	s.check(err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := c.Do(req)
	s.check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	s.check(err)
	shared.witness.Keep(path, res.StatusCode, res.Header, string(body))
	return &browse.Answer{Status: res.StatusCode, Header: res.Header, Body: string(body), URL: req.URL}
}

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// AUN-05, AUN-06: passwords over TLS. Unknown users and wrong passwords look the same; nothing goes on to the upstream; another file counts on both replicas in a moment, and then no old password does.
func TestPasswords(t *testing.T) {
	t.Parallel()
	s := onTLS(t)
	at := []*http.Client{s.client(0, nil, nil), s.client(1, nil, nil)}
	old := basic("alice", "first-password-of-alice")
	for n := range 2 {
		for path, status := range map[string]int{"/basic/pw": 200, "/support/pw": 200} {
			if a := s.send(at[n], path, old); a.Status != status {
				t.Fatalf("%s: %d\n%s", path, a.Status, s.brief(a))
			}
		}
	}
	s.refusedOnce(s.send(at[0], "/support/pw", basic("bob", "first-password-of-bob")), 403, refusal{"forbidden", "roles", "role_missing"})
	for _, r := range reached(s.Upstream, "/pw") {
		if len(r.Values("Authorization")) > 0 {
			t.Error("the upstream got the password")
		}
	}
	s.wrongPasswords(at[0])
	text := s.htpasswd("alice", "second-password-of-alice")
	for n := range s.Replicas {
		s.replace(filepath.Join(filepath.Dir(filepath.Dir(s.ConfigPath)), fmt.Sprintf("replica-%d", n+1), "users.htpasswd"), []byte(text))
	}
	for n := range 2 {
		s.eventually("the old password is over", func() bool { return s.send(at[n], "/basic/x", old).Status == 401 })
		if a := s.send(at[n], "/support/x", basic("alice", "second-password-of-alice")); a.Status != 200 {
			t.Errorf("the new password on replica %d: %d\n%s", n+1, a.Status, s.brief(a))
		}
	}
}

// wrongPasswords compares what is said of a wrong password and of a user that does not exist.
func (s *overTLS) wrongPasswords(c *http.Client) {
	s.Helper()
	bodies := map[string]bool{}
	for _, user := range []string{"bob", "nobody-of-that-name"} {
		a := s.send(c, "/basic/x", basic(user, "a-wrong-password"))
		s.refusedOnce(a, 401, refusal{"bad_credential", "", "basic_password"})
		bodies[strings.Replace(a.Body, a.Header.Get("X-Request-Id"), "", 1)+a.Header.Get("WWW-Authenticate")] = true
		if a.Header.Get("WWW-Authenticate") != `Basic realm="api", charset="UTF-8"` {
			s.Errorf("WWW-Authenticate %q", a.Header.Get("WWW-Authenticate"))
		}
	}
	if len(bodies) != 1 {
		s.Errorf("they differ: %v", bodies)
	}
	a := s.send(c, "/basic/x", append(script, basic("bob", "a-wrong-password"))...)
	if a.Status != 401 || a.Header.Get("WWW-Authenticate") != "" {
		s.Errorf("a script: %d, WWW-Authenticate %q", a.Status, a.Header.Get("WWW-Authenticate"))
	}
	s.refusedOnce(s.send(c, "/basic/x", basic("alice", "first-password-of-alice"), "Sec-Fetch-Site: cross-site"), 403, refusal{"cross_site", "", "credential_cross_site"})
	throttled := 0
	for range 8 {
		if a := s.send(c, "/basic/x", basic("nobody-of-that-name", "a-wrong-password")); a.Status == 429 {
			s.refusedOnce(a, 429, refusal{"too_many_requests", "", "basic_throttled"})
			throttled++
		}
	}
	if throttled == 0 {
		s.Error("nobody stops who guesses")
	}
	if a := s.send(c, "/basic/x", basic("alice", "first-password-of-alice")); a.Status != 200 {
		s.Errorf("others are held up: %d", a.Status)
	}
}

// AUN-20: who a certificate's name is known is let in, over the server's own TLS; all others come no further than without one, and a header proves nothing.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	s := onTLS(t)
	strangers, soon := newAuthority(t), time.Now().Add(time.Hour)
	issue := func(a *ca.Authority, name string, until time.Time) *http.Client {
		cert, key, err := a.Issue(name, until)
		s.check(err)
		return s.client(0, cert, key)
	}
	billing := issue(s.clients, "billing.internal", soon)
	for path, status := range map[string]int{"/cert/crt": 200, "/service/crt": 200, "/basic/crt": 401, "/address/crt": 200} {
		if a := s.send(billing, path); a.Status != status {
			t.Errorf("%s: %d, want %d\n%s", path, a.Status, status, s.brief(a))
		}
	}
	worker := issue(s.clients, "seven.workers.internal", soon)
	if a := s.send(worker, "/cert/x"); a.Status != 200 {
		t.Errorf("a worker: %d", a.Status)
	}
	s.refusedOnce(s.send(worker, "/service/x"), 403, refusal{"forbidden", "roles", "role_missing"})
	cert, key, err := s.clients.IssueServer("billing.internal", soon)
	s.check(err)
	for reason, c := range map[string]*http.Client{
		"certificate_untrusted":  issue(strangers, "billing.internal", soon),
		"certificate_time":       issue(s.clients, "billing.internal", time.Now().Add(-time.Minute)),
		"certificate_name":       issue(s.clients, "a.b.workers.internal", soon),
		"certificate_untrusted ": s.client(0, cert, key),
	} {
		a := s.send(c, "/cert/x")
		s.refusedOnce(a, 401, refusal{"bad_credential", "", strings.TrimSpace(reason)})
		if got := a.Header.Get("WWW-Authenticate"); got != `Certificate realm="cloakroom"` {
			t.Errorf("%s: WWW-Authenticate %q", reason, got)
		}
		if a := s.send(c, "/address/x"); a.Status != 200 {
			t.Errorf("%s where none is wanted: %d", reason, a.Status)
		}
	}
	key2 := s.newKey("--role", "service")
	s.refusedOnce(s.send(billing, "/service/x", "X-API-Key: "+key2), 400, refusal{"bad_credentials", "", "two_credentials"})
	s.refusedOnce(s.send(billing, "/cert/x", "Cookie: "+browse.SessionCookie+"="+strings.Repeat("A", 43)), 400, refusal{"bad_credentials", "", "two_credentials"})
	s.spoofed()
}

// spoofed are headers of proxies with a good certificate, from whom nobody trusts.
func (s *overTLS) spoofed() {
	s.Helper()
	cert, _, err := s.clients.Issue("billing.internal", time.Now().Add(time.Hour))
	s.check(err)
	der := strings.Join(strings.Split(strings.TrimSpace(string(cert)), "\n")[1:len(strings.Split(strings.TrimSpace(string(cert)), "\n"))-1], "")
	for _, header := range []string{"Client-Cert: :" + der + ":", "X-Ssl-Client-Cert: " + url.QueryEscape(string(cert)), "X-Forwarded-Client-Cert: Cert=" + url.QueryEscape(string(cert)), "Ssl-Client-Verify: SUCCESS"} {
		if a := s.send(s.client(1, nil, nil), "/cert/x", header); a.Status < 400 {
			s.Errorf("%.30s: %d", header, a.Status)
		}
	}
}

// RL-06: streams of one HTTP/2 connection count one by one, over both replicas.
func TestMultiplexingRaisesNoLimit(t *testing.T) {
	t.Parallel()
	s := onTLS(t)
	at := []*http.Client{s.client(0, nil, nil), s.client(1, nil, nil)}
	by := s.through(8*burst, func(n int) *browse.Answer { return s.send(at[n%2], fmt.Sprintf("/address/mux?%d", n)) })
	if by[200] != burst || by[429] != 7*burst {
		t.Errorf("%v, want %d with 200", by, burst)
	}
}

// copyFile replaces a file by a copy of another, as a whole.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}
