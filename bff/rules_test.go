package bff

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/configs"
)

// guarded adds a route whose rules are change's.
func guarded(path string, change func(*configs.Route)) func(*configs.Config) {
	return func(c *configs.Config) {
		rt := c.Routes[0]
		rt.Path, rt.Allow, rt.Limit = path, configs.Default[policy.Allow](), nil
		change(&rt)
		c.Routes = append(c.Routes, rt)
	}
}

// together applies several changes.
func together(all ...func(*configs.Config)) func(*configs.Config) {
	return func(c *configs.Config) {
		for _, change := range all {
			change(c)
		}
	}
}

// problem reads the document of a refused request.
func problem(t *testing.T, a answer) (p struct{ Code, Login, Detail string }) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	return p
}

// AUZ-01, AUZ-06: what the rules do not allow does not reach the upstream, the log knows why, and the client learns no more than that.
func TestARouteIsForThoseWhomItsRulesAllow(t *testing.T) {
	h := newHouse(t, together(
		guarded("/staff/", func(r *configs.Route) { r.Allow.Roles = []string{"staff"} }),
		guarded("/nobody/", func(r *configs.Route) { r.Allow.Roles = []string{"emperor"} }),
		guarded("/mine/{user}", func(r *configs.Route) { r.Allow.When = `request.values.user == user.sub` }),
		guarded("/watched/", func(r *configs.Route) {
			r.Allow.Roles, r.Allow.ReportOnly = []string{"emperor"}, []string{"roles"}
		}),
		func(c *configs.Config) { c.Policy.MapRoles = map[string][]string{"customer": {"staff"}} },
	))
	b := h.browser()
	b.signIn("/bff/login")
	sub := b.user().Subject
	for path, want := range map[string]int{"/staff/x": 200, "/nobody/x": 403, "/mine/" + sub: 200, "/mine/other": 403, "/watched/x": 200} {
		before := h.upstream.count()
		res := b.fetch("GET", path)
		if res.StatusCode != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.body)
		}
		if reached := h.upstream.count() > before; reached != (want == 200) {
			t.Errorf("%s: the upstream was reached: %v", path, reached)
		}
		if want != 403 {
			continue
		}
		if p := problem(t, res); p.Code != "forbidden" || strings.Contains(res.body, "role") || strings.Contains(res.body, "emperor") {
			t.Errorf("%s: %s", path, res.body)
		}
	}
	refused := h.events("refused")
	if len(refused) != 2 {
		t.Fatalf("%d events: %v", len(refused), refused)
	}
	for _, e := range refused {
		if e["rule"] == "" || e["reason"] == "" {
			t.Errorf("an event without rule and reason: %v", e)
		}
	}
	if reported := h.events("reported"); len(reported) != 1 || reported[0]["rule"] != "roles" || reported[0]["reason"] != policy.ReasonRole {
		t.Errorf("reported: %v", reported)
	}
	text, err := io.ReadAll(h.get(h.admin + "/metrics").Body)
	if err != nil {
		t.Fatal(err)
	}
	scrape := string(text)
	for _, want := range []string{
		`cloakroom_denials_total{outcome="refused",reason="role_missing",route="/nobody/",rule="roles"} 1`,
		`cloakroom_denials_total{outcome="reported",reason="role_missing",route="/watched/",rule="roles"} 1`,
	} {
		if !strings.Contains(scrape, want) {
			t.Errorf("no metric %s", want)
		}
	}
}

// OAX-17: a script is told where its user signs in in the way that is asked for; a navigation goes there; after it there is a new ticket, and until then the old one is good.
func TestARouteMayWantAMoreRecentSignIn(t *testing.T) {
	h := newHouse(t, together(
		guarded("/payments/", func(r *configs.Route) { r.Allow.MaxAuthAge = time.Minute }),
		guarded("/safe/", func(r *configs.Route) { r.Allow.ACR = []string{"urn:mfa"} }),
	))
	b := h.browser()
	b.signIn("/bff/login")
	if res := b.fetch("POST", "/payments/1"); res.StatusCode != http.StatusOK {
		t.Fatalf("just signed in: %d %s", res.StatusCode, res.body)
	}
	res := b.fetch("POST", "/safe/1")
	p := problem(t, res)
	login, err := url.Parse(p.Login)
	if err != nil || res.StatusCode != http.StatusUnauthorized || p.Code != "step_up" || login.Path != loginPath || login.Query().Get("acr_values") != "urn:mfa" {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	before := b.cookie(ticketCookie)
	nav := b.visit("/safe/1", "same-origin")
	to, _ := url.Parse(nav.Header.Get("Location"))
	if nav.StatusCode != http.StatusSeeOther || to.Query().Get("acr_values") != "urn:mfa" {
		t.Errorf("a navigation: %d to %s", nav.StatusCode, to)
	}
	if b.cookie(ticketCookie) != before || b.fetch("GET", "/api/x").StatusCode != http.StatusOK {
		t.Error("whoever does not sign in again is signed out")
	}
}

// RL-02, RL-03: beyond its limit a request is answered 429, with the fields that tell when there is room again.
func TestARouteHasLimits(t *testing.T) {
	h := newHouse(t, together(
		guarded("/search", func(r *configs.Route) {
			r.Limit = []limit.Limit{{Rate: "2/1m", Burst: 2, Per: "user"}}
		}),
	))
	b, other := h.browser(), h.browser()
	other.who = "grace"
	b.signIn("/bff/login")
	for i, want := range []int{200, 200, 429} {
		res := b.fetch("GET", "/search?n="+strings.Repeat("1", i))
		if res.StatusCode != want || res.Header.Get("RateLimit-Policy") != `"user";q=2;w=60` || res.Header.Get("RateLimit") == "" {
			t.Errorf("request %d: %d %v %s", i, res.StatusCode, res.Header, res.body)
		}
		if want == 429 {
			if res.Header.Get("Retry-After") == "" || res.Header.Get("Cache-Control") != "no-store" || problem(t, res).Code != "too_many_requests" || !strings.Contains(res.body, `"violated-policies":["user"]`) {
				t.Errorf("refused with %v %s", res.Header, res.body)
			}
		}
	}
	b.signIn("/bff/login") // RL-06: a new session is the same user
	if res := b.fetch("GET", "/search"); res.StatusCode != 429 {
		t.Errorf("with a new session: %d", res.StatusCode)
	}
	other.signIn("/bff/login")
	if res := other.fetch("GET", "/search"); res.StatusCode != 200 {
		t.Errorf("another user: %d", res.StatusCode)
	}
}

// AUN-02: no credential takes the place of the session where the route does not say so.
func TestABearerIsNoSession(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	if res := b.fetch("GET", "/api/x", "Authorization", "Bearer x"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}
