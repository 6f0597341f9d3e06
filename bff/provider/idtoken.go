package provider

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// maxTokenAge bounds how long ago a token that just arrived may have been issued, beyond the clock skew. A larger distance means that
// the clocks differ by more than is allowed, or that somebody kept the token. Microsoft Entra ID dates its tokens back by five minutes, and some seconds
// pass on the way.
const maxTokenAge = 6 * time.Minute

// idToken is what an ID token says, once its claims have been judged.
type idToken struct {
	subject, session, acr string
	nonce                 string
	hasNonce              bool
	issuedAt, authTime    time.Time // authTime is zero if the token has none
}

// party is what every token is measured against.
type party struct {
	issuer, clientID string
	trusted          []string // may be in aud beside clientID
	now              time.Time
	skew             time.Duration
}

func (p *Provider) party() party {
	return party{issuer: p.cfg.Issuer, clientID: p.cfg.ClientID, trusted: p.cfg.TrustedAudiences, now: p.now(), skew: p.cfg.ClockSkew}
}

// checkIDToken judges the claims of an ID token as far as they do not depend on what it is for (OpenID Connect Core, sections 2 and 3.1.3.7). It
// returns what the token says, or the reason to refuse it.
func checkIDToken(t signedToken, e party) (idToken, string) {
	if t.typ != "" && t.typ != "jwt" {
		return idToken{}, ReasonTokenType // at+jwt, logout+jwt and their like
	}
	if events, ok := t.claims["events"].(map[string]any); ok {
		if _, ok := events[logoutEvent]; ok {
			return idToken{}, ReasonTokenType // a logout token of a provider that does not type them
		}
	}
	if t.claims["iss"] != any(e.issuer) {
		return idToken{}, ReasonIssuer
	}
	for _, check := range []func(map[string]any, party) string{checkAudience, checkExpiry, checkIssuedAt} {
		if reason := check(t.claims, e); reason != "" {
			return idToken{}, reason
		}
	}
	return readIDToken(t.claims, e)
}

// checkAudience decides whether the token is for us, and for nobody whom we do not trust (section 3.1.3.7, items 3 to 5).
func checkAudience(c map[string]any, e party) string {
	all, ok := audience(c["aud"])
	if !ok || !slices.Contains(all, e.clientID) {
		return ReasonAudience
	}
	for _, a := range all {
		if a != e.clientID && !slices.Contains(e.trusted, a) {
			return ReasonAudienceUntrusted
		}
	}
	if azp, there := c["azp"]; there && azp != any(e.clientID) {
		return ReasonAuthorizedParty
	}
	return ""
}

// audience reads aud, a string or an array of strings.
func audience(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		return texts(v)
	}
	return nil, false
}

// texts returns list as strings, if it is nothing but strings.
func texts(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}

// checkExpiry decides whether the token is valid now, give or take the clock skew.
func checkExpiry(c map[string]any, e party) string {
	exp, ok := numericDate(c["exp"])
	if !ok {
		return ReasonExpiry
	}
	if !e.now.Before(exp.Add(e.skew)) {
		return ReasonExpired
	}
	if v, there := c["nbf"]; there {
		if nbf, ok := numericDate(v); !ok || nbf.After(e.now.Add(e.skew)) {
			return ReasonNotYetValid
		}
	}
	return ""
}

// checkIssuedAt decides whether the token was issued about now.
func checkIssuedAt(c map[string]any, e party) string {
	iat, ok := numericDate(c["iat"])
	switch {
	case !ok:
		return ReasonIssuedAt
	case iat.After(e.now.Add(e.skew)):
		return ReasonIssuedInFuture
	case iat.Before(e.now.Add(-maxTokenAge - e.skew)):
		return ReasonIssuedLongAgo
	}
	return ""
}

// readIDToken reads the claims that name the user and the authentication.
func readIDToken(c map[string]any, e party) (idToken, string) {
	var t idToken
	var ok bool
	t.issuedAt, _ = numericDate(c["iat"])
	if t.subject, ok = c["sub"].(string); !ok || !isIdentifier(t.subject) {
		return idToken{}, ReasonSubject
	}
	if v, there := c["sid"]; there {
		// Not ignored if odd: back-channel logout would then miss the session.
		if t.session, ok = v.(string); !ok || !isIdentifier(t.session) {
			return idToken{}, ReasonProviderSession
		}
	}
	if v, there := c["auth_time"]; there {
		if t.authTime, ok = numericDate(v); !ok || t.authTime.After(e.now.Add(e.skew)) {
			return idToken{}, ReasonAuthTime
		}
	}
	if v, there := c["nonce"]; there {
		if t.nonce, ok = v.(string); !ok {
			return idToken{}, ReasonNonce
		}
		t.hasNonce = true
	}
	if t.acr, ok = c["acr"].(string); ok && len(t.acr) > 255 {
		return idToken{}, ReasonACR
	}
	return t, ""
}

// checkSignIn judges whether the ID token answers the sign-in s (section 3.1.3.7, items 11 to 13). acr_values is a wish in the standard; whoever asks for
// one here wants it, so that an answer without it is refused. prompt=login without max_age is checked only if the provider says when the user
// authenticated: it need not say.
func checkSignIn(t idToken, s SignIn, e party) string {
	if s.Nonce == "" || t.nonce != s.Nonce {
		return ReasonNonce
	}
	if s.MaxAge != nil {
		if t.authTime.IsZero() {
			return ReasonAuthTimeMissing
		}
		// Counted to the request: what the user does at the provider after that, such as consent, takes its time.
		if s.Started <= 0 || time.Unix(s.Started, 0).Sub(t.authTime) > time.Duration(*s.MaxAge)*time.Second+e.skew {
			return ReasonAuthTimeStale
		}
	}
	if slices.Contains(strings.Fields(s.Prompt), "login") && !t.authTime.IsZero() && t.authTime.Add(e.skew).Before(time.Unix(s.Started, 0)) {
		return ReasonAuthTimeStale
	}
	if s.ACRValues != "" && !slices.Contains(strings.Fields(s.ACRValues), t.acr) {
		return ReasonACR
	}
	return ""
}

// checkAccessTokenHash judges at_hash, where there is one: the left half of the access token's hash (section 3.1.3.6).
func checkAccessTokenHash(t signedToken, access string) string {
	v, there := t.claims["at_hash"]
	if !there {
		return ""
	}
	want := leftHalf(t.alg, access)
	if got, ok := v.(string); !ok || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return ReasonAccessTokenHash
	}
	return ""
}

func leftHalf(alg, text string) string {
	var sum []byte
	switch {
	case strings.HasSuffix(alg, "256"):
		h := sha256.Sum256([]byte(text))
		sum = h[:]
	case strings.HasSuffix(alg, "384"):
		h := sha512.Sum384([]byte(text))
		sum = h[:]
	default: // 512, and EdDSA, whose Ed25519 hashes with SHA-512
		h := sha512.Sum512([]byte(text))
		sum = h[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
