package provider

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// minClientSecret is the length of the shortest client secret, in bytes.
const minClientSecret = 16

// ownParams are the parameters of the authorization request that this package sets, or whose answer it would have to
// enforce: fixing them in the configuration would switch a check off.
var ownParams = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri", "id_token_hint", "max_age", "acr_values", "claims",
}

// Validate reports what is wrong with c, key by key.
func (c Config) Validate(report func(key, problem string)) {
	if problem := badIssuer(c.Issuer); problem != "" {
		report("issuer", problem)
	}
	if strings.ContainsFunc(c.ClientID, notVisible) {
		report("client_id", fmt.Sprintf("%q has a character that no client ID may have (RFC 6749, appendix A.1)", c.ClientID))
	}
	if problem := c.ClientSecret.Weakness(minClientSecret); problem != "" {
		report("client_secret", problem)
	} else if strings.ContainsFunc(c.ClientSecret.Reveal(), notVisible) {
		report("client_secret", "has a line break or another character that no client secret may have (RFC 6749, appendix A.2); a file must be plain text in UTF-8")
	}
	if c.ClockSkew > 60*time.Second {
		report("clock_skew", fmt.Sprintf("%v is more than 60s; set the clock instead", c.ClockSkew))
	}
	if c.Timeout < time.Second || c.Timeout > 60*time.Second {
		report("timeout", fmt.Sprintf("%v is not between 1s and 60s", c.Timeout))
	}
	c.validateLists(report)
	c.validateParams(report)
}

func (c Config) validateLists(report func(key, problem string)) {
	if !slices.Contains(c.Scopes, "openid") {
		report("scopes", "must have openid: without it there is no ID token, and nobody is signed in")
	}
	if len(c.SigningAlgs) == 0 {
		report("signing_algs", "is empty; leave the key out for the usual ones")
	}
	for key, path := range map[string]string{"roles_claim": c.RolesClaim, "scopes_claim": c.ScopesClaim} {
		if path != "" && slices.Contains(strings.Split(path, "."), "") {
			report(key, fmt.Sprintf("%q has an empty part; write a dotted path such as realm_access.roles", path))
		}
	}
	for key, list := range map[string][]string{
		"scopes": c.Scopes, "claims": c.Claims, "trusted_audiences": c.TrustedAudiences, "signing_algs": c.SigningAlgs,
	} {
		for i, s := range list {
			item := fmt.Sprintf("%s[%d]", key, i)
			if slices.Index(list, s) < i {
				report(item, fmt.Sprintf("%q is there twice", s))
			}
			if key == "scopes" && strings.ContainsFunc(s, notScope) {
				report(item, fmt.Sprintf("%q is no scope; several are several items of the list", s))
			}
		}
	}
}

func (c Config) validateParams(report func(key, problem string)) {
	for _, name := range slices.Sorted(maps.Keys(c.AuthorizeParams)) {
		if slices.Contains(ownParams, name) {
			report("authorize_params."+name, "is set by Cloakroom itself, from its own keys and checks; leave it out")
		}
	}
}

// badIssuer says why text is no issuer identifier (OpenID Connect Discovery, section 3).
func badIssuer(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Sprintf("%q is no issuer; write the provider's URL, such as https://id.example.com", text)
	case u.User != nil:
		return "has a user name or password in it; an issuer has none"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return fmt.Sprintf("%q has a query or fragment; an issuer has none", text)
	case strings.Contains(u.Path, "/.well-known/"):
		return fmt.Sprintf("%q is the discovery document; write what stands before /.well-known/", text)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Sprintf("%q is plain http, where anybody on the way can sign in as anybody; write https (http is for localhost alone)", text)
	}
	return ""
}

func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func notVisible(r rune) bool { return r < ' ' || r > '~' }

// notScope tells what cannot stand in a scope (RFC 6749, section 3.3).
func notScope(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
