package bff

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/e2e/ca"
)

// newTLSHouse speaks TLS at the front, and plain HTTP beside it. The result's authority vouches for it.
func newTLSHouse(t *testing.T, more ...func(*configs.Config)) (*house, *ca.Authority) {
	t.Helper()
	a, err := ca.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := a.Issue("localhost", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	h := newHouseOver(t, "https", func(cfg *configs.Config) {
		cfg.Server.TLS.Cert, cfg.Server.TLS.Key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
		for path, data := range map[string][]byte{cfg.Server.TLS.Cert: cert, cfg.Server.TLS.Key: key} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		together(more...)(cfg)
	})
	return h, a
}

// overHTTP2 is a browser that speaks HTTP/2 wherever it is spoken.
func (h *house) overHTTP2(t *testing.T, a *ca.Authority) *browser {
	b := h.browser()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	b.client.Transport = transport
	return b
}

func TestAUserSignsInAndOutOverHTTP2(t *testing.T) {
	h, a := newTLSHouse(t)
	b := h.overHTTP2(t, a)
	res := b.signIn("/bff/login?return_to=/pages/welcome")
	if res.ProtoMajor != 2 || res.TLS.Version != tls.VersionTLS13 {
		t.Errorf("the callback came by %s and %s", res.Proto, tls.VersionName(res.TLS.Version))
	}
	if b.cookie("__Host-Http-session") == "" || !b.user().Authenticated {
		t.Fatal("nobody is signed in")
	}
	res = b.fetch("POST", "/api/orders")
	if res.StatusCode != http.StatusOK || h.upstream.last().Header.Get("Authorization") == "" {
		t.Errorf("POST /api/orders: %d", res.StatusCode)
	}
	if got := h.upstream.last().Header.Get("X-Forwarded-Proto"); got != "https" {
		t.Errorf("the upstream is told %q", got)
	}
	events := b.do("GET", "/bff/problems/signed_out", nil)
	if events.StatusCode != http.StatusOK {
		t.Errorf("a page: %d", events.StatusCode)
	}
	res = b.fetch("POST", "/bff/logout")
	if res.StatusCode != http.StatusOK || b.user().Authenticated {
		t.Errorf("logout: %d %s", res.StatusCode, res.body)
	}
}

// HDR-01: whatever is answered over TLS says that it is to be asked for over TLS, errors included.
func TestEveryAnswerOverTLSHasHSTS(t *testing.T) {
	h, a := newTLSHouse(t)
	b := h.overHTTP2(t, a)
	for _, path := range []string{"/", "/bff/user", "/bff/login", "/api/x", "/public/x", "/nothing", "/a/../b", "/bff/problems/signed_out", "/bff/backchannel"} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "TRACE"} {
			res := b.do(method, path, nil)
			if got := res.Header["Strict-Transport-Security"]; len(got) != 1 || got[0] != "max-age=63072000; includeSubDomains" {
				t.Errorf("%s %s: %d with Strict-Transport-Security %q", method, path, res.StatusCode, got)
			}
		}
	}
}

func TestPlainHTTPOnTheTLSPortIsRefused(t *testing.T) {
	h, _ := newTLSHouse(t)
	h.origin = strings.Replace(h.origin, "https", "http", 1)
	if got := h.raw("GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 400 ") || strings.Contains(got, "Location") {
		t.Errorf("%q", got)
	}
}

// TLS-03: people are sent on to https, and scripts find out that their URL is wrong.
func TestPlainHTTPOnlySendsPeopleOn(t *testing.T) {
	h, _ := newTLSHouse(t)
	base, page := "http://127.0.0.1:"+port(h.plain), []string{"Accept", "text/html,*/*;q=0.8"}
	for _, c := range []struct {
		name, method, path, host string
		headers                  []string
		status                   int
		location                 string // behind the origin
	}{
		{"a browser", "GET", "/orders?x=1&y=%2F", "localhost", page, 308, "/orders?x=1&y=%2F"},
		{"a browser that names the port", "GET", "/", "localhost:" + port(h.plain), page, 308, "/"},
		{"a browser in capitals", "GET", "/", "LOCALHOST", page, 308, "/"},
		{"a HEAD", "HEAD", "/orders", "localhost", page, 308, "/orders"},
		{"a navigation that says so", "GET", "/", "localhost", navigation("none"), 308, "/"},
		{"a path that only looks like a host", "GET", "/.evil.test/", "localhost", page, 308, "/.evil.test/"},
		{"a script", "GET", "/api/orders", "localhost", []string{"Accept", "*/*"}, 403, ""},
		{"a script that says so", "GET", "/", "localhost", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin", "Accept", "text/html"}, 403, ""},
		{"a frame", "GET", "/", "localhost", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", "text/html"}, 403, ""},
		{"a client without a word", "GET", "/api/orders", "localhost", nil, 403, ""},
		{"a form", "POST", "/bff/logout", "localhost", page, 403, ""},
		{"a DELETE", "DELETE", "/api/orders/1", "localhost", page, 403, ""},
		{"credentials", "GET", "/api/orders", "localhost", append([]string{"Authorization", "Bearer x"}, page...), 403, ""},
		{"a foreign host", "GET", "/", "evil.test", page, 421, ""},
		{"a foreign host with our name in it", "GET", "/", "localhost.evil.test", page, 421, ""},
		{"a user name in the host", "GET", "/", "evil@localhost", page, 421, ""},
		{"a path with two readings", "GET", "/a/..//evil.test", "localhost", page, 400, ""},
		{"a target of another host", "GET", "//evil.test", "localhost", page, 421, ""},
		{"a path that browsers take for a host", "GET", "/%5Cevil.test", "localhost", page, 400, ""},
		{"a challenge that nobody set", "GET", "/.well-known/acme-challenge/x", "localhost", nil, 403, ""},
		{"a challenge that climbs", "GET", "/.well-known/acme-challenge/../../etc/passwd", "localhost", page, 400, ""},
		{"a challenge that climbs in disguise", "GET", "/.well-known/acme-challenge/..%2f..%2facme", "localhost", page, 400, ""},
		{"a challenge by POST", "POST", "/.well-known/acme-challenge/x", "localhost", nil, 403, ""},
		{"a challenge for another host", "GET", "/.well-known/acme-challenge/x", "evil.test", nil, 421, ""},
		{"a host with a port that is none", "GET", "/", "localhost:x", page, 421, ""},
		{"a host with two ports", "GET", "/", "localhost:80:80", page, 421, ""},
		{"a host with a dot", "GET", "/", "localhost.", page, 421, ""},
		{"no host", "GET", "/", " ", page, 421, ""},
		{"a user's own X-Forwarded-Host", "GET", "/", "localhost", append([]string{"X-Forwarded-Host", "evil.test", "Forwarded", "host=evil.test"}, page...), 308, "/"},
		{"TRACE", "TRACE", "/", "localhost", nil, 405, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, base, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host, r.URL.Opaque = c.host, c.path
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Add(c.headers[i], c.headers[i+1])
			}
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			want := ""
			if c.location != "" {
				want = h.origin + c.location
			}
			if got := res.Header.Get("Location"); res.StatusCode != c.status || got != want {
				t.Errorf("%d to %q, want %d to %q\n%.300s", res.StatusCode, got, c.status, want, body)
			}
			if res.Header.Get("Set-Cookie") != "" || res.Header.Get("Strict-Transport-Security") != "" {
				t.Errorf("headers that have no place here: %v", res.Header)
			}
			if res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control: %q", res.Header.Get("Cache-Control"))
			}
		})
	}
	if n := h.upstream.count(); n > 0 {
		t.Errorf("%d requests went on to the upstream", n)
	}
}
