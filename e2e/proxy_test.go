package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/tokscan"
	"cloakroom/e2e/up"
)

// lastSeen returns what the upstream was asked last at a target.
func (s *story) lastSeen(target string) up.Request {
	s.Helper()
	seen := s.Upstream.Seen()
	for i := len(seen) - 1; i >= 0; i-- {
		if seen[i].Target == target {
			return seen[i]
		}
	}
	s.Fatalf("upstream saw nothing for %s", target)
	return up.Request{}
}

// unseen demands that the upstream was not asked while f ran.
func (s *story) unseen(f func()) {
	s.Helper()
	before := len(s.Upstream.Seen())
	f()
	if got := s.Upstream.Seen(); len(got) != before {
		s.Errorf("upstream saw %s %s", got[len(got)-1].Method, got[len(got)-1].Target)
	}
}

// PRX-02, PRX-40, BBA-6.1-19: what a client says about itself or about the connection does not reach the upstream.
func TestAClientCannotSpeakForTheServer(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	lies := []string{
		"Authorization: Bearer attacker-chosen-token", "Connection: close, authorization, x-forwarded-for",
		"X-User-Id: admin", "X_User_Id: admin", "X-Forwarded-User: admin", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil.test",
		"X-Forwarded-Proto: gopher", "X-Forwarded-Prefix: /evil", "Forwarded: for=6.6.6.6", "X-Real-Ip: 6.6.6.6",
		"X-Auth-Request-Email: admin@example.test", "X-Original-Url: /admin", "X-Rewrite-Url: /admin", "X-Http-Method-Override: DELETE",
		"Proxy: evil.test", "True-Client-Ip: 6.6.6.6", "Cf-Connecting-Ip: 6.6.6.6", "X-Ssl-Client-Cert: evil",
	}
	s.fetch(b, "GET", "/api/lies", 200, lies...)
	seen := s.lastSeen("/v1/lies")
	for _, h := range seen.Headers {
		for _, lie := range []string{"attacker-chosen-token", "admin", "6.6.6.6", "evil", "gopher", "DELETE"} {
			if strings.Contains(h[1], lie) {
				t.Errorf("upstream saw %s: %s", h[0], h[1])
			}
		}
	}
	if seen.Bearer() == "" {
		t.Error("upstream saw no bearer, or several")
	}
	if via := seen.Values("Via"); len(via) != 1 {
		t.Errorf("Via: %q, want one", via)
	}
}

// CK-07, HDR-09, HDR-08: what an upstream says in the server's name does not reach the browser.
func TestAnUpstreamCannotSpeakForTheServer(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	ticket := b.Ticket()
	a := s.get(b, "/api/hostile", 200) // the rules for every answer check the rest
	for _, name := range []string{"Set-Cookie", "Clear-Site-Data", "WWW-Authenticate", "X-Cloakroom"} {
		if v := a.Header.Values(name); len(v) > 0 {
			t.Errorf("%s: %q", name, v)
		}
	}
	if got := a.Header.Get("Referrer-Policy"); got == "unsafe-url" {
		t.Error("the upstream chose the Referrer-Policy")
	}
	if got := a.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("Cache-Control: %q for an authenticated answer", got)
	}
	if b.Ticket() != ticket {
		t.Error("the upstream changed the ticket")
	}
}

// PRX-45, ERR-01: an upstream that breaks off, or is not there, is no success and tells nothing about itself.
func TestAnUpstreamThatFails(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	if a, err := b.Fetch(s.ctx, "GET", "/api/abort", ""); err == nil {
		t.Errorf("a broken-off answer arrived as a whole: %d %q", a.Status, a.Body)
	}
	for _, status := range []int{404, 418, 500, 503} { // the upstream's own answers pass
		s.get(b, fmt.Sprint("/api/status/", status), status)
	}
	s.get(b, "/api/big", 200)
	dead := s.get(b, "/dead/x", 502)
	s.problem(dead, "upstream_failed")
	if strings.Contains(dead.Body, "127.0.0.1") || strings.Contains(dead.Body, "refused") {
		t.Errorf("the answer tells about the upstream: %s", dead.Body)
	}
}

// CSRF-01..03, BBA-6.1-13, CSRF-10: what another site, a sibling or nobody in particular sends with the user's cookie is refused
// before it reaches the upstream, whatever the method.
func TestCrossSiteRequestsAreRefused(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	const none, csrf = "Sec-Fetch-Site: ", "X-Csrf: 1"
	cases := []struct {
		name    string
		header  []string
		allowed bool
	}{
		{"another site", []string{"Sec-Fetch-Site: same-site", "Origin: http://b.localhost"}, false},
		{"another site by fetch metadata alone", []string{"Sec-Fetch-Site: same-site"}, false},
		{"no metadata, Origin null", []string{none, "Origin: null"}, false},
		{"no metadata, another port", []string{none, "Origin: http://localhost:1"}, false},
		{"no metadata, another scheme", []string{none, "Origin: " + strings.Replace(s.PublicURL, "http", "https", 1)}, false},
		{"no metadata, no Origin, no header", []string{none, "Origin: "}, false},
		{"no metadata, our Origin", []string{none, "Origin: " + s.PublicURL}, true},
		{"no metadata, no Origin, our header", []string{none, "Origin: ", csrf}, true},
		{"metadata of another site with our header", []string{"Sec-Fetch-Site: same-site", csrf}, false},
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		for _, c := range cases {
			t.Run(method+" "+c.name, func(t *testing.T) {
				s := &story{t, s.Stack, s.ctx}
				if c.allowed {
					s.fetch(b, method, "/api/x", 200, c.header...)
					return
				}
				s.unseen(func() { s.fetch(b, method, "/api/x", 403, c.header...) })
			})
		}
	}
}

// BBA-6.1-14: a preflight of a foreign origin is not approved and does not reach the upstream.
func TestAPreflightIsNotApproved(t *testing.T) {
	s := onUsual(t)
	s.unseen(func() {
		a, err := s.browser().Fetch(s.ctx, "OPTIONS", "/api/x", "", "Origin: https://evil.test", "Sec-Fetch-Site: cross-site",
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-csrf")
		s.check(err)
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-Allow-") {
				t.Errorf("%d with %s", a.Status, name)
			}
		}
	})
}

// SSE-01, SES-25: an event is with the browser before the upstream sends the next one; nothing of the stream is stored.
func TestEventsArriveAsTheyAreSent(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	gate := s.Upstream.Hold("sse")
	req, err := http.NewRequestWithContext(s.ctx, "GET", s.PublicURL+"/api/sse", nil)
	s.check(err)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Accept", "text/event-stream")
	res, err := b.Send(req, false, false)
	s.check(err)
	defer res.Body.Close()
	if got := res.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("Cache-Control: %q", got)
	}
	lines := bufio.NewScanner(res.Body)
	var events []string
	read := func() string {
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				events = append(events, text)
				return text
			}
		}
		return ""
	}
	if got := read(); got != "first" {
		t.Errorf("first event: %q", got)
	}
	gate.Release()
	if got := read(); got != "second" {
		t.Errorf("second event: %q", got)
	}
	shared.witness.Keep("GET /api/sse", res.StatusCode, res.Header, strings.Join(events, "\n"))
}

// dial opens a WebSocket with the browser's cookies.
func (s *story) dial(b *browse.Browser, origin string) (*websocket.Conn, int) {
	s.Helper()
	h := http.Header{"Cookie": {browse.SessionCookie + "=" + b.Ticket()}}
	if b.Ticket() == "" {
		h = http.Header{}
	}
	if origin != "" {
		h.Set("Origin", origin)
	}
	c, res, err := websocket.Dial(s.ctx, strings.Replace(s.PublicURL, "http", "ws", 1)+"/api/ws", &websocket.DialOptions{HTTPHeader: h})
	if res == nil {
		s.Fatal(err)
	}
	shared.witness.Keep("GET /api/ws", res.StatusCode, res.Header, "")
	return c, res.StatusCode
}

// WS-01, WS-03: a WebSocket needs the right Origin and a session before the upstream hears of it; then messages pass both ways.
func TestWebSocketsNeedTheRightOrigin(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	for name, origin := range map[string]string{
		"another site": "https://evil.test", "null": "null", "none": "", "another port": "http://localhost:1",
		"a longer name": s.PublicURL + ".evil.test", "another scheme": strings.Replace(s.PublicURL, "http", "https", 1),
	} {
		s.unseen(func() {
			if _, status := s.dial(b, origin); status != 403 {
				t.Errorf("%s: %d, want 403", name, status)
			}
		})
	}
	s.unseen(func() {
		if _, status := s.dial(s.browser(), s.PublicURL); status != 401 {
			t.Errorf("without a session: %d, want 401", status)
		}
	})
	c, status := s.dial(b, s.PublicURL)
	if status != 101 {
		t.Fatalf("%d, want 101", status)
	}
	defer c.CloseNow()
	for _, message := range []string{"hello", strings.Repeat("x", 30000)} {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		s.check(c.Write(ctx, websocket.MessageText, []byte(message)))
		_, got, err := c.Read(ctx)
		s.check(err)
		if string(got) != message {
			t.Errorf("sent %d bytes, got %d back", len(message), len(got))
		}
		shared.corpus.See(tokscan.Answer, "frame of /api/ws", got)
	}
	seen := s.lastSeen("/v1/ws")
	if seen.Bearer() == "" || len(seen.Values("Cookie")) > 0 {
		t.Errorf("upstream saw %v", names(seen))
	}
}

// PRX-23, AUN-02: nothing that a client adds makes a protected path public.
func TestNothingAClientAddsMakesAPathPublic(t *testing.T) {
	s := onUsual(t)
	b := s.browser()
	for _, c := range [][]string{
		{"/api/private?x=/public/"}, {"/api/private", "User-Agent: GoogleHC/1.0"}, {"/api/private", "X-Forwarded-Uri: /public/x"},
		{"/api/private", "X-Original-Url: /public/x"}, {"/api/private", "Authorization: Bearer x"}, {"/api/private", "X-Rewrite-Url: /public/x"},
	} {
		s.unseen(func() { s.fetch(b, "GET", c[0], 401, c[1:]...) })
	}
}

// A route with auth: optional knows a signed-in user and serves everybody; a cross-site request is anonymous there.
func TestAnOptionalRouteKnowsBoth(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("alice")
	s.get(b, "/maybe/known", 200)
	if s.lastSeen("/maybe/known").Bearer() == "" {
		t.Error("a signed-in user came without a bearer")
	}
	s.get(s.browser(), "/maybe/stranger", 200)
	s.fetch(b, "GET", "/maybe/foreign", 200, "Sec-Fetch-Site: same-site")
	for _, target := range []string{"/maybe/stranger", "/maybe/foreign"} {
		if slices.Contains(names(s.lastSeen(target)), "Authorization") {
			t.Errorf("%s came with a bearer", target)
		}
	}
}
