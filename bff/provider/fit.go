package provider

import (
	"slices"
	"strings"
)

// onlyIfFit returns a token that is what was wanted. One that is not is never used: it may open more than the route is for. Nor is it revoked: there are providers
// that revoke the user's refresh token along.
func onlyIfFit(t Tokens, w Wanted) (Tokens, error) {
	if reason := unfit(t, w); reason != "" {
		return Tokens{}, notGranted(reason, nil)
	}
	return t, nil
}

// unfit says why a token is not what was wanted, as far as can be seen. Some providers pass over a parameter that they do not know, and answer 200 with a token for somebody
// else. An opaque token does not show its audience. Less scope than was asked for is fine (RFC 8693, section 2.2.1): the upstream will say what is missing.
func unfit(t Tokens, w Wanted) (reason string) {
	claims, isJWT := claimsOf(t.Access)
	if isJWT && (w.Audience != "" || w.Resource != "") && !names(claims["aud"], w) {
		return ReasonGrantAudience
	}
	scopes := slices.Concat(strings.Fields(t.Scope), scopesIn(claims["scope"]), scopesIn(claims["scp"]))
	if len(w.Scopes) > 0 && slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(w.Scopes, s) }) {
		return ReasonGrantScope
	}
	return ""
}

// scopesIn reads what a token says that it is good for: a text by RFC 9068; several providers write scp, or a list.
func scopesIn(claim any) (all []string) {
	if list, ok := claim.([]any); ok {
		for _, v := range list {
			if s, ok := v.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	text, _ := claim.(string)
	return strings.Fields(text)
}

// claimsOf are the claims of an access token that is a JWT. Its signature is the upstream's to check; it came straight from the token endpoint.
func claimsOf(access string) (map[string]any, bool) {
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		return nil, false
	}
	header, err := decodeJSONPart(parts[0])
	if err != nil || header["alg"] == nil {
		return nil, false
	}
	claims, err := decodeJSONPart(parts[1])
	return claims, err == nil
}

// names reports whether aud, a string or a list of them (RFC 7519, section 4.1.3), has the wanted audience or resource.
func names(aud any, w Wanted) bool {
	is := func(a any) bool {
		s, ok := a.(string)
		return ok && s != "" && (s == w.Audience || s == w.Resource)
	}
	if list, ok := aud.([]any); ok {
		return slices.ContainsFunc(list, is)
	}
	return is(aud)
}
