package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/tokscan"
)

// raw sends bytes as they are to the first replica and returns what it answers until it closes the connection; one that
// keeps it open is listened to for a second.
func (s *story) raw(request string) string {
	s.Helper()
	c := s.send(request)
	defer c.Close()
	s.check(c.SetReadDeadline(time.Now().Add(time.Second)))
	answer, _ := io.ReadAll(c) // ends by the deadline or the close; what counts is what came
	shared.corpus.See(tokscan.Answer, "raw answer", answer)
	return string(answer)
}

// ask sends bytes as they are and returns the first answer.
func (s *story) ask(request string) *browse.Answer {
	s.Helper()
	c := s.send(request)
	defer c.Close()
	s.check(c.SetReadDeadline(time.Now().Add(10 * time.Second)))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return &browse.Answer{} // closed without an answer
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	s.check(err)
	shared.witness.Keep("raw answer", res.StatusCode, res.Header, string(body))
	return &browse.Answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}
}

func (s *story) send(request string) net.Conn {
	s.Helper()
	c, err := net.Dial("tcp", s.Replicas[0].Address)
	s.check(err)
	_, err = io.WriteString(c, request)
	s.check(err)
	return c
}

func (s *story) host() string { return strings.TrimPrefix(s.PublicURL, "http://") }

// authorized is a head of a request with the browser's ticket, without the empty line.
func (s *story) authorized(b *browse.Browser, line string) string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\nSec-Fetch-Site: same-origin\r\n", line, s.host(), browse.SessionCookie, b.Ticket())
}

// PRX-03: a request with both Content-Length and Transfer-Encoding does not smuggle a second one through its connection.
func TestContentLengthWithTransferEncodingSmugglesNothing(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	answer := s.raw(s.authorized(b, "POST /api/first") + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
		s.authorized(b, "GET /api/smuggled") + "\r\n")
	for _, r := range s.Upstream.Seen() {
		if strings.HasSuffix(r.Target, "/smuggled") {
			t.Errorf("the second request was answered:\n%s", answer)
		}
	}
	if strings.Count(answer, "HTTP/1.1 ") != 1 {
		t.Errorf("%d answers, want one:\n%s", strings.Count(answer, "HTTP/1.1 "), answer)
	}
}

// PRX-04, PRX-05, PRX-09: what two parsers may read differently is refused and its connection closed.
func TestAmbiguousRequestsAreRefused(t *testing.T) {
	s := onUsual(t)
	for name, head := range map[string]string{
		"two lengths":              "POST /public/x HTTP/1.1\r\nHost: " + s.host() + "\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"a length list":            "POST /public/x HTTP/1.1\r\nHost: " + s.host() + "\r\nContent-Length: 5,6\r\n\r\nhello",
		"a signed length":          "POST /public/x HTTP/1.1\r\nHost: " + s.host() + "\r\nContent-Length: +5\r\n\r\nhello",
		"an unknown encoding":      "POST /public/x HTTP/1.1\r\nHost: " + s.host() + "\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"a space before the colon": "POST /public/x HTTP/1.1\r\nHost: " + s.host() + "\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"no Host":                  "GET /public/x HTTP/1.1\r\n\r\n",
		"two Hosts":                "GET /public/x HTTP/1.1\r\nHost: " + s.host() + "\r\nHost: evil.test\r\n\r\n",
		"a NUL in a header":        "GET /public/x HTTP/1.1\r\nHost: " + s.host() + "\r\nX-A: a\x00b\r\n\r\n",
	} {
		s.unseen(func() {
			if got := s.ask(head).Status; got < 400 || got > 599 {
				t.Errorf("%s: %d", name, got)
			}
		})
	}
}

// PRX-28, BBA-6.1-15, BCP-07: a foreign name is answered 421, whether in Host or in the request line.
func TestAForeignNameIsNotServed(t *testing.T) {
	s := onUsual(t)
	for name, head := range map[string]string{
		"Host":                   "GET /public/x HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		"Host at sign-in":        "GET /bff/login HTTP/1.1\r\nHost: evil.test\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n",
		"absolute-form":          "GET http://evil.test/public/x HTTP/1.1\r\nHost: " + s.host() + "\r\n\r\n",
		"the name, another port": "GET /public/x HTTP/1.1\r\nHost: localhost:1\r\n\r\n",
	} {
		s.unseen(func() {
			a := s.ask(head)
			if a.Status != 421 && a.Status != 400 || a.Header.Get("Location") != "" {
				t.Errorf("%s: %d\n%s", name, a.Status, s.brief(a))
			}
		})
	}
}

// PRX-20, PRX-21, BBA-6.1-16: no spelling of a path leads past its route, and none reaches the upstream in a form that it could read differently.
func TestNoSpellingOfAPathLeadsElsewhere(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	for _, path := range []string{
		"/api/../admin", "/api/%2e%2e/admin", "/api/%2E%2e%2Fadmin", "/api/..%2fadmin", "/api/..;/admin", "/api/;x=1/../admin", "/api/%252e%252e/admin",
		"/api//admin", "//api/x", "/api/%2fadmin", "/api/..%5cadmin", "/api/%5c..%5cadmin", "/api/./x", "/api/%2e/x", "/api/x%00",
		"/api/x%0d%0aX:1", "/api/x%23f", "/api/x%3fa=b", "/api/%c0%ae%c0%ae/admin", "/api/\\..\\admin",
	} {
		s.unseen(func() {
			if got := s.ask(s.authorized(b, "GET "+path) + "\r\n").Status; got != 400 && got != 404 {
				t.Errorf("%s: %d, want 400", path, got)
			}
		})
	}
}

// PRX-13: TRACE and CONNECT do not reach an upstream.
func TestTraceAndConnectReachNoUpstream(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	for _, line := range []string{"TRACE /api/x", "CONNECT /api/x", "CONNECT " + s.host()} {
		s.unseen(func() {
			if got := s.ask(s.authorized(b, line) + "\r\n").Status; got < 400 {
				t.Errorf("%s: %d", line, got)
			}
		})
	}
}

// CK-04: two session cookies are 400, in one header or in two. CK-05: a heap of cookies is 431, and sign-out still clears ours.
func TestTooManyCookies(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	pair := browse.SessionCookie + "=" + strings.Repeat("A", 43)
	s.unseen(func() {
		one := strings.Replace(s.authorized(b, "GET /api/x"), "Cookie: ", "Cookie: "+pair+"; ", 1)
		two := s.authorized(b, "GET /api/x") + "Cookie: " + pair + "\r\n"
		for name, head := range map[string]string{"in one header": one, "in two headers": two} {
			if got := s.ask(head + "\r\n").Status; got != 400 {
				t.Errorf("two session cookies %s: %d, want 400", name, got)
			}
		}
		out := strings.Replace(two, "GET /api/x", "POST /bff/logout", 1)
		a := s.ask(out + "\r\n")
		if cleared := a.Header.Get("Set-Cookie"); a.Status != 200 || !strings.HasPrefix(cleared, browse.SessionCookie+"=;") {
			t.Errorf("sign-out with two session cookies: %d, Set-Cookie %q", a.Status, cleared)
		}
		heap := strings.Repeat("a=0123456789012345678901234567890123456789;", 800)
		if got := s.ask("GET /api/x HTTP/1.1\r\nHost: " + s.host() + "\r\nCookie: " + heap + "\r\n\r\n").Status; got != 431 {
			t.Errorf("a heap of cookies: %d, want 431", got)
		}
	})
	s.get(b, "/api/x", 401) // the sign-out ended both
}
