package bff

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"cloakroom/bff/idp"
	"cloakroom/configs"
	"cloakroom/proxy/tokens"
	"cloakroom/session"
)

// another is a second provider with the same client. Its access tokens live for a second.
func (h *house) another() *idp.Server {
	h.t.Helper()
	other, err := idp.Start("127.0.0.1:0", idp.Options{AccessTokenLife: time.Second, Clients: []idp.Client{{
		ID: "spa", Secret: "m7Qv2kXw9RtB4nLzD1sYhJ6p", RedirectURIs: []string{h.origin + "/bff/callback"},
	}}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { other.Close() })
	return other
}

// issuedBy gives the name of the provider to another issuer.
func issuedBy(issuer string) func(*configs.Config) {
	return func(c *configs.Config) {
		p := c.Providers["main"]
		p.Issuer = issuer
		c.Providers["main"] = p
	}
}

// A reload may give a provider's name to another one. What belongs to the one before, codes, verifiers and tokens, never goes to it.
func TestAnotherIssuerUnderTheSameNameGetsNothingOfTheFirst(t *testing.T) {
	h := newHouse(t, nil)
	b, under := h.browser(), h.browser()
	b.signIn("/bff/login")
	callback := under.authorize("/bff/login")
	r, _ := http.NewRequest("GET", h.origin, nil)
	r.Header.Set("Cookie", ticketCookie+"="+b.cookie(ticketCookie))
	sess, err := h.server.sessions.FromRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	h.reload(issuedBy(h.another().Issuer()))
	now := h.server.current.Load()
	if _, err := h.server.refresh(t.Context(), sess); !errors.Is(err, session.ErrUnsent) || !errors.Is(err, errNoIssuer) {
		t.Errorf("its refresh token: %v", err)
	}
	for _, method := range []string{tokens.Exchange, tokens.Refresh} {
		if _, err := now.fetchGrant(t.Context(), sess, tokens.Token{Method: method}); !errors.Is(err, session.ErrUnsent) || !errors.Is(err, errNoIssuer) {
			t.Errorf("its token, for another by %s: %v", method, err)
		}
	}
	if err := h.server.revoke(t.Context(), revocationOf(sess)); !errors.Is(err, errNoIssuer) {
		t.Errorf("its token, to be revoked: %v", err)
	}
	if u := now.endSessionURL(sess); u != "/" {
		t.Errorf("its user, signing out: %s", u)
	}
	if res := under.visit(callback, "cross-site"); res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusBadRequest || h.events("sign_in_refused")[0]["reason"] != "provider_unknown" {
		t.Errorf("its code: %d, %v", res.StatusCode, h.events("sign_in_refused"))
	}
	if res := b.fetch("GET", "/api/x"); res.StatusCode != http.StatusOK {
		t.Errorf("its session, while the token lives: %d", res.StatusCode)
	}
}

// Without the provider that vouched for it, a session is none as soon as its access token has to be renewed: whatever the route sends, and without a 503 for the rest of its
// life. When the provider is back, so is the session.
func TestASessionWhoseProviderIsGoneIsNoneWhenItsTokenRunsOut(t *testing.T) {
	h := newHouse(t, nil)
	first, second := h.idp, h.another()
	h.reload(issuedBy(second.Issuer()))
	h.idp = second
	b := h.browser()
	b.signIn("/bff/login")
	h.reload(func(c *configs.Config) {
		issuedBy(first.Issuer())(c)
		c.Routes[1].Token.Method = tokens.None // of /optional/
	})
	h.idp = first
	h.eventually("its token has run out", func() bool { return b.fetch("GET", "/api/x").StatusCode != http.StatusOK })
	if res := b.fetch("GET", "/api/x"); res.StatusCode != http.StatusUnauthorized || answerField(t, res, "login") != loginPath {
		t.Errorf("a script: %d %s", res.StatusCode, res.body)
	}
	if res := b.visit("/api/x", "none"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("a page: %d %s", res.StatusCode, res.body)
	}
	if res := b.fetch("GET", "/optional/x"); res.StatusCode != http.StatusOK {
		t.Errorf("a route that needs nobody: %d %s", res.StatusCode, res.body)
	}
	if b.cookie(ticketCookie) == "" {
		t.Error("the cookie is gone")
	}
	h.reload(issuedBy(second.Issuer()))
	h.eventually("the session is back", func() bool { return b.fetch("GET", "/api/x").StatusCode == http.StatusOK })
}
