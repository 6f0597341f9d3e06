package bff

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/inbound"
	"cloakroom/bff/policy"
	"cloakroom/bff/provider"
	"cloakroom/configs"
	"cloakroom/proxy/compose"
	"cloakroom/proxy/tokens"
	"cloakroom/session"
)

const challenge = `Bearer error="insufficient_user_authentication"`

// demanding is an upstream that answers 401 with the challenges that it is asked for.
func demanding(t *testing.T) string {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.URL.Query()["c"] {
			w.Header().Add("WWW-Authenticate", c)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(up.Close)
	return up.URL
}

// demands is the path that makes it ask for that.
func demands(path string, challenges ...string) string {
	return path + "?" + url.Values{"c": challenges}.Encode()
}

// demandingHouse has routes of several kinds to that upstream.
func demandingHouse(t *testing.T) *house {
	up := demanding(t)
	leg := compose.Leg{URL: up + "/leg?c=" + url.QueryEscape(challenge+`, acr_values="urn:mfa"`), Timeout: 5 * time.Second, MaxBody: 1 << 10}
	optional := leg
	optional.Optional = true
	return newHouse(t, together(
		guarded("/plain/", func(r *configs.Route) { r.Upstream = up }),
		guarded("/bare/", func(r *configs.Route) { r.Upstream, r.Token = up, tokens.Config{Method: "none"} }),
		guarded("/maybe/", func(r *configs.Route) { r.Upstream, r.Auth = up, "optional" }),
		guarded("/open/", func(r *configs.Route) { r.Upstream, r.Auth = up, "none" }),
		guarded("/machines/", func(r *configs.Route) { r.Upstream, r.Callers = up, []string{"api_key"} }),
		guarded("/composed", func(r *configs.Route) { r.Upstream, r.Legs = "", map[string]compose.Leg{"a": leg} }),
		guarded("/composed-optional", func(r *configs.Route) { r.Upstream, r.Legs = "", map[string]compose.Leg{"a": optional} }),
		func(c *configs.Config) { c.Callers.APIKey = inbound.APIKey{Header: "X-API-Key"} },
	))
}

// OAX-17: an upstream's challenge is a typed 401 with the sign-in that it asks for, by whatever way the upstream was asked. Who has no session to strengthen gets the upstream's own 401.
func TestAnUpstreamMayWantAStrongerSignIn(t *testing.T) {
	h := demandingHouse(t)
	key, _ := h.newKey(APIKey{Name: "importer"})
	user, nobody := h.browser(), h.browser()
	user.signIn("/bff/login")
	ticket := user.cookie(ticketCookie)
	want := challenge + `, acr_values="urn:mfa urn:key", max_age=300`
	for name, c := range map[string]struct {
		b       *browser
		method  string
		path    string
		login   string // in the answer; empty: it is the upstream's own
		headers []string
	}{
		"GET":                         {user, "GET", demands("/plain/x", want), "/bff/login?acr_values=urn%3Amfa+urn%3Akey&max_age=300", nil},
		"POST":                        {user, "POST", demands("/plain/x", want), "/bff/login?acr_values=urn%3Amfa+urn%3Akey&max_age=300", nil},
		"without a token":             {user, "GET", demands("/bare/x", want), "/bff/login?acr_values=urn%3Amfa+urn%3Akey&max_age=300", nil},
		"optional":                    {user, "GET", demands("/maybe/x", want), "/bff/login?acr_values=urn%3Amfa+urn%3Akey&max_age=300", nil},
		"a leg":                       {user, "GET", "/composed", "/bff/login?acr_values=urn%3Amfa", nil},
		"a leg that may be away":      {user, "GET", "/composed-optional", "/bff/login?acr_values=urn%3Amfa", nil},
		"a handshake":                 {user, "GET", demands("/plain/x", want), "/bff/login?acr_values=urn%3Amfa+urn%3Akey&max_age=300", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==", "Origin", h.origin}},
		"nobody, optional":            {nobody, "GET", demands("/maybe/x", want), "", nil},
		"nobody, open":                {nobody, "GET", demands("/open/x", want), "", nil},
		"a user, where it counts not": {user, "GET", demands("/open/x", want), "", nil},
		"a machine":                   {nobody, "GET", demands("/machines/x", want), "", []string{"X-API-Key", key}},
	} {
		res := c.b.fetch(c.method, c.path, c.headers...)
		ours := res.Header.Get("X-Cloakroom") != ""
		if res.StatusCode != http.StatusUnauthorized || ours != (c.login != "") {
			t.Errorf("%s: %d %v %s", name, res.StatusCode, res.Header, res.body)
			continue
		}
		if ours {
			if p := problem(t, res); p.Code != "step_up" || p.Login != c.login {
				t.Errorf("%s: %s", name, res.body)
			}
		}
		if strings.Contains(strings.Join(res.Header["Www-Authenticate"], ""), "Bearer") || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", name, res.Header)
		}
	}
	if res := user.fetch("HEAD", demands("/plain/x", want)); res.StatusCode != http.StatusUnauthorized || res.Header.Get("X-Cloakroom") != "problem" || res.body != "" {
		t.Errorf("HEAD: %d %v", res.StatusCode, res.Header)
	}
	nav := user.visit(demands("/plain/x", want), "same-origin")
	to := mustURL(t, nav.Header.Get("Location")).Query()
	if nav.StatusCode != http.StatusSeeOther || to.Get("acr_values") != "urn:mfa urn:key" || to.Get("max_age") != "300" {
		t.Errorf("a navigation: %d to %v", nav.StatusCode, to)
	}
	if user.cookie(ticketCookie) != ticket || user.fetch("GET", "/api/x").StatusCode != http.StatusOK {
		t.Error("whoever does not sign in again is signed out")
	}
}

// OAX-18: a challenge that is not exactly of the RFC's form gets nothing into a URL of ours: the 401 stays the upstream's.
func TestAHostileChallengeAsksForNothing(t *testing.T) {
	h := demandingHouse(t)
	b := h.browser()
	b.signIn("/bff/login")
	for name, challenges := range map[string][]string{
		"a parameter":       {challenge + `, acr_values="x&prompt=none"`},
		"an escaped one":    {challenge + `, acr_values="x%26redirect_uri=https://evil.test"`},
		"a huge one":        {challenge + `, acr_values="` + strings.Repeat("x", 3000) + `"`},
		"twice in it":       {challenge + `, max_age=1, max_age=2`},
		"two challenges":    {challenge + `, max_age=1, ` + challenge + `, max_age=2`},
		"in two fields":     {challenge + `, max_age=1`, challenge},
		"a negative age":    {challenge + `, max_age=-1`},
		"an age of aeons":   {challenge + `, max_age=99999999999999999999`},
		"of another scheme": {`Basic error="insufficient_user_authentication"`},
	} {
		res := b.fetch("GET", demands("/plain/x", challenges...))
		if res.StatusCode != http.StatusUnauthorized || res.Header.Get("X-Cloakroom") != "" || strings.Contains(res.body, "login") || len(res.Header["Www-Authenticate"]) > 0 {
			t.Errorf("%s: %d %v %s", name, res.StatusCode, res.Header, res.body)
		}
		if nav := b.visit(demands("/plain/x", challenges...), "same-origin"); nav.Header.Get("Location") != "" {
			t.Errorf("%s: a navigation goes to %s", name, nav.Header.Get("Location"))
		}
	}
	if p := problem(t, b.fetch("GET", demands("/plain/x", `Basic realm="a, b", Negotiate abc==`, `Digest qop="x", `+challenge+`, max_age=2147483647, acr_values=x`))); p.Login != "/bff/login?acr_values=x&max_age=2147483647" {
		t.Errorf("behind other schemes: %s", p.Login)
	}
}

// OAX-17: a challenge that does not say what is missing asks for a sign-in by hand; one that has just been answered is the end of it.
func TestASignInThatDoesNotHelpIsNotAskedForAgain(t *testing.T) {
	h := demandingHouse(t)
	b := h.browser()
	b.signIn("/bff/login?max_age=0")
	for name, c := range map[string]string{"what it does not say": challenge, "max_age": challenge + `, max_age=10`} {
		res := b.fetch("GET", demands("/plain/x", c))
		if p := problem(t, res); res.StatusCode != http.StatusForbidden || p.Code != "step_up_in_vain" || p.Login != "" {
			t.Errorf("%s: %d %s", name, res.StatusCode, res.body)
		}
		nav := b.visit(demands("/plain/x", c), "same-origin")
		if nav.StatusCode != http.StatusForbidden || !strings.Contains(nav.body, "prompt=login") || !strings.Contains(nav.body, "Back to the start page") {
			t.Errorf("%s: a navigation: %d %s", name, nav.StatusCode, nav.body)
		}
	}
}

// OAX-17: a provider that does not keep to max_age, or whose clock is slow, gives a session that is not good enough however often the user signs in.
func TestTheSameStepUpIsNotAskedForTwice(t *testing.T) {
	now := time.Now()
	minute := time.Minute
	s := &site{Server: &Server{now: func() time.Time { return now }}, logins: newLoginCookies([][]byte{make([]byte, 32)}, [][]byte{make([]byte, 32)}, true)}
	for name, c := range map[string]struct {
		asked   string
		brought session.ID
		created time.Duration // ago
		vain    bool
	}{
		"just now":                  {"max_age=60", "", time.Second, true},
		"asked for something else":  {"acr_values=x", "", time.Second, false},
		"asked for nothing":         {"", "", time.Second, false},
		"it brought another":        {"max_age=60", "other", time.Second, false},
		"it is old enough to go on": {"max_age=60", "", 2 * time.Minute, false},
	} {
		l := login{SignIn: newSignIn()}
		q, _ := url.ParseQuery(c.asked)
		if err := provider.ParseSignIn(q, &l.SignIn); err != nil {
			t.Fatal(err)
		}
		cookie, err := s.logins.sealed(l.done(c.brought, "ada"), replayLife)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/x", nil)
		r.AddCookie(cookie)
		if got := s.inVain(r, &session.Session{Created: now.Add(-c.created)}, policy.StepUp{MaxAge: &minute}); got != c.vain {
			t.Errorf("%s: in vain: %v", name, got)
		}
	}
}

// OAX-17, SES-03: a provider that does not give what is asked for: the sign-in is refused on a page that says so, with a way back and one to try again; nothing changes for the session.
func TestARefusedStepUpLeavesTheSessionAlone(t *testing.T) {
	h := newHouse(t, guarded("/safe/", func(r *configs.Route) { r.Allow.ACR = []string{"urn:mfa"} }))
	b := h.browser()
	b.signIn("/bff/login")
	ticket := b.cookie(ticketCookie)
	res := b.visit(b.authorizeFrom(b.visit("/safe/1", "same-origin")), "cross-site")
	text := html.UnescapeString(res.body)
	for _, want := range []string{"second factor", `href="/bff/login?acr_values=urn%3Amfa&provider=main&return_to=%2Fsafe%2F1"`, `href="/"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not have %s: %s", want, text)
		}
	}
	if res.StatusCode != http.StatusForbidden || refreshTo(res) != "" || res.Header.Get("Location") != "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if b.cookie(ticketCookie) != ticket || b.fetch("GET", "/api/x").StatusCode != http.StatusOK {
		t.Error("the session has ended")
	}
	h.stop()
	if n := len(h.events("tokens_revoked")); n != 0 { // at many providers the session's tokens would die with them
		t.Errorf("tokens were revoked: %d", n)
	}
}

// Nobody signs in twice for one page: what its rules want of a sign-in is asked for at once.
func TestASignInForARouteAsksForWhatItsRulesWant(t *testing.T) {
	h := newHouse(t, together(
		guarded("/safe/", func(r *configs.Route) { r.Allow.ACR = []string{"urn:mfa"} }),
		guarded("/maybe/", func(r *configs.Route) { r.Auth, r.Allow.MaxAuthAge = "optional", time.Hour }),
	))
	for path, want := range map[string]url.Values{"/safe/1": {"acr_values": {"urn:mfa"}}, "/maybe/1": {"max_age": {"3600"}}} {
		nav := h.browser().visit(path, "none")
		to := mustURL(t, nav.Header.Get("Location")).Query()
		for name := range want {
			if to.Get(name) != want.Get(name) {
				t.Errorf("%s: %d to %v", path, nav.StatusCode, to)
			}
		}
	}
	if res := h.browser().fetch("GET", "/maybe/1"); res.StatusCode != http.StatusUnauthorized || problem(t, res).Login != "/bff/login?max_age=3600" || problem(t, res).Code != "signed_out" {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}

// AUZ-06: a person who may not do something reads so, and has a way on; a script gets no more than the code.
func TestAPersonWhoMayNotHasAWayOn(t *testing.T) {
	h := newHouse(t, guarded("/staff/", func(r *configs.Route) { r.Allow.Roles = []string{"emperor"} }))
	b := h.browser()
	b.signIn("/bff/login")
	res := b.visit("/staff/x?tab=2", "same-origin")
	text := html.UnescapeString(res.body)
	for _, want := range []string{"Not allowed", `href="/bff/login?return_to=%2Fstaff%2Fx%3Ftab%3D2&prompt=login"`, "Sign in as somebody else", `href="/"`, "Back to the start page"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not have %s: %s", want, text)
		}
	}
	if res.StatusCode != http.StatusForbidden || strings.Contains(text, "emperor") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if p := problem(t, b.fetch("GET", "/staff/x")); p.Code != "forbidden" || p.Login != "" {
		t.Errorf("a script: %+v", p)
	}
}

// A step-up as another user: the first one's session ends and its tokens are revoked, the browser forgets what the app kept, and nobody is led on to what the first one was about to do.
func TestAnotherUserTakesNothingOver(t *testing.T) {
	for name, c := range map[string]struct {
		who, login, lands, reason string
		forgets                   bool
		revoked                   int
	}{
		"the same, by a step-up": {"ada", "/bff/login?max_age=0&return_to=/pay", "/pay", "replaced", false, 0},
		"another, by a step-up":  {"grace", "/bff/login?max_age=0&return_to=/pay", "/", "user_changed", true, 1},
		"another, by choice":     {"grace", "/bff/login?prompt=login&return_to=/pay", "/pay", "user_changed", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.eventually("copies are kept", h.server.sessions.CopiesTrusted) // by which the first user's tokens are known
			b := h.browser()
			b.signIn("/bff/login")
			thief := h.browser()
			thief.jar.SetCookies(mustURL(t, strings.Replace(h.origin, "http:", "https:", 1)), []*http.Cookie{{Name: ticketCookie, Value: b.cookie(ticketCookie), Path: "/", Secure: true}})
			b.fetch("GET", "/api/x")
			b.who = c.who
			b.forgetTheProvider() // or that one signs ada out itself
			res := b.visit(b.authorizeFrom(b.visit(c.login, "same-origin")), "cross-site")
			if refreshTo(res) != c.lands || (res.Header.Get("Clear-Site-Data") == forgetAll) != c.forgets {
				t.Errorf("lands on %s with %v", refreshTo(res), res.Header)
			}
			if got := b.user(); got.Subject == "" {
				t.Error("nobody is signed in")
			}
			if res := thief.fetch("GET", "/api/x"); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("the old ticket: %d", res.StatusCode)
			}
			if c.revoked > 0 {
				h.eventually("the first user's tokens are revoked", func() bool { return len(h.events("tokens_revoked")) > 0 })
			}
			h.stop()
			if ended := h.events("session_ended"); len(ended) != 1 || ended[0]["reason"] != c.reason {
				t.Errorf("ended: %v", ended)
			}
			if n := len(h.events("tokens_revoked")); n != c.revoked {
				t.Errorf("revoked %d", n)
			}
		})
	}
}

// OAX-17, ABUSE: whatever sends a signed-in browser to sign in again and again, it stops on a page that helps. What the user does by hand is no loop, nor is another page.
func TestALoopOfSignInsStops(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/bff/login?return_to="+url.QueryEscape(r.URL.Path+"?n="+r.URL.Query().Get("n")+"1"), http.StatusFound)
	}))
	t.Cleanup(up.Close)
	h := newHouse(t, guarded("/never/", func(r *configs.Route) { r.Upstream = up.URL }))
	b := h.browser()
	next, rounds := "/never/x", 0
	var res answer
	for range 60 {
		site := "same-origin"
		if strings.Contains(next, "/bff/callback") {
			site = "cross-site"
		}
		res = b.visit(next, site)
		if to := refreshTo(res); to != "" {
			next, rounds = to, rounds+1
			continue
		}
		next = res.Header.Get("Location")
		if next == "" {
			break
		}
		if strings.HasPrefix(next, h.idp.Issuer()) {
			next = b.authorizeFrom(res)
		}
	}
	text := html.UnescapeString(res.body)
	if res.StatusCode != http.StatusForbidden || rounds != maxRounds || !strings.Contains(text, "goes in circles") || !strings.Contains(text, `href="/bff/logout"`) || !strings.Contains(text, "prompt=login") {
		t.Fatalf("after %d rounds: %d %s", rounds, res.StatusCode, text)
	}
	for path, want := range map[string]int{"/bff/login?return_to=/never/x": 403, "/bff/login?return_to=/other": 303, "/bff/login?return_to=/never/x&prompt=login": 303} {
		if res := b.visit(path, "same-origin"); res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	b.fetch("POST", "/bff/logout")
	if res := b.visit("/bff/login?return_to=/never/x", "same-origin"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out: %d", res.StatusCode)
	}
}

// Rounds count one after the other, not side by side, and within a minute.
func TestRoundsAreCounted(t *testing.T) {
	done := func(path string, count int, first int64) login {
		return login{ReturnTo: path, Rounds: rounds{count, first}, Done: true}
	}
	for name, c := range map[string]struct {
		done []login
		loop bool
	}{
		"none":                        {nil, false},
		"four tabs side by side":      {[]login{done("/a", 1, 90), done("/a", 1, 90), done("/a", 1, 91), done("/a", 1, 91)}, false},
		"the fifth":                   {[]login{done("/a", 3, 60), done("/a#x", 4, 60)}, true},
		"the fifth, in other queries": {[]login{done("/a?n=4", 4, 60)}, true},
		"the fifth, but slowly":       {[]login{done("/a", 4, 40)}, false},
		"the fifth of another page":   {[]login{done("/b", 4, 60)}, false},
	} {
		l := login{ReturnTo: "/a?n=5", SignIn: provider.SignIn{Started: 100}}
		if got := l.circles(c.done); got != c.loop {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// forgetTheProvider takes the provider's cookies away, as if its session had run out.
func (b *browser) forgetTheProvider() {
	at := mustURL(b.t, b.idp.Issuer())
	var gone []*http.Cookie
	for _, c := range b.jar.Cookies(at) {
		gone = append(gone, &http.Cookie{Name: c.Name, Path: "/", MaxAge: -1})
	}
	b.jar.SetCookies(at, gone)
}
