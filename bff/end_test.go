package bff

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/session"
)

// A form's sign-out bounces to the provider, because a form's CSP forbids a redirect off this origin.
func TestSignOutFromThePage(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	shown := b.visit("/bff/logout", "none")
	if !strings.Contains(shown.body, `method="post"`) || !strings.Contains(shown.Header.Get("Content-Security-Policy"), "form-action 'self'") {
		t.Fatalf("the page has no form that works: %s\n%s", shown.Header.Get("Content-Security-Policy"), shown.body)
	}
	if !b.user().Authenticated {
		t.Fatal("looking at the page signed out") // RPL-01
	}
	res := b.do("POST", "/bff/logout", nil, append(navigation("same-origin"), "Origin", h.origin)...)
	if res.StatusCode != 200 || !strings.HasPrefix(refreshTo(res), h.idp.Issuer()) {
		t.Errorf("%d, moves on to %q; want the provider", res.StatusCode, refreshTo(res))
	}
	if b.user().Authenticated {
		t.Error("still signed in")
	}
}

// Whoever signs out with two tickets, of which one was planted, ends both; a session that this replica cannot open is ended all the same.
func TestSignOutEndsWhateverTheTicketsName(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	ticket := b.cookie(ticketCookie)
	two := ticketCookie + "=" + strings.Repeat("A", 43) + "; " + ticketCookie + "=" + ticket
	if res := h.browser().do("POST", "/bff/logout", nil, "Cookie", two, "X-Csrf", "1"); res.StatusCode != 200 {
		t.Fatalf("sign-out: %d", res.StatusCode)
	}
	if b.user().Authenticated {
		t.Error("the session goes on")
	}
}

// A request whose session was replaced while it was under way does not take the new session's cookie away.
func TestLateRequestLeavesTheNewCookie(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	old := b.cookie(ticketCookie)
	b.signIn("/bff/login")
	if res := h.browser().do("GET", "/api/x", nil, "Cookie", ticketCookie+"="+old, "X-Csrf", "1"); res.StatusCode != 401 || len(res.Cookies()) != 0 {
		t.Errorf("%d, %d cookies set", res.StatusCode, len(res.Cookies()))
	}
}

// BCL-01, BCL-20, BCL-24: the provider ends the session without a browser; its next sign-in works.
func TestBackChannelLogoutFromTheProvider(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	b.signOutAtProvider()
	h.eventually("the back-channel logout arrived", func() bool { return len(h.events("backchannel_logout")) == 1 })
	if b.user().Authenticated {
		t.Error("still signed in")
	}
	if res := b.fetch("GET", "/api/x"); res.StatusCode != 401 {
		t.Errorf("an API call afterwards: %d", res.StatusCode)
	}
}

// signOutAtProvider presses the button of the provider's own page.
func (b *browser) signOutAtProvider() {
	b.t.Helper()
	home := b.visit(b.idp.Issuer()+"/", "none")
	form := formAction.FindStringSubmatch(home.body)
	if form == nil {
		b.t.Fatalf("the provider's home page has no way to sign out: %d\n%s", home.StatusCode, home.body)
	}
	action, err := home.Request.URL.Parse(form[1])
	if err != nil {
		b.t.Fatal(err)
	}
	res := b.do("POST", action.String(), strings.NewReader(hiddenFields(home.body)),
		append(navigation("same-origin"), "Content-Type", "application/x-www-form-urlencoded", "Origin", b.idp.Issuer())...)
	if res.StatusCode >= 400 {
		b.t.Fatalf("sign-out at the provider: %d\n%s", res.StatusCode, res.body)
	}
}

// BCL-23, law 5: an end that the store does not take is not acknowledged, to the browser or to the provider, and takes no cookie.
func TestEndThatCannotBeWritten(t *testing.T) {
	store := new(halfway)
	h := newHouseUnready(t, nil, func(st session.Store) session.Store { store.Store = st; return store })
	b := h.browser()
	b.signIn("/bff/login")
	store.end.Store(true)
	if res := b.fetch("POST", "/bff/logout"); res.StatusCode != 503 || res.Header.Get("Set-Cookie") != "" || res.Header.Get("Clear-Site-Data") != "" || res.Header.Get("Retry-After") == "" {
		t.Errorf("sign-out: %d %q", res.StatusCode, res.Header)
	}
	b.signOutAtProvider()
	h.eventually("the provider was told to try again", func() bool {
		return strings.Contains(h.log.String(), `"route":"bff/backchannel","status":503`)
	})
	if !b.user().Authenticated || len(h.events("sign_out"))+len(h.events("backchannel_logout")) != 0 {
		t.Error("an end that was not written was acknowledged")
	}
	store.end.Store(false)
	if res := b.fetch("POST", "/bff/logout"); res.StatusCode != 200 || b.user().Authenticated {
		t.Errorf("sign-out afterwards: %d", res.StatusCode)
	}
}

// BCL-17, BCL-18, BCL-19: what is no logout request gets 400 in the specification's form, uncached, and has no effect.
func TestBackChannelRefusals(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct{ name, method, path, contentType, body string }{
		{"nothing", "POST", "/bff/backchannel", form, ""},
		{"no token", "POST", "/bff/backchannel", form, "logout_token="},
		{"two tokens", "POST", "/bff/backchannel", form, "logout_token=a&logout_token=b"},
		{"a token in the query", "POST", "/bff/backchannel?logout_token=a", form, ""},
		{"JSON", "POST", "/bff/backchannel", "application/json", `{"logout_token":"a"}`},
		{"no JWT", "POST", "/bff/backchannel", form, "logout_token=a.b.c"},
		{"too long", "POST", "/bff/backchannel", form, "logout_token=" + strings.Repeat("a", maxLogoutBody)},
		{"an unsigned token", "POST", "/bff/backchannel", form, "logout_token=eyJhbGciOiJub25lIn0.e30."},
	} {
		res := b.do(c.method, c.path, strings.NewReader(c.body), "Content-Type", c.contentType)
		if res.StatusCode != 400 || answerField(t, res, "error") != "invalid_request" || answerField(t, res, "code") != "bad_logout_token" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", c.name, res.StatusCode, res.body)
		}
	}
	if res := b.do("GET", "/bff/backchannel?logout_token=a", nil); res.StatusCode != 405 {
		t.Errorf("GET: %d", res.StatusCode)
	}
	// CSRF-06: the exemption is for that path alone.
	for _, path := range []string{"/bff/backchannel/", "/bff/backchannel/x"} {
		if res := b.do("POST", path, nil); res.StatusCode != 404 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if !b.user().Authenticated {
		t.Error("a refused logout signed out")
	}
}

func TestKeepalive(t *testing.T) {
	h := newHouse(t, nil)
	if res := h.browser().fetch("POST", "/bff/keepalive"); res.StatusCode != 401 {
		t.Errorf("without a session: %d", res.StatusCode)
	}
	b := h.browser()
	b.signIn("/bff/login")
	if res := b.fetch("POST", "/bff/keepalive"); res.StatusCode != 204 {
		t.Errorf("with one: %d", res.StatusCode)
	}
}

// Readiness, metrics and liveness are on the admin listener alone (LOG-06).
func TestAdminListener(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	b.fetch("GET", "/api/x")
	b.fetch("POST", "/bff/logout")
	var metrics strings.Builder
	h.eventually("the metrics tell what happened", func() bool {
		metrics.Reset()
		res := h.get(h.admin + "/metrics")
		defer res.Body.Close()
		res.Write(&metrics)
		for _, line := range []string{
			`cloakroom_requests_total{route="/api/",status="200"} 1`, `cloakroom_sessions_started_total 1`, `cloakroom_sessions_ended_total{reason="logout"} 1`,
			`cloakroom_requests_total{route="bff/callback",status="200"} 1`, `cloakroom_upstream_seconds_count{route="/api/"} 1`, `cloakroom_own_seconds_count{route="/api/"} 1`,
		} {
			if !strings.Contains(metrics.String(), line) {
				return false
			}
		}
		return true
	})
	ready := h.get(h.admin + "/readyz")
	var lines strings.Builder
	ready.Write(&lines)
	if !strings.Contains(lines.String(), "store: ok\nprovider main: ok\n") {
		t.Errorf("readiness: %s", lines.String())
	}
	for _, path := range []string{"/metrics", "/readyz", "/livez", "/debug/pprof/"} {
		if res := b.fetch("GET", path); res.StatusCode != 404 {
			t.Errorf("%s on the public listener: %d", path, res.StatusCode)
		}
	}
}

// A prober that hangs up learns nothing, and spoils nothing for the next one.
func TestReadinessIsNobodysRequest(t *testing.T) {
	hungUp, cancel := context.WithCancel(t.Context())
	cancel()
	var c readiness
	ask := func(ctx context.Context) error { return ctx.Err() }
	for i, ctx := range []context.Context{hungUp, t.Context()} {
		if err := c.check(ctx, ask); err != nil {
			t.Errorf("prober %d hears: %v", i+1, err)
		}
	}
}

// CFG-03: readiness says no first, requests in flight finish, then the server is gone.
func TestDrain(t *testing.T) {
	h := newHouse(t, nil)
	entered, release := h.upstream.hold()
	got := make(chan int, 1)
	go func() { got <- h.browser().fetch("GET", "/public/slow").StatusCode }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- h.stop() }()
	h.eventually("readiness says no", func() bool { return h.get(h.admin+"/readyz").StatusCode == http.StatusServiceUnavailable })
	select {
	case err := <-stopped:
		t.Fatalf("it stopped with a request in flight: %v", err)
	default:
	}
	close(release)
	if status := <-got; status != 200 {
		t.Errorf("the request in flight: %d", status)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := http.Get(h.origin + "/public/x"); err == nil {
		t.Error("it still answers")
	}
}

// RPL-08: a revocation that fails is tried again, and closing waits for the ones under way.
func TestRevokerTriesAgain(t *testing.T) {
	tries := make(chan revocation)
	fail := true
	v := newRevoker(discard(), revocations{count: func(string) {}, revoke: func(_ context.Context, r revocation) error {
		tries <- r
		if fail {
			fail = false
			return errors.New("503")
		}
		return nil
	}})
	v.firstWait = time.Millisecond
	v.add(&session.Session{Provider: "main", Tokens: session.Tokens{Access: "a", Refresh: "r"}})
	for range 2 {
		if r := <-tries; r.token != "r" || r.hint != "refresh_token" {
			t.Errorf("revoked %q", r.hint)
		}
	}
	v.add(&session.Session{Provider: "main", Tokens: session.Tokens{Access: "a"}})
	if r := <-tries; r.hint != "access_token" {
		t.Errorf("without a refresh token: %q", r.hint)
	}
	v.close(t.Context())
}

// A provider that never comes back does not keep the server from stopping; that a token is still good there is an event (LOG-01).
func TestRevokerGivesUp(t *testing.T) {
	var log syncBuffer
	failed := 0
	v := newRevoker(slog.New(slog.NewJSONHandler(&log, nil)), revocations{
		count:  func(string) { failed++ },
		revoke: func(context.Context, revocation) error { return errors.New("down") },
	})
	v.add(&session.Session{Provider: "main", Tokens: session.Tokens{Refresh: "r"}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	v.close(ctx)
	if got := log.String(); strings.Count(got, `"event":"revocation_failed"`) != 1 || !strings.Contains(got, `"hint":"refresh_token"`) {
		t.Errorf("log: %s", got)
	}
}

func TestBrowserNames(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36":                                   "Chrome on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0":                                                        "Firefox on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"": "Browser", "curl/8.0": "curl",
	} {
		if got := browserName(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
