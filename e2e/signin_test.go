package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"cloakroom/e2e/up"
)

// The main job: sign in, who am I, call the API on either replica, sign out, and everything is over on both.
// RPL-02: the session is destroyed on the server. RPL-09, RPL-10.
func TestAUserSignsInCallsTheAPIAndSignsOut(t *testing.T) {
	s := onUsual(t)
	b := s.browser()

	if m := s.fields(s.get(b, "/bff/user", 200)); m["authenticated"] != false || m["login"] != "/bff/login" {
		t.Errorf("before: %v", m)
	}
	s.problem(s.get(b, "/api/orders", 401), "signed_out")

	a, err := b.SignIn(s.ctx, "alice", "/public/welcome?tab=2")
	s.check(err)
	if a.Status != 200 || a.URL.Path != "/public/welcome" || a.URL.RawQuery != "tab=2" {
		t.Fatalf("landed at %s with %d", a.URL, a.Status)
	}
	m := s.fields(s.get(b, "/bff/user", 200))
	claims, _ := m["claims"].(map[string]any)
	if m["authenticated"] != true || m["sub"] != "alice" || claims["email"] != "alice@example.test" {
		t.Errorf("after: %v", m)
	}
	for n := range s.Replicas {
		s.get(s.at(b, n), "/api/orders/7?x=1", 200)
	}
	s.sawOnlyTheBearer("/v1/orders/7?x=1", 2)

	thief := s.browser()
	thief.SetTicket(b.Ticket())
	out := s.fetch(b, "POST", "/bff/logout", 200)
	location, _ := s.fields(out)["location"].(string)
	if !strings.HasPrefix(location, s.Provider.Issuer) || strings.Contains(location, "id_token_hint") {
		t.Errorf("sign-out goes on to %q, want the provider, without the ID token", location)
	}
	if got := out.Header.Get("Clear-Site-Data"); !strings.Contains(got, `"cache"`) || !strings.Contains(got, `"storage"`) {
		t.Errorf("Clear-Site-Data: %q", got)
	}
	if b.Ticket() != "" {
		t.Error("the browser still has its ticket")
	}
	for n := range s.Replicas {
		s.get(s.at(thief, n), "/api/orders", 401)
		if m := s.fields(s.get(s.at(thief, n), "/bff/user", 200)); m["authenticated"] != false {
			t.Errorf("replica %d still knows the old ticket: %v", n+1, m)
		}
	}
	s.fetch(b, "POST", "/bff/logout", 200)
}

// sawOnlyTheBearer demands n requests upstream with one bearer each, and no cookie: BBA-6.1-18, BBA-6.1-19.
func (s *story) sawOnlyTheBearer(target string, n int) {
	s.Helper()
	var seen []up.Request
	for _, r := range s.Upstream.Seen() {
		if r.Target == target {
			seen = append(seen, r)
		}
	}
	if len(seen) != n {
		s.Fatalf("upstream saw %d requests for %s, want %d", len(seen), target, n)
	}
	for _, r := range seen {
		if r.Bearer() == "" || len(r.Values("Cookie")) > 0 {
			s.Errorf("upstream saw %v", names(r))
		}
	}
}

func names(r up.Request) []string {
	var list []string
	for _, h := range r.Headers {
		list = append(list, h[0])
	}
	return list
}

// RPL-08: at sign-out the refresh token is revoked at the provider, by an authenticated request.
func TestSignOutRevokesAtTheProvider(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("revoked")
	granted, err := s.Provider.Asked(s.ctx, "/token", "authorization_code")
	s.check(err)
	refresh := granted[len(granted)-1].GivenRefresh
	s.fetch(b, "POST", "/bff/logout", 200)
	s.eventually("the refresh token is revoked", func() bool {
		asked, err := s.Provider.Asked(s.ctx, "/token/revocation", "")
		s.check(err)
		for _, a := range asked {
			if a.Token == refresh && a.Status == 200 {
				return true
			}
		}
		return false
	})
}

// RPL-08: where the session ends without its browser, at the provider, its refresh token is revoked all the same, once, although both replicas have it open.
func TestALogoutAtTheProviderRevokesOnce(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("afar")
	granted, err := s.Provider.Asked(s.ctx, "/token", "authorization_code")
	s.check(err)
	refresh := granted[len(granted)-1].GivenRefresh
	s.get(s.at(b, 0), "/api/json", 200)
	s.get(s.at(b, 1), "/api/json", 200)
	told, err := s.Provider.Logout(s.ctx, "afar")
	s.check(err)
	if len(told) != 1 || told[0].Said != "ok" {
		t.Fatalf("told %v", told)
	}
	times := func() (n int) {
		asked, err := s.Provider.Asked(s.ctx, "/token/revocation", "")
		s.check(err)
		for _, a := range asked {
			if a.Token == refresh && a.Status == 200 {
				n++
			}
		}
		return n
	}
	s.eventually("the refresh token is revoked", func() bool { return times() > 0 })
	for n := range s.Replicas { // each has done with it when it has done with what came later
		late := s.signedIn(fmt.Sprint("later-", n))
		s.fetch(s.at(late, n), "POST", "/bff/logout", 200)
	}
	if n := times(); n != 1 {
		t.Errorf("revoked %d times, want once", n)
	}
}

// RPL-01: a link or an image cannot sign out; the page with the button can, and goes on to the provider and back. RPL-05.
func TestSignOutByThePage(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("paula")
	a := s.get(b, "/bff/logout", 200)
	if !strings.Contains(a.Body, "<form") {
		t.Fatalf("no form in %q", a.Body)
	}
	s.fetch(b, "GET", "/bff/logout", 200, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image")
	s.get(b, "/api/x", 200)
	forged, err := b.Go(s.ctx, navPost("/bff/logout", "https://evil.test"))
	s.check(err)
	if forged.Status != 403 {
		t.Errorf("a form of another site: %d, want 403", forged.Status)
	}
	s.get(b, "/api/x", 200)
	page, err := b.Go(s.ctx, navPost("/bff/logout", s.PublicURL))
	s.check(err)
	if page.URL.Scheme+"://"+page.URL.Host != s.Provider.Issuer {
		t.Errorf("ended at %s, want the provider's sign-out page", page.URL)
	}
	if got := page.URL.Query(); got.Get("post_logout_redirect_uri") == "" || got.Get("state") == "" || got.Get("client_id") != "app" {
		t.Errorf("the provider was asked %s", strings.Join(keys(got), ", "))
	}
	s.get(b, "/api/x", 401)
}

func keys(q url.Values) []string {
	var list []string
	for k := range q {
		list = append(list, k)
	}
	return list
}

// SES-03, SES-02: a new ticket at every sign-in; the old one is dead, and a ticket that somebody chose is never adopted.
func TestEverySignInHasANewTicket(t *testing.T) {
	s := onUsual(t)
	b := s.browser()
	chosen := strings.Repeat("A", 43)
	b.SetTicket(chosen)
	s.get(b, "/api/x", 401)
	_, err := b.SignIn(s.ctx, "carol", "/public/x")
	s.check(err)
	first := b.Ticket()
	if first == chosen {
		t.Fatal("a chosen ticket was adopted")
	}
	_, err = b.SignIn(s.ctx, "carol", "/public/x")
	s.check(err)
	if b.Ticket() == first {
		t.Fatal("the second sign-in kept the ticket")
	}
	s.get(b, "/api/x", 200)
	old := s.browser()
	old.SetTicket(first)
	s.get(old, "/api/x", 401)
}

// BCP-01: fifty sign-ins, fifty challenges, all S256, and each verifier is the one of its challenge.
// BCP-07: the redirect URI is the configured one. BBA-6.1-02: nothing but the code grant. BBA-6.1-07: one authorization request each.
func TestEverySignInUsesItsOwnChallenge(t *testing.T) {
	s := onUsual(t)
	before, err := s.Provider.Asked(s.ctx, "/auth", "")
	s.check(err)
	for range 50 {
		s.signedIn("dora").Close()
	}
	asked, err := s.Provider.Asked(s.ctx, "/auth", "")
	s.check(err)
	asked = asked[len(before):]
	challenges := make(map[string]bool)
	for _, a := range asked {
		if a.CodeChallengeMethod != "S256" || a.RedirectURI != s.PublicURL+"/bff/callback" {
			t.Errorf("asked with %q and %q", a.CodeChallengeMethod, a.RedirectURI)
		}
		challenges[a.CodeChallenge] = true
	}
	if len(asked) != 50 || len(challenges) != 50 {
		t.Errorf("%d authorization requests with %d challenges, want 50 and 50", len(asked), len(challenges))
	}
	codes, err := s.Provider.Asked(s.ctx, "/token", "authorization_code")
	s.check(err)
	for _, c := range codes[len(codes)-50:] {
		if !challenges[c.VerifierChallenge] || c.Status != 200 {
			t.Errorf("a code was exchanged with a verifier of no challenge, status %d", c.Status)
		}
	}
}

// BBA-6.1-29: scripts get 401, only navigations are sent to sign in.
func TestOnlyANavigationIsSentToSignIn(t *testing.T) {
	s := onUsual(t)
	b := s.browser()
	a := s.get(b, "/api/x", 401)
	if m := s.fields(a); !strings.HasPrefix(m["login"].(string), "/bff/login") {
		t.Errorf("login member: %v", m["login"])
	}
	page, err := b.Go(s.ctx, nav("/api/report", "", "/auth"))
	s.check(err)
	if page.Next == nil {
		t.Errorf("a navigation ended at %s with %d, want the provider", page.URL, page.Status)
	}
}
