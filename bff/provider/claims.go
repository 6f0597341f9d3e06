package provider

import "strings"

// Bounds of what a session keeps of a user's claims.
const (
	maxClaims = 8 << 10 // bytes of JSON
	maxRoles  = 256
	maxRole   = 256 // bytes
)

// selectClaims returns the claims that the browser may see and the user's roles. The ID token's claims win over userinfo's, because they are signed. A user
// whose claims are too large is refused rather than given a part of them: a rule might ask for what is missing.
func selectClaims(token, userinfo map[string]any, names []string, rolesPath string) (shown map[string]any, roles []string, reason string) {
	claim := func(name string) (any, bool) {
		if v, ok := token[name]; ok {
			return v, true
		}
		v, ok := userinfo[name]
		return v, ok
	}
	shown = map[string]any{"sub": token["sub"]}
	for _, name := range names {
		if v, ok := claim(name); ok {
			shown[name] = plain(v)
		}
	}
	roles = rolesAt(claim, rolesPath)
	if jsonSize(shown) > maxClaims || len(roles) > maxRoles {
		return nil, nil, ReasonClaimsTooLarge
	}
	for _, role := range roles {
		if len(role) > maxRole {
			return nil, nil, ReasonClaimsTooLarge
		}
	}
	return shown, roles, ""
}

// rolesAt finds the array of strings at path. Anything else than an array of nothing but strings is no role: a guess here would be a guess about rights.
func rolesAt(claim func(string) (any, bool), path string) []string {
	list, ok := valueAt(claim, path).([]any)
	if !ok {
		return nil
	}
	roles, _ := texts(list)
	return roles
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
