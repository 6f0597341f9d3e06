package provider

import (
	"errors"
	"net/http"
	"slices"
	"testing"
)

// Tokens that were granted, and came with something that is refused, are handed over to be revoked; those of a sign-in that succeeds, or was refused before, are not.
func TestTokensOfARefusedSignInAreHandedOver(t *testing.T) {
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	for name, tt := range map[string]struct {
		change func(o *op)
		want   []string
	}{
		"it succeeds":                     {func(*op) {}, nil},
		"the code is refused":             {func(o *op) { o.answer["/token"] = down }, nil},
		"the nonce is another's":          {func(o *op) { o.nonce = "another" }, []string{theRefresh}},
		"the ID token is missing":         {func(o *op) { o.token = without("id_token") }, []string{theRefresh}},
		"the ID token is none":            {func(o *op) { o.token = with(map[string]any{"id_token": "x"}) }, []string{theRefresh}},
		"the audience is another":         {func(o *op) { o.claims = with(map[string]any{"aud": "another"}) }, []string{theRefresh}},
		"userinfo is about somebody else": {func(o *op) { o.userinfo = map[string]any{"sub": "bob"} }, []string{theRefresh}},
		"userinfo cannot be had":          {func(o *op) { o.answer["/userinfo"] = down }, []string{theRefresh}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOP(t)
			c := newClientOf(t, o, func(cfg *Config) { cfg.Userinfo = true })
			var got []string
			c.orphaned = func(tokens Tokens) { got = append(got, tokens.Refresh) }
			o.set(func() { tt.change(o) })
			_, err := c.callback(t)
			if (err == nil) != (name == "it succeeds") || !slices.Equal(got, tt.want) {
				t.Errorf("Callback = %v, handed over %q, want %q", err, got, tt.want)
			}
		})
	}
}

// Where the browser has a session that goes on, they are not: at many providers that one would end with them.
func TestTokensOfARefusedSignInBesideASessionAreLeftAlone(t *testing.T) {
	o := newOP(t)
	c := newClientOf(t, o, nil)
	c.orphaned = func(Tokens) { t.Error("handed over") }
	o.set(func() { o.nonce = "another" })
	c.signIn.Beside = true
	if _, err := c.callback(t); err == nil {
		t.Error("a callback with another's nonce succeeds")
	}
}

// The same of a refresh: what came with an ID token that does not agree is revoked with the session.
func TestTokensOfARefusedRefreshAreHandedOver(t *testing.T) {
	o := newOP(t)
	c := newClientOf(t, o, nil)
	var got []string
	c.orphaned = func(tokens Tokens) { got = append(got, tokens.Refresh) }
	if _, err := c.Refresh(t.Context(), theRefresh, c.previous()); err != nil || len(got) != 0 {
		t.Fatalf("Refresh = %v, handed over %q", err, got)
	}
	prev := c.previous()
	prev.Subject = "bob"
	if _, err := c.Refresh(t.Context(), theRefresh, prev); !errors.Is(err, ErrInvalidGrant) || !slices.Equal(got, []string{theRefresh + "-2"}) {
		t.Errorf("Refresh = %v, handed over %q", err, got)
	}
}
