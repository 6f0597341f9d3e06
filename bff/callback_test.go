package bff

import (
	"testing"
)

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
