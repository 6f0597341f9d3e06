package bff

import (
	"slices"
	"testing"

	"cloakroom/bff/provider"
	"cloakroom/session"
)

// AUZ-03: nobody is given a scope that was not granted, nor refused one that was, because of which version wrote the session.
func TestASessionOfTheVersionBeforeHasTheScopesOfItsToken(t *testing.T) {
	plain, claimed := provider.Config{}, provider.Config{ScopesClaim: "permissions"}
	for name, c := range map[string]struct {
		cfg   provider.Config
		own   []string
		token string
		want  []string
	}{
		"its own":                         {plain, []string{"a"}, "a b", []string{"a"}},
		"the token's":                     {plain, nil, "openid a", []string{"openid", "a"}},
		"nobody said":                     {plain, nil, "", nil},
		"in a claim that nobody has read": {claimed, nil, "openid a", nil},
		"in a claim":                      {claimed, []string{"b"}, "openid a", []string{"b"}},
	} {
		s := &site{providers: map[string]*keeper{"main": {made: keeping{cfg: c.cfg}}}}
		if got := s.scopesOf(&session.Session{Provider: "main", Scopes: c.own, Tokens: session.Tokens{Scope: c.token}}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := new(site).scopesOf(&session.Session{Provider: "gone", Tokens: session.Tokens{Scope: "a"}}); got != nil {
		t.Errorf("of a provider that is not there: %q", got)
	}
}
