package bff

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/idp"
	"cloakroom/configs"
	"cloakroom/session"
)

// halfway is a store that fails one kind of write, as if it died in the middle of a sign-in.
type halfway struct {
	session.Store
	create, end atomic.Bool
}

var errDied = errors.New("connection refused")

func (s *halfway) Create(ctx context.Context, id session.ID, rec session.Record, expires time.Time) error {
	if s.create.Load() {
		return errDied
	}
	return s.Store.Create(ctx, id, rec, expires)
}

func (s *halfway) End(ctx context.Context, id session.ID, mark time.Duration, reason string) (bool, error) {
	if s.end.Load() {
		return false, errDied
	}
	return s.Store.End(ctx, id, mark, reason)
}

// Law 5, SES-10: a store that dies in the middle of a sign-in leaves the browser what it had. The code is spent, so the page leads to a new sign-in,
// to the same place.
func TestStoreDiesDuringTheSignIn(t *testing.T) {
	for name, fail := range map[string]func(*halfway) *atomic.Bool{
		"before the session is written": func(s *halfway) *atomic.Bool { return &s.create },
		"before the old one is ended":   func(s *halfway) *atomic.Bool { return &s.end },
	} {
		t.Run(name, func(t *testing.T) {
			store := new(halfway)
			h := newHouseUnready(t, nil, func(st session.Store) session.Store { store.Store = st; return store })
			b := h.browser()
			b.signIn("/bff/login")
			before := b.cookie(ticketCookie)
			callback := b.authorize("/bff/login?return_to=/orders")
			fail(store).Store(true)
			res := b.visit(callback, "cross-site")
			if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || res.Header.Get("Set-Cookie") != "" || b.cookie(ticketCookie) != before {
				t.Errorf("%d, Retry-After %q, %d cookies set", res.StatusCode, res.Header.Get("Retry-After"), len(res.Cookies()))
			}
			if !strings.Contains(res.body, "/bff/login?provider=main&amp;return_to=%2Forders") {
				t.Errorf("no way to start over:\n%s", res.body)
			}
			fail(store).Store(false)
			if !b.user().Authenticated {
				t.Error("the outage signed the user out")
			}
			b.signIn("/bff/login")
			if after := b.cookie(ticketCookie); after == before || !b.user().Authenticated {
				t.Error("the sign-in after the outage did not work")
			}
		})
	}
}

// A replica that does not know the provider yet spends neither state nor code: the same callback works where, or once, it is known.
func TestCallbackBeforeTheProviderIsKnown(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	callback := b.authorize("/bff/login?return_to=/x")
	fresh, err := New(h.server.current.Load().cfg, Options{Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fresh.close)
	fresh.store.Close()
	fresh.store = unclosed{h.server.store}
	if err := fresh.wireManager(); err != nil {
		t.Fatal(err)
	}
	req, answer := httptest.NewRequest("GET", callback, nil), httptest.NewRecorder()
	for i, value := range navigation("cross-site") {
		if i%2 == 1 {
			req.Header.Set(navigation("cross-site")[i-1], value)
		}
	}
	u := mustURL(t, strings.Replace(h.origin, "http://", "https://", 1))
	for _, c := range b.jar.Cookies(u) {
		req.AddCookie(c)
	}
	fresh.Handler().ServeHTTP(answer, req)
	if answer.Code != 503 || answer.Header().Get("Set-Cookie") != "" {
		t.Errorf("%d, Set-Cookie %t", answer.Code, answer.Header().Get("Set-Cookie") != "")
	}
	if res := b.visit(callback, "cross-site"); res.StatusCode != 200 || !b.user().Authenticated {
		t.Errorf("the same callback where the provider is known: %d", res.StatusCode)
	}
}

// unclosed is a store that two servers share.
type unclosed struct{ session.Store }

func (unclosed) Close() error { return nil }

// SES-03: of two tabs that sign in side by side, the second ends the first one's session: it is the browser's only one from then on.
// From a provider of another site the callback arrives without the Strict cookie, and ends it all the same.
func TestTheSlowerTabReplacesTheFasterOne(t *testing.T) {
	h := newHouse(t, nil)
	for _, site := range []string{"same-site", "cross-site"} {
		b := h.browser()
		one, two := b.authorize("/bff/login"), b.authorize("/bff/login")
		b.visit(one, site)
		first := b.cookie(ticketCookie)
		if site == "cross-site" {
			b.jar.SetCookies(mustURL(t, strings.Replace(h.origin, "http:", "https:", 1)), []*http.Cookie{{Name: ticketCookie, MaxAge: -1, Path: "/", Secure: true}})
		}
		b.visit(two, site)
		if second := b.cookie(ticketCookie); first == "" || second == first || !b.user().Authenticated {
			t.Fatal("the tabs did not sign in")
		}
		if res := h.browser().do("GET", "/api/x", nil, "Cookie", ticketCookie+"="+first, "X-Csrf", "1"); res.StatusCode != 401 {
			t.Errorf("%s: the first tab's ticket: %d", site, res.StatusCode)
		}
	}
}

// A sign-in whose parameters just fit into its cookie can be finished.
func TestLargestSignInCanBeFinished(t *testing.T) {
	h := newHouse(t, nil)
	for n := 300; ; n++ { // each & is six characters in the sealed JSON
		b := h.browser()
		target := "/bff/login?return_to=" + url.QueryEscape("/?"+strings.Repeat("&", n))
		if b.visit(target, "none").StatusCode != 303 {
			return // it does not even begin
		}
		if res := b.visit(b.authorize(target), "cross-site"); res.StatusCode != 200 {
			t.Fatalf("%d times &: %d", n, res.StatusCode)
		}
	}
}

// BCP-08, BCP-09: with two providers, an answer that says that it is the other one's is refused before any code is spent.
// BCP-31: what a provider's error says is neither shown nor logged.
func TestAnswersOfAnotherProviderAndErrors(t *testing.T) {
	other, err := idp.Start("127.0.0.1:0", idp.Options{Clients: []idp.Client{{ID: "spa", Secret: "m7Qv2kXw9RtB4nLzD1sYhJ6p", RedirectURIs: []string{"http://localhost/x"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	h := newHouse(t, func(c *configs.Config) {
		second := c.Providers["main"]
		second.Issuer = other.Issuer()
		c.Providers["other"], c.DefaultProvider = second, "main"
	})
	for _, c := range []struct {
		reason string
		change func(url.Values)
	}{
		{"response_issuer_mismatch", func(q url.Values) { q.Set("iss", other.Issuer()) }},
		{"response_issuer_missing", func(q url.Values) { q.Del("iss") }},
		{"response_issuer_mismatch", func(q url.Values) { q.Set("iss", other.Issuer()); q.Set("error", "access_denied") }},
		{"provider_error", func(q url.Values) {
			q.Set("error", "<script>foreign")
			q.Set("error_description", "foreign"+strings.Repeat("x", 9000))
		}},
		{"access_denied", func(q url.Values) { q.Set("error", "access_denied"); q.Set("error_description", "foreign\r\nX: y") }},
	} {
		b := h.browser()
		callback := mustURL(t, b.authorize("/bff/login?return_to=/x"))
		q := callback.Query()
		c.change(q)
		res := b.visit("/bff/callback?"+q.Encode(), "cross-site")
		if res.StatusCode != 400 || len(res.body) > 8<<10 || strings.Contains(res.body, "foreign") || b.cookie(ticketCookie) != "" {
			t.Errorf("%s: %d, %d bytes", c.reason, res.StatusCode, len(res.body))
		}
		if !strings.Contains(res.body, "return_to=%2Fx") {
			t.Errorf("%s: the way back is lost", c.reason)
		}
		refused := h.events("sign_in_refused")
		if got := refused[len(refused)-1]["reason"]; got != c.reason {
			t.Errorf("reason %v, want %s", got, c.reason)
		}
	}
	// The other provider has a callback of its own: an answer that arrives there was never this one's, even if neither says who it is (RFC 9700, section 4.4).
	b := h.browser()
	callback := b.authorize("/bff/login?return_to=/x")
	res := b.visit(strings.Replace(callback, "/bff/callback?", "/bff/callback/other?", 1), "cross-site")
	refused := h.events("sign_in_refused")
	if got := refused[len(refused)-1]["reason"]; res.StatusCode != 400 || got != "response_of_another_provider" {
		t.Errorf("on the other one's callback: %d, %v", res.StatusCode, got)
	}
	if res := b.visit(callback, "cross-site"); res.StatusCode != 200 { // nothing was spent by it
		t.Errorf("on its own callback: %d", res.StatusCode)
	}
	start := h.browser().visit("/bff/login?provider=other", "none")
	if got := mustURL(t, start.Header.Get("Location")).Query().Get("redirect_uri"); got != h.origin+"/bff/callback/other" {
		t.Errorf("the other one's redirect_uri: %q", got)
	}
	if strings.Contains(h.log.String(), "foreign") {
		t.Error("the log repeats what came through the browser")
	}
}

// BCP-18: the URL of a callback holds the code and the state; no page that it answers with names it as the next request's Referer, where
// an upstream of pages, or any script of the app, could read it. Only a page with a form says where it is from, or its POST would have Origin: null.
func TestPagesKeepTheirURLToThemselves(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	callback := b.authorize("/bff/login?return_to=/pages/x")
	for _, c := range []struct {
		name string
		got  answer
		want string
	}{
		{"a refused callback", h.browser().visit(callback, "cross-site"), "no-referrer"},
		{"the bounce after the callback", b.visit(callback, "cross-site"), "no-referrer"},
		{"the bounce after a callback that came again", b.visit(callback, "cross-site"), "no-referrer"},
		{"the bounce to a page", b.visit("/pages/x?secret=1", "cross-site"), "no-referrer"},
		{"the page with the sign-out button", b.visit("/bff/logout", "none"), "same-origin"},
		{"the bounce to the provider", b.do("POST", "/bff/logout", nil, append(navigation("same-origin"), "Origin", h.origin)...), "no-referrer"},
	} {
		if got := c.got.Header.Get("Referrer-Policy"); got != c.want {
			t.Errorf("%s (%d): Referrer-Policy %q, want %q", c.name, c.got.StatusCode, got, c.want)
		}
	}
}
