package configs

import (
	"fmt"
	"maps"
	"slices"

	"cloakroom/proxy/tokens"
	"cloakroom/session"
)

// validateTokens reports routes whose tokens nobody can have: more of them than a session keeps, or with scopes that no user is asked for.
func (c Config) validateTokens(report func(key, problem string)) {
	var asked []string
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		asked = append(asked, c.Providers[name].Scopes...)
	}
	grants := map[string]bool{}
	for i, r := range c.Routes {
		t := tokens.Of(r.Token, r.Auth != "none")
		if t.Method == tokens.Refresh {
			for j, scope := range r.Token.Scopes {
				if !slices.Contains(asked, scope) {
					report(fmt.Sprintf("routes[%d].token.scopes[%d]", i, j), fmt.Sprintf("%q is not asked for at sign-in; add it to the scopes of the provider", scope))
				}
			}
		}
		if !t.Grant() || grants[t.Key] {
			continue
		}
		grants[t.Key] = true
		if len(grants) == session.MaxGrants+1 {
			report(fmt.Sprintf("routes[%d].token", i), fmt.Sprintf("is the %d. different token for routes of users; a session keeps %d, so some would be fetched again and again", len(grants), session.MaxGrants))
		}
	}
}
