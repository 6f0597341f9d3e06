package provider

import (
	"slices"
	"strings"
)

// Bounds of what a session keeps of a user's claims.
const (
	maxClaims = 8 << 10 // bytes of JSON
	maxRoles  = 256
	maxRole   = 256 // bytes
)

// selected is what a session keeps of a user's claims.
type selected struct {
	shown         map[string]any
	roles, scopes []string // scopes are nil unless a claim of theirs is configured
}

// selectClaims returns the claims that the browser may see, and the user's roles and scopes. The ID token's claims win over userinfo's, because they are signed. A user
// whose claims are too large is refused rather than given a part of them: a rule might ask for what is missing.
func (c Config) selectClaims(token, userinfo map[string]any) (s selected, reason string) {
	claim := func(name string) (any, bool) {
		if v, ok := token[name]; ok {
			return v, true
		}
		v, ok := userinfo[name]
		return v, ok
	}
	s.shown = map[string]any{"sub": token["sub"]}
	for _, name := range c.Claims {
		if v, ok := claim(name); ok {
			s.shown[name] = plain(v)
		}
	}
	s.roles = namesAt(claim, c.RolesClaim, c.RolesFormat)
	if c.ScopesClaim != "" {
		s.scopes = append([]string{}, namesAt(claim, c.ScopesClaim, c.ScopesFormat)...) // none is none, and not "as they were"
	}
	if jsonSize(s.shown) > maxClaims || tooMany(s.roles) || tooMany(s.scopes) {
		return selected{}, ReasonClaimsTooLarge
	}
	return s, ""
}

// tooMany tells whether a session cannot keep these roles or scopes.
func tooMany(names []string) bool {
	return len(names) > maxRoles || slices.ContainsFunc(names, func(name string) bool { return len(name) > maxRole })
}

// spaceSeparated is the format of a claim that is one string; any other is an array of nothing but strings.
const spaceSeparated = "space_separated"

// namesAt finds the roles or scopes at path, in the one format that they are to have. What has another one holds none: a guess here would be a guess about rights (AUZ-03).
func namesAt(claim func(string) (any, bool), path, format string) []string {
	v := valueAt(claim, path)
	if format == spaceSeparated {
		text, _ := v.(string)
		return words(text)
	}
	list, _ := v.([]any)
	names, _ := texts(list)
	return names
}

// words are what stands between spaces. Only the space separates: other white space is a part of a word, as of an item in an array.
func words(text string) []string {
	return slices.DeleteFunc(strings.Split(text, " "), func(word string) bool { return word == "" })
}

// granted are the scopes by what the token endpoint said: what it granted, or what was asked for where it says nothing (RFC 6749, section 5.1). Where a claim has them
// instead, they come with it: nil.
func (c Config) granted(scope string, asked []string) []string {
	switch {
	case c.ScopesClaim != "":
		return nil
	case scope == "":
		return asked
	}
	return words(scope)
}

// valueAt follows a dotted path. A name may have dots itself, as those that look like URLs do, or Keycloak's client IDs: of the names that are
// there, the longest is meant.
func valueAt(member func(string) (any, bool), path string) any {
	name, rest := path, ""
	for name != "" {
		if v, ok := member(name); ok {
			if rest == "" {
				return v
			}
			object, _ := v.(map[string]any)
			return valueAt(func(n string) (any, bool) { v, ok := object[n]; return v, ok }, rest)
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return nil
		}
		name, rest = name[:dot], path[dot+1:]
	}
	return nil
}
