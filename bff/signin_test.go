package bff

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"cloakroom/configs"
)

const ticketCookie = "__Host-Http-session"

func TestSignInCallAndSignOut(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	if u := b.user(); u.Authenticated || u.Login != "/bff/login" {
		t.Errorf("before sign-in: %+v", u)
	}
	if res := b.fetch("GET", "/api/orders"); res.StatusCode != 401 || !strings.Contains(res.body, `"login":"/bff/login"`) || h.upstream.count() != 0 {
		t.Errorf("a script without a session: %d %s, upstream hits %d; want 401 with login and none", res.StatusCode, res.body, h.upstream.count()) // BBA-6.1-29
	}
	landed := b.signIn("/bff/login?return_to=/orders%3Fpage=2%23top")
	if to := refreshTo(landed); to != "/orders?page=2#top" {
		t.Errorf("the bounce leads to %q, want the page where the sign-in began, with its fragment", to)
	}
	if got := landed.Header.Get("Cache-Control"); got != "no-store" { // HDR-08, BCP-18
		t.Errorf("callback: Cache-Control %q", got)
	}
	u := b.user()
	if !u.Authenticated || u.Subject == "" || u.Session.ExpiresIn <= 0 || u.Session.IdleExpiresIn <= 0 || len(u.Session.ID) != 11 {
		t.Errorf("signed in: %+v %+v", u, u.Session)
	}
	res := b.fetch("GET", "/api/orders?x=1;y=2", "Authorization", "Bearer attacker", "X-User-Id", "root")
	up := h.upstream.last()
	if res.StatusCode != 200 || up == nil {
		t.Fatalf("proxied call: %d %s", res.StatusCode, res.body)
	}
	if bearer := up.Header.Values("Authorization"); len(bearer) != 1 || !strings.HasPrefix(bearer[0], "Bearer ey") { // BBA-6.1-19
		t.Error("the upstream did not get exactly the session's bearer")
	}
	for _, name := range []string{"Cookie", "X-User-Id"} { // BBA-6.1-18
		if up.Header.Get(name) != "" {
			t.Errorf("the upstream got %s", name)
		}
	}
	if up.RequestURI != "/api/orders?x=1;y=2" {
		t.Errorf("the upstream was asked for %s", up.RequestURI)
	}
	old := b.cookie(ticketCookie)
	out := b.fetch("POST", "/bff/logout")
	location := answerField(t, out, "location")
	if out.StatusCode != 200 || !strings.HasPrefix(location, h.idp.Issuer()) {
		t.Errorf("logout: %d, location %q; want the provider's end-session URL", out.StatusCode, location)
	}
	if got := out.Header.Get("Clear-Site-Data"); got != `"cache", "storage"` { // RPL-09
		t.Errorf("Clear-Site-Data: %q", got)
	}
	q := mustURL(t, location).Query() // RPL-05, RPL-06
	if q.Get("id_token_hint") != "" || q.Get("client_id") != "spa" || q.Get("post_logout_redirect_uri") != h.origin+"/bff/logout" || q.Get("state") == "" {
		t.Errorf("end-session parameters: %v", q)
	}
	if b.cookie(ticketCookie) != "" { // RPL-04
		t.Error("the browser still has the ticket")
	}
	if res := b.do("GET", "/api/orders", nil, "Cookie", ticketCookie+"="+old, "Sec-Fetch-Site", "same-origin"); res.StatusCode != 401 { // RPL-02
		t.Errorf("the old ticket after sign-out: %d", res.StatusCode)
	}
	if res := b.fetch("POST", "/bff/logout"); res.StatusCode != 200 || answerField(t, res, "location") != "/" { // RPL-10
		t.Errorf("a second sign-out: %d %s", res.StatusCode, res.body)
	}
	back := b.visit("/bff/logout?state="+url.QueryEscape(q.Get("state")), "cross-site")
	if refreshTo(back) != "/" {
		t.Errorf("back from the provider: %s", back.body)
	}
	if wrong := b.visit("/bff/logout?state=forged", "cross-site"); refreshTo(wrong) != "" || !strings.Contains(wrong.body, "<form") {
		t.Error("a forged state moved the browser on")
	}
	if len(h.events("sign_in")) != 1 || len(h.events("sign_out")) != 1 {
		t.Errorf("want one record each of sign_in and sign_out:\n%s", h.log)
	}
}

// SES-03: a new ticket at every sign-in; the one that it replaces is dead.
func TestSecondSignInReplacesTheFirst(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	first := b.cookie(ticketCookie)
	b.fetch("GET", "/bff/user")
	b.signIn("/bff/login")
	if second := b.cookie(ticketCookie); second == first || second == "" {
		t.Error("the ticket did not change")
	}
	if res := b.do("GET", "/api/x", nil, "Cookie", ticketCookie+"="+first, "X-Csrf", "1"); res.StatusCode != 400 && res.StatusCode != 401 {
		t.Errorf("the replaced ticket: %d", res.StatusCode)
	}
	if res := h.browser().do("GET", "/api/x", nil, "Cookie", ticketCookie+"="+first, "X-Csrf", "1"); res.StatusCode != 401 {
		t.Errorf("the replaced ticket alone: %d", res.StatusCode)
	}
}

// BCP-02, BCP-25: a callback belongs to the browser that began the sign-in.
func TestForeignCallbackIsRefused(t *testing.T) {
	h := newHouse(t, nil)
	callback := h.browser().authorize("/bff/login")
	for _, victim := range []struct {
		name    string
		prepare func(*browser)
	}{
		{"without cookies", func(*browser) {}},
		{"with a live session", func(b *browser) { b.signIn("/bff/login") }},
		{"with an own sign-in under way", func(b *browser) { b.visit("/bff/login", "none") }},
	} {
		t.Run(victim.name, func(t *testing.T) {
			b := h.browser()
			victim.prepare(b)
			before := b.cookie(ticketCookie)
			res := b.visit(callback, "cross-site")
			if res.StatusCode != 400 || b.cookie(ticketCookie) != before || !strings.Contains(res.body, "/bff/login") {
				t.Errorf("%d, ticket changed %t; want a page to try again from\n%s", res.StatusCode, b.cookie(ticketCookie) != before, res.body)
			}
		})
	}
}

// BCP-03: the same callback again, one after the other and at once, makes one session and spends one code.
func TestCallbackCountsOnce(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	callback := b.authorize("/bff/login?return_to=/x")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if res := b.visit(callback, "cross-site"); res.StatusCode != 200 || refreshTo(res) != "/x" {
				t.Errorf("a callback that came at once: %d %s", res.StatusCode, res.body)
			}
		})
	}
	wg.Wait()
	if res := b.visit(callback, "cross-site"); res.StatusCode != 200 || refreshTo(res) != "/x" {
		t.Errorf("a callback that came again: %d", res.StatusCode)
	}
	if n := len(h.events("sign_in")); n != 1 {
		t.Errorf("%d sign-ins", n)
	}
	if !b.user().Authenticated {
		t.Error("nobody is signed in after it")
	}
}

// BCP-04
func TestCallbackWithoutAGoodStateIsRefused(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	good := mustURL(t, b.authorize("/bff/login"))
	state := good.Query().Get("state")
	for name, change := range map[string]func(url.Values){
		"missing":    func(q url.Values) { q.Del("state") },
		"empty":      func(q url.Values) { q.Set("state", "") },
		"wrong":      func(q url.Values) { q.Set("state", "x") },
		"truncated":  func(q url.Values) { q.Set("state", state[:len(state)-1]) },
		"duplicated": func(q url.Values) { q.Add("state", state) },
		"other case": func(q url.Values) { q.Set("state", strings.ToUpper(state)) },
	} {
		q := good.Query()
		change(q)
		if res := b.visit("/bff/callback?"+q.Encode(), "cross-site"); res.StatusCode != 400 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	// Nothing was spent by them.
	if res := b.visit(good.String(), "cross-site"); res.StatusCode != 200 {
		t.Errorf("the good one afterwards: %d %s", res.StatusCode, res.body)
	}
}

// BCP-05: two tabs sign in side by side and finish in reverse order; what piles up is bounded.
func TestTabsSignInSideBySide(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	one, two := b.authorize("/bff/login?return_to=/one"), b.authorize("/bff/login?return_to=/two")
	if to := refreshTo(b.visit(two, "cross-site")); to != "/two" {
		t.Errorf("the second tab ended on %q", to)
	}
	if to := refreshTo(b.visit(one, "cross-site")); to != "/one" {
		t.Errorf("the first tab ended on %q", to)
	}
	u, _ := url.Parse(strings.Replace(h.origin, "http://", "https://", 1))
	for length := range 100 {
		b.visit("/bff/login?login_hint="+strings.Repeat("h", 255)+"&return_to=/"+strings.Repeat("x", 10*length), "none")
		n, size := 0, 0
		for _, c := range b.jar.Cookies(u) {
			if strings.HasPrefix(c.Name, loginCookiePrefix) {
				n, size = n+1, size+len(c.Name)+len(c.Value)
			}
		}
		if n == 0 || n > 5 || size > 6<<10 {
			t.Errorf("%d login cookies of %d bytes", n, size)
		}
	}
	// The oldest goes, also where all began in the same second, as when a browser opens its last tabs again.
	var callbacks []string
	for range 7 {
		callbacks = append(callbacks, b.authorize("/bff/login"))
	}
	for i, callback := range callbacks {
		if status, want := b.visit(callback, "cross-site").StatusCode, map[bool]int{true: 400, false: 200}[i < 2]; status != want {
			t.Errorf("sign-in %d of 7: %d, want %d", i+1, status, want)
		}
	}
}

// A sign-in starts with a navigation only; return_to and the other parameters are judged (BCP-26, RED-08).
func TestLoginIsPicky(t *testing.T) {
	h := newHouse(t, nil)
	for _, c := range []struct {
		name, target string
		headers      []string
		status       int
	}{
		{"a script", "/bff/login", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 403},
		{"a frame", "/bff/login?prompt=none", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		{"an image", "/bff/login", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403},
		{"a client without metadata that wants JSON", "/bff/login", []string{"Accept", "application/json"}, 403},
		{"a browser without metadata", "/bff/login", []string{"Accept", "text/html"}, 303},
		{"a return_to elsewhere", "/bff/login?return_to=//evil.test", navigation("none"), 400},
		{"two return_to", "/bff/login?return_to=/a&return_to=//evil.test", navigation("none"), 400},
		{"an unknown provider", "/bff/login?provider=other", navigation("none"), 400},
		{"an unknown prompt", "/bff/login?prompt=now", navigation("none"), 400},
		{"a negative max_age", "/bff/login?max_age=-1", navigation("none"), 400},
		{"another site, to a page of the app", "/bff/login?return_to=/orders", navigation("cross-site"), 200}, // bounced
		{"another site, to an API", "/bff/login?return_to=/api/pay?to=me", navigation("cross-site"), 400},
		{"our own pages, to an API", "/bff/login?return_to=/api/pay", navigation("same-origin"), 303},
		{"who knows who, to an API", "/bff/login?return_to=/api/pay?to=me", []string{"Accept", "text/html"}, 400},
		{"who knows who, to a page of the app", "/bff/login?return_to=/orders", []string{"Accept", "text/html"}, 303},
		{"two origins at once", "/bff/login?return_to=/api/pay", append(navigation("same-origin"), "Sec-Fetch-Site", "cross-site"), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := h.browser().do("GET", c.target, nil, c.headers...)
			if res.StatusCode != c.status {
				t.Errorf("%d, want %d\n%s", res.StatusCode, c.status, res.body)
			}
			if len(res.Cookies()) > 0 && c.status != 303 {
				t.Error("a login cookie was left behind")
			}
		})
	}
}

// BCP-01, BCP-07, BCP-32: what goes to the provider does not depend on the request's headers, and is fresh each time.
func TestAuthorizationRequest(t *testing.T) {
	h := newHouse(t, nil)
	seen := map[string]bool{}
	for range 20 {
		res := h.browser().do("GET", "/bff/login?login_hint=ada&ui_locales=de&acr_values=a+b&max_age=60&prompt=login", nil,
			append(navigation("none"), "X-Forwarded-Host", "evil.test", "Forwarded", "host=evil.test")...)
		q := mustURL(t, res.Header.Get("Location")).Query()
		for name, want := range map[string]string{
			"response_type": "code", "client_id": "spa", "redirect_uri": h.origin + "/bff/callback", "code_challenge_method": "S256",
			"scope": "openid profile email offline_access", "login_hint": "ada", "ui_locales": "de", "acr_values": "a b", "max_age": "60", "prompt": "login",
		} {
			if q.Get(name) != want {
				t.Errorf("%s = %q, want %q", name, q.Get(name), want)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if v := name + q.Get(name); len(q.Get(name)) < 43 || seen[v] {
				t.Errorf("%s is short or was used before", name)
			} else {
				seen[v] = true
			}
		}
	}
}

// A browser that refuses the session cookie ends on a page that says so, not in a loop.
func TestCookieRefuserGetsHelp(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	u := mustURL(t, strings.Replace(h.origin, "http://", "https://", 1))
	b.jar.SetCookies(u, []*http.Cookie{{Name: ticketCookie, MaxAge: -1, Path: "/", Secure: true}})
	res := b.visit("/bff/login", "same-origin")
	if res.StatusCode != 200 || refreshTo(res) != "" || !strings.Contains(res.body, "cookie") {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}

// RED-03: a login cookie that was altered is no login cookie.
func TestAlteredLoginCookieIsRefused(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	callback := b.authorize("/bff/login")
	u := mustURL(t, strings.Replace(h.origin, "http://", "https://", 1))
	for _, c := range b.jar.Cookies(u) {
		if strings.HasPrefix(c.Name, loginCookiePrefix) {
			flipped := []byte(c.Value)
			flipped[len(flipped)/2] ^= 1
			b.jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: string(flipped), Path: "/", Secure: true}})
		}
	}
	if res := b.visit(callback, "cross-site"); res.StatusCode != 400 {
		t.Errorf("%d", res.StatusCode)
	}
}

// BBA-6.1-04..09, CK-01, CK-03: the cookies' attributes.
func TestCookieAttributes(t *testing.T) {
	for _, persist := range []bool{false, true} {
		h := newHouse(t, func(c *configs.Config) { c.Session.Cookie.Persist = persist })
		b := h.browser()
		start := b.visit("/bff/login", "none")
		for _, c := range start.Cookies() {
			if !strings.HasPrefix(c.Name, loginCookiePrefix) || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 {
				t.Errorf("login cookie: %s", redact(c))
			}
		}
		var ticket *http.Cookie
		for _, c := range b.signIn("/bff/login").Cookies() {
			if c.Name == ticketCookie {
				ticket = c
			}
		}
		if ticket == nil || !ticket.Secure || !ticket.HttpOnly || ticket.Path != "/" || ticket.Domain != "" || ticket.SameSite != http.SameSiteStrictMode || len(ticket.Value) != 43 {
			t.Fatalf("session cookie: %s", redact(ticket))
		}
		if persist != (ticket.MaxAge > 0) { // CK-02
			t.Errorf("persist %t: Max-Age %d", persist, ticket.MaxAge)
		}
	}
}

// SES-02: a ticket that nobody gave out is never adopted.
func TestMadeUpTicketIsNotAdopted(t *testing.T) {
	h := newHouse(t, nil)
	made := strings.Repeat("A", 43)
	for _, value := range []string{made, "AAAA", strings.Repeat("A", 42) + "B", ""} {
		if res := h.browser().do("GET", "/api/x", nil, "Cookie", ticketCookie+"="+value, "X-Csrf", "1"); res.StatusCode != 401 || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("ticket %q: %d, Set-Cookie %q", value, res.StatusCode, res.Header.Get("Set-Cookie"))
		}
	}
	// CK-04: two are one too many, but signing out gets rid of them.
	two := ticketCookie + "=" + made + "; " + ticketCookie + "=" + made
	if res := h.browser().do("GET", "/api/x", nil, "Cookie", two, "X-Csrf", "1"); res.StatusCode != 400 {
		t.Errorf("two tickets: %d", res.StatusCode)
	}
	if res := h.browser().do("POST", "/bff/logout", nil, "Cookie", two, "X-Csrf", "1"); res.StatusCode != 200 || !strings.Contains(res.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("sign-out with two tickets: %d", res.StatusCode)
	}
}

// redact shows a cookie without its value.
func redact(c *http.Cookie) string {
	if c == nil {
		return "none"
	}
	shown := *c
	shown.Value = "…"
	return shown.String()
}
