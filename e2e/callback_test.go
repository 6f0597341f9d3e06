package e2e

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"cloakroom/e2e/browse"
)

const callback = "/bff/callback"

// begin starts a sign-in and stops with the callback's URL in hand, unopened.
func (s *story) begin(b *browse.Browser, sub, returnTo string) string {
	s.Helper()
	q := url.Values{"login_hint": {sub}, "return_to": {returnTo}}
	a, err := b.Go(s.ctx, nav("/bff/login?"+q.Encode(), s.PublicURL, callback))
	s.check(err)
	if a.Next == nil {
		s.Fatalf("the sign-in ended at %s with %d\n%s", a.URL, a.Status, s.brief(a))
	}
	return a.Next.String()
}

// arrive opens a callback's URL as the provider's redirect does.
func (s *story) arrive(b *browse.Browser, callbackURL string) *browse.Answer {
	s.Helper()
	a, err := b.Go(s.ctx, nav(callbackURL, s.Provider.Issuer, ""))
	s.check(err)
	return a
}

// exchanges counts the codes that the provider was shown.
func (s *story) exchanges() int {
	s.Helper()
	asked, err := s.Provider.Asked(s.ctx, "/token", "authorization_code")
	s.check(err)
	return len(asked)
}

// refused demands a page with a way to try again, no ticket, and no code spent.
func (s *story) refused(b *browse.Browser, a *browse.Answer, codes int) {
	s.Helper()
	if a.Status < 400 || a.Status >= 500 || !strings.Contains(a.Body, "/bff/login") {
		s.Errorf("%s: %d, want a 4xx page with a way to try again\n%s", a.URL.Path, a.Status, s.brief(a))
	}
	if got := s.exchanges(); got != codes {
		s.Errorf("%d codes were spent", got-codes)
	}
}

// BCP-02, BCP-24, BCP-25: a callback belongs to the browser that began; in another it spends no code and signs nobody in,
// whether that browser has nothing, a session, or a sign-in of its own under way.
func TestAForeignCallbackSignsNobodyIn(t *testing.T) {
	s := onUsual(t)
	attacker := s.browser()

	t.Run("in a browser without cookies", func(t *testing.T) {
		url, codes, victim := s.begin(attacker, "mallory", "/public/x"), s.exchanges(), s.browser()
		s.refused(victim, s.arrive(victim, url), codes)
		s.get(victim, "/api/x", 401)
	})
	t.Run("in a signed-in browser", func(t *testing.T) {
		victim := s.signedIn("victim")
		url, codes, ticket := s.begin(attacker, "mallory", "/public/x"), s.exchanges(), victim.Ticket()
		s.refused(victim, s.arrive(victim, url), codes)
		if m := s.fields(s.get(victim, "/bff/user", 200)); m["sub"] != "victim" || victim.Ticket() != ticket {
			t.Errorf("the victim is now %v", m["sub"])
		}
	})
	t.Run("in a browser with a sign-in under way", func(t *testing.T) {
		victim := s.browser()
		own := s.begin(victim, "victim", "/public/mine")
		url, codes := s.begin(attacker, "mallory", "/public/x"), s.exchanges()
		s.refused(victim, s.arrive(victim, url), codes)
		if a := s.arrive(victim, own); a.URL.Path != "/public/mine" {
			t.Errorf("the victim's own sign-in ended at %s with %d", a.URL, a.Status)
		}
		if m := s.fields(s.get(victim, "/bff/user", 200)); m["sub"] != "victim" {
			t.Errorf("signed in as %v", m["sub"])
		}
	})
}

// BCP-03: a callback is used once. Opened again in the same browser it spends nothing and just goes on; twenty at once
// spend one code and make one session.
func TestACallbackIsUsedOnce(t *testing.T) {
	s := onUsual(t)
	t.Run("one after the other", func(t *testing.T) {
		b := s.browser()
		url, codes := s.begin(b, "erin", "/public/x"), s.exchanges()
		s.arrive(b, url)
		ticket := b.Ticket()
		if a := s.arrive(b, url); a.Status != 200 || a.URL.Path != "/public/x" {
			t.Errorf("opened again: %d at %s", a.Status, a.URL.Path)
		}
		if b.Ticket() != ticket || ticket == "" || s.exchanges() != codes+1 {
			t.Errorf("ticket changed: %t, codes spent: %d", b.Ticket() != ticket, s.exchanges()-codes)
		}
	})
	t.Run("twenty at once over two replicas", func(t *testing.T) {
		b := s.browser()
		url, codes := s.begin(b, "erin", "/public/x"), s.exchanges()
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				if _, err := s.at(b, n%2).Go(s.ctx, nav(url, s.Provider.Issuer, "")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := s.exchanges() - codes; got != 1 {
			t.Errorf("%d codes were spent, want 1", got)
		}
		s.get(b, "/api/x", 200)
	})
}

// BCP-04: a state that is missing, empty, wrong, cut or doubled is refused before the provider is asked. BCP-09: so is a wrong iss.
func TestAWrongStateIsRefusedBeforeTheProviderIsAsked(t *testing.T) {
	s := onUsual(t)
	change := map[string]func(url.Values){
		"missing state":   func(q url.Values) { q.Del("state") },
		"empty state":     func(q url.Values) { q.Set("state", "") },
		"wrong state":     func(q url.Values) { q.Set("state", strings.Repeat("x", len(q.Get("state")))) },
		"cut state":       func(q url.Values) { q.Set("state", q.Get("state")[1:]) },
		"longer state":    func(q url.Values) { q.Set("state", q.Get("state")+"x") },
		"two states":      func(q url.Values) { q.Add("state", q.Get("state")) },
		"wrong iss":       func(q url.Values) { q.Set("iss", "https://evil.test") },
		"missing iss":     func(q url.Values) { q.Del("iss") },
		"iss with slash":  func(q url.Values) { q.Set("iss", q.Get("iss")+"/") },
		"iss in capitals": func(q url.Values) { q.Set("iss", strings.ToUpper(q.Get("iss"))) },
		"two iss":         func(q url.Values) { q.Add("iss", q.Get("iss")) },
		"no code":         func(q url.Values) { q.Del("code") },
	}
	for name, f := range change {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			u, err := url.Parse(s.begin(b, "frank", "/public/x"))
			s.check(err)
			q := u.Query()
			f(q)
			u.RawQuery = q.Encode()
			codes := s.exchanges()
			s.refused(b, s.arrive(b, u.String()), codes)
			s.get(b, "/api/x", 401)
		})
	}
}

// BCP-31: the user says no at the provider, and gets a page to try again, not a loop.
func TestAProvidersErrorIsAPageToTryAgain(t *testing.T) {
	s := onUsual(t)
	b := s.browser()
	u, err := url.Parse(s.begin(b, "gina", "/public/x"))
	s.check(err)
	q := u.Query()
	q.Del("code")
	q.Set("error", "access_denied")
	q.Set("error_description", "<script>alert(1)</script>")
	u.RawQuery = q.Encode()
	codes := s.exchanges()
	a := s.arrive(b, u.String())
	s.refused(b, a, codes)
	if strings.Contains(a.Body, "<script>alert") {
		t.Error("the provider's text stands unescaped in the page")
	}
}

// BCP-05: two tabs sign in side by side and finish in the other order; a hundred beginnings stay bounded in cookies.
func TestSeveralTabsSignInSideBySide(t *testing.T) {
	s := onUsual(t)
	b := s.browser()
	first := s.begin(b, "hugo", "/public/first")
	second := s.begin(b, "hugo", "/public/second")
	if a := s.arrive(b, second); a.URL.Path != "/public/second" || a.Status != 200 {
		t.Errorf("the second tab ended at %s with %d", a.URL.Path, a.Status)
	}
	if a := s.arrive(b, first); a.URL.Path != "/public/first" || a.Status != 200 {
		t.Errorf("the first tab ended at %s with %d", a.URL.Path, a.Status)
	}
	s.get(b, "/api/x", 200)

	many := s.browser()
	for range 100 {
		s.begin(many, "hugo", "/public/"+strings.Repeat("x", 1000))
	}
	size, count := 0, 0
	for _, c := range many.Cookies() {
		size += len(c.Name) + len(c.Value) + 3
		count++
	}
	if count == 0 || count > 5 || size > 8000 {
		t.Errorf("%d sign-in cookies of %d bytes after 100 beginnings", count, size)
	}
	if a := s.arrive(many, s.begin(many, "hugo", "/public/last")); a.URL.Path != "/public/last" {
		t.Errorf("the last one ended at %s with %d", a.URL.Path, a.Status)
	}
}

// BCP-26: a frame, an image or a script cannot begin a sign-in.
func TestOnlyATopLevelNavigationBeginsASignIn(t *testing.T) {
	s := onUsual(t)
	b := s.browser()
	for _, dest := range []string{"iframe", "image", "empty", "script"} {
		mode := "no-cors"
		if dest == "iframe" {
			mode = "navigate"
		}
		a, err := b.Fetch(s.ctx, "GET", "/bff/login", "", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: "+mode, "Sec-Fetch-Dest: "+dest)
		s.check(err)
		if a.Status < 400 || len(a.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %d, %d cookies", dest, a.Status, len(a.Header.Values("Set-Cookie")))
		}
	}
}
