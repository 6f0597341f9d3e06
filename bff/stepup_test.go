package bff

import (
	"net/url"
	"testing"

	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/session"
)

// OAX-17: a further sign-in is asked of the provider that the session is from. Another one would make another user's session of it.
func TestAFurtherSignInIsWhereTheSessionIsFrom(t *testing.T) {
	h := newHouse(t, func(c *configs.Config) { c.Providers["partners"], c.DefaultProvider = c.Providers["main"], "main" })
	s := h.server.current.Load()
	for provider, want := range map[string]string{"main": "", "partners": "partners"} {
		help := furtherSignIn(policy.StepUp{ACR: []string{"urn:mfa"}}, &session.Session{Provider: provider}, s.defaultProvider)
		login, err := url.Parse(help.Login)
		if err != nil || login.Query().Get("provider") != want || help.provider != want || login.Query().Get("acr_values") != "urn:mfa" {
			t.Errorf("%s: %s", provider, help.Login)
		}
		b := h.browser() // and that is an address that starts it there
		res := b.visit(help.Login, "none")
		to, _ := res.Location()
		callback := "/bff/callback"
		if want != "" {
			callback += "/" + want
		}
		if res.StatusCode != 303 || to.Query().Get("redirect_uri") != h.origin+callback || to.Query().Get("acr_values") != "urn:mfa" {
			t.Errorf("%s: %d to %s", provider, res.StatusCode, to)
		}
	}
}
