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
	judge := func(key string, own tokens.Config, users bool) {
		t := tokens.Of(own, users)
		if t.Method == tokens.Refresh {
			for j, scope := range own.Scopes {
				if !slices.Contains(asked, scope) {
					report(fmt.Sprintf("%s.scopes[%d]", key, j), fmt.Sprintf("%q is not asked for at sign-in; add it to the scopes of the provider", scope))
				}
			}
		}
		if !t.Grant() || grants[t.Key] {
			return
		}
		grants[t.Key] = true
		if len(grants) == session.MaxGrants+1 {
			report(key, fmt.Sprintf("is the %d. different token for routes of users; a session keeps %d, so some would be fetched again and again", len(grants), session.MaxGrants))
		}
	}
	for i, r := range c.Routes {
		judge(fmt.Sprintf("routes[%d].token", i), r.Token, r.Auth != "none")
		if r.Resource.On() {
			judge(fmt.Sprintf("routes[%d].resource.token", i), r.Resource.Token, r.Auth != "none")
		}
		for _, name := range slices.Sorted(maps.Keys(r.Legs)) {
			judge(fmt.Sprintf("routes[%d].compose.%s.token", i, name), r.Legs[name].Token, r.Auth != "none")
		}
	}
}
