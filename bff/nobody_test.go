package bff

import (
	"net/http"
	"strings"
	"testing"

	"cloakroom/bff/inbound"
	"cloakroom/configs"
)

// AUN-06: where no session is read, none helps. A browser that is sent to sign in would come back as nobody, and be sent again: a loop that nobody sees where the provider has a session.
func TestNobodyIsSentToSignInWhereThatDoesNotHelp(t *testing.T) {
	h := newHouse(t, together(
		func(c *configs.Config) {
			c.Callers.APIKey = inbound.APIKey{Header: "X-API-Key"}
			c.Limits.Callers.Rate, c.Limits.Callers.Burst = "2/1h", 2
		},
		guarded("/machines/", func(r *configs.Route) {
			r.Auth, r.Callers, r.Allow.Roles = "none", []string{"api_key"}, []string{"importer"}
		}),
		guarded("/either/", func(r *configs.Route) {
			r.Auth, r.Callers, r.Allow.Roles = "optional", []string{"api_key"}, []string{"importer"}
		}),
	))
	key, _ := h.newKey(APIKey{Name: "importer", Roles: []string{"importer"}})
	b := h.browser()
	if res := b.do("GET", "/machines/x", nil, "X-API-Key", key); res.StatusCode != http.StatusOK {
		t.Fatalf("with a key: %d %s", res.StatusCode, res.body)
	}
	nav := b.visit("/either/x", "none")
	if nav.StatusCode != http.StatusSeeOther { // this one may sign in
		t.Errorf("a navigation where a session is read: %d", nav.StatusCode)
	}
	nav = b.visit("/machines/x", "none")
	if nav.StatusCode != http.StatusUnauthorized || !strings.Contains(nav.Header.Get("WWW-Authenticate"), "X-API-Key") || strings.Contains(nav.body, loginPath) {
		t.Errorf("a navigation: %d %v %s", nav.StatusCode, nav.Header, nav.body)
	}
	// What nobody asks counts by address, with rules as without.
	if res := b.fetch("GET", "/machines/x"); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("once more: %d %s", res.StatusCode, res.body)
	}
}
