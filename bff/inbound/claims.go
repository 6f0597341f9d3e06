package inbound

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// Bounds of what a token says about its bearer.
const (
	maxClaims = 8 << 10 // bytes of JSON
	maxWords  = 256     // roles, and scopes
)

// judgeClaims decides whether the claims of a token are those of an access token of this issuer, for us and now (RFC 9068, section 4). certificate
// is the client certificate of the connection, nil without one.
func judgeClaims(claims map[string]any, cfg Bearer, now time.Time, certificate []byte) (*Caller, *Refusal) {
	if claims["iss"] != any(cfg.Issuer) {
		return nil, refuse(ReasonTokenIssuer, "")
	}
	if !forUs(claims["aud"], cfg.Audience) {
		return nil, refuse(ReasonTokenAudience, "")
	}
	expires, reason := judgeTimes(claims, now, cfg.ClockSkew)
	if reason == "" {
		reason = judgeBinding(claims, certificate)
	}
	subject := ""
	if reason == "" {
		subject, reason = subjectOf(claims)
	}
	if reason != "" {
		return nil, refuse(reason, "")
	}
	c := bearerOf(cfg, subject)
	c.Expires = expires.Add(cfg.ClockSkew)
	return readClaims(c, claims, cfg)
}

// subjectOf is whom a token is about.
func subjectOf(claims map[string]any) (subject, reason string) {
	subject, ok := claims["sub"].(string)
	if !ok || subject == "" || len(subject) > maxName || strings.ContainsFunc(subject, notVisible) {
		return "", ReasonTokenSubject
	}
	return subject, ""
}

// bearerOf is the bearer of an issuer's token about subject, without what the token says besides.
func bearerOf(cfg Bearer, subject string) *Caller {
	return &Caller{Kind: KindBearer, ID: pseudonym(cfg.Issuer, subject), Issuer: cfg.Issuer, Subject: subject}
}

// readClaims completes a Caller. One whose claims are too large is refused rather than taken with a part of them: a rule might ask for what is missing.
func readClaims(c *Caller, claims map[string]any, cfg Bearer) (*Caller, *Refusal) {
	c.Claims, _ = plain(claims).(map[string]any)
	c.Roles = words(valueAt(claims, cfg.RolesClaim), cfg.RolesFormat)
	c.Scopes = words(valueAt(claims, cfg.ScopesClaim), cfg.ScopesFormat)
	if len(c.Roles) > maxWords || len(c.Scopes) > maxWords || jsonSize(c.Claims) > maxClaims {
		return nil, refuse(ReasonTokenClaims, "")
	}
	if name, ok := claims["client_id"].(string); ok && len(name) <= maxName && !strings.ContainsFunc(name, notVisible) {
		c.Name = name
	}
	if acr, ok := claims["acr"].(string); ok && len(acr) <= maxName {
		c.ACR = acr
	}
	c.AuthTime, _ = numericDate(claims["auth_time"])
	return c, nil
}

// forUs reports whether aud, a string or an array of strings, has one of the names of this server.
func forUs(aud any, names []string) bool {
	switch aud := aud.(type) {
	case string:
		return slices.Contains(names, aud)
	case []any:
		all, ok := texts(aud)
		return ok && slices.ContainsFunc(all, func(a string) bool { return slices.Contains(names, a) })
	}
	return false
}

// judgeTimes decides whether a token is valid now, give or take the clock skew.
func judgeTimes(claims map[string]any, now time.Time, skew time.Duration) (expires time.Time, reason string) {
	expires, ok := numericDate(claims["exp"])
	if !ok {
		return expires, ReasonTokenExpiry
	}
	if !now.Before(expires.Add(skew)) {
		return expires, ReasonTokenExpired
	}
	for _, name := range []string{"nbf", "iat"} {
		v, there := claims[name]
		at, ok := numericDate(v)
		if there && !ok || ok && at.After(now.Add(skew)) {
			return expires, ReasonTokenNotYet
		}
	}
	if _, there := claims["iat"]; !there { // RFC 9068, section 2.2: required
		return expires, ReasonTokenNotYet
	}
	return expires, ""
}

// judgeBinding decides whether whoever brought a token may have it. One that is bound to a key is no bearer: what is bound to a client certificate comes over a
// connection that has proved to have its key (RFC 8705, section 3); proofs of DPoP (RFC 9449) nobody here verifies.
func judgeBinding(claims map[string]any, certificate []byte) (reason string) {
	cnf, there := claims["cnf"]
	if !there {
		return ""
	}
	members, _ := cnf.(map[string]any)
	print, ok := members["x5t#S256"].(string)
	if !ok || len(members) != 1 {
		return ReasonTokenBound
	}
	if certificate == nil || subtle.ConstantTimeCompare([]byte(print), []byte(thumbprint(certificate))) != 1 {
		return ReasonTokenCert
	}
	return ""
}

// thumbprint is that of RFC 8705, section 3.1.
func thumbprint(certificate []byte) string {
	sum := sha256.Sum256(certificate)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// words reads roles or scopes of a configured format. Anything else is none: a guess here would be a guess about rights.
func words(v any, format string) []string {
	var all []string
	switch v := v.(type) {
	case string:
		if format == "space_separated" {
			all = strings.Fields(v)
		}
	case []any:
		if format == "array" {
			all, _ = texts(v)
		}
	}
	return all
}

// pseudonym tells bearers apart in logs and limits without naming them. The issuer belongs to it: two may use the same subject.
func pseudonym(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}
