package bff

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"cloakroom/bff/provider"
	"cloakroom/configs"
	"cloakroom/session"
)

func withFrontchannel(cfg *configs.Config) {
	p := cfg.Providers["main"]
	p.FrontchannelLogout = true
	cfg.Providers["main"] = p
}

// frame loads a front-channel logout as the provider's page does: a third party, without cookies.
func (h *house) frame(query string) answer {
	h.t.Helper()
	return h.browser().do("GET", "/bff/frontchannel"+query, nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe")
}

func pair(issuer, sid string) string {
	return "?" + url.Values{"iss": {issuer}, "sid": {sid}}.Encode()
}

// FCL-01, FCL-02, FCL-03: only the right pair ends the session, without a cookie; every other request gets the same answer, and ends nothing.
func TestFrontChannelLogout(t *testing.T) {
	h := newHouse(t, withFrontchannel)
	b, other := h.browser(), h.browser()
	b.signIn("/bff/login")
	other.signIn("/bff/login")
	issuer, sid := h.idp.Issuer(), b.signedIn().ProviderSession
	for name, c := range map[string]struct{ query, framer string }{
		"nothing":                 {"", "'none'"},
		"iss alone":               {"?" + url.Values{"iss": {issuer}}.Encode(), "'none'"},
		"sid alone":               {"?" + url.Values{"sid": {sid}}.Encode(), "'none'"},
		"another issuer":          {pair("https://evil.test", sid), "'none'"},
		"the issuer with a slash": {pair(issuer+"/", sid), "'none'"},
		"two sids":                {pair(issuer, sid) + "&sid=" + sid, "'none'"},
		"a broken query":          {"?iss=%zz&sid=" + sid, ""},
		"another sid":             {pair(issuer, strings.ToLower(sid)+"x"), issuer},
		"an empty sid":            {pair(issuer, ""), issuer},
		"a long sid":              {pair(issuer, strings.Repeat("s", 300)), issuer},
	} {
		res := h.frame(c.query)
		if c.framer == "" {
			if res.StatusCode != 400 {
				t.Errorf("%s: %d", name, res.StatusCode)
			}
			continue
		}
		sameFrame(t, name, res, c.framer)
	}
	if res := b.do("HEAD", "/bff/frontchannel"+pair(issuer, sid), nil); res.StatusCode != 405 {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
	if !b.user().Authenticated || !other.user().Authenticated {
		t.Fatal("a request that names no session signed somebody out")
	}
	for range 2 {
		sameFrame(t, "the right pair", h.frame(pair(issuer, sid)), issuer)
	}
	if b.user().Authenticated || !other.user().Authenticated {
		t.Error("not the one session has ended")
	}
	if events := h.events("frontchannel_logout"); len(events) != 1 || events[0]["sessions"] != float64(1) {
		t.Errorf("events %v", events)
	}
	b.signIn("/bff/login") // the next honest sign-in works
	if !b.user().Authenticated {
		t.Error("the next sign-in does not work")
	}
}

// sameFrame checks the answer that all get, and that only the framer may frame it.
func sameFrame(t *testing.T, name string, res answer, framer string) {
	t.Helper()
	h := res.Header
	csp := h.Get("Content-Security-Policy")
	if res.StatusCode != 200 || res.body != "done\n" || !strings.HasSuffix(csp, "; frame-ancestors "+framer) || strings.Count(csp, "frame-ancestors") != 1 ||
		h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "" || h.Get("Set-Cookie") != "" {
		t.Errorf("%s: %d %q %q", name, res.StatusCode, res.body, h)
	}
}

// It is off unless the provider's configuration says otherwise: the right pair is then as wrong as any.
func TestFrontChannelLogoutIsOff(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.signIn("/bff/login")
	sameFrame(t, "off", h.frame(pair(h.idp.Issuer(), b.signedIn().ProviderSession)), "'none'")
	if !b.user().Authenticated {
		t.Error("signed out")
	}
}

// What may end by an unsigned request must be beyond guessing; two clients of one issuer share its sids, so both must allow it.
func TestFrontchannelTarget(t *testing.T) {
	const issuer, sid = "https://id.test", "0123456789abcdef"
	for _, c := range []struct {
		name    string
		allowed []bool
		query   string
		reason  string
	}{
		{"the right pair", []bool{true}, pair(issuer, sid), ""},
		{"two clients that allow it", []bool{true, true}, pair(issuer, sid), ""},
		{"one of two clients does not allow it", []bool{true, false}, pair(issuer, sid), "issuer_mismatch"},
		{"no provider", nil, pair(issuer, sid), "issuer_mismatch"},
		{"a short sid", []bool{true}, pair(issuer, sid[1:]), "provider_session_guessable"},
		{"no sid", []bool{true}, "?iss=" + issuer, "not_one_iss_and_sid"},
	} {
		providers := map[string]provider.Config{}
		for i, allowed := range c.allowed {
			providers[fmt.Sprint(i)] = provider.Config{Issuer: issuer, FrontchannelLogout: allowed}
		}
		s := &site{cfg: &configs.Config{Providers: providers}}
		if _, got, reason := s.frontchannelTarget(c.query[1:]); reason != c.reason || (got == sid) != (reason == "") {
			t.Errorf("%s: sid %q, reason %q; want %q", c.name, got, reason, c.reason)
		}
	}
}

// An outage looks the same from outside and is an event inside; the session goes on.
func TestFrontChannelLogoutInAnOutage(t *testing.T) {
	store := new(halfway)
	h := newHouseUnready(t, withFrontchannel, func(st session.Store) session.Store { store.Store = st; return store })
	b := h.browser()
	b.signIn("/bff/login")
	store.end.Store(true)
	query := pair(h.idp.Issuer(), b.signedIn().ProviderSession)
	sameFrame(t, "outage", h.frame(query), h.idp.Issuer())
	if len(h.events("frontchannel_failed")) != 1 || len(h.events("frontchannel_logout")) != 0 || !b.user().Authenticated {
		t.Error("an end that was not written is not recorded as what it is")
	}
	store.end.Store(false)
	h.frame(query)
	if b.user().Authenticated {
		t.Error("still signed in after the next try")
	}
}
