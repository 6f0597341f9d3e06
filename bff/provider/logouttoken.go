package provider

import (
	"context"
	"slices"
	"time"
)

// logoutEvent is the member of `events` that makes a token a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// maxLogoutAge is how long a logout token without exp is good, where the configuration takes such.
const maxLogoutAge = 2 * time.Minute

// Logout is what a logout token says: that a session of the provider, or all of a user, are over. At least one of Subject and SID is set.
type Logout struct {
	Issuer, Subject, SID string
	// IssuedAt orders it among sign-ins, by the provider's clock.
	IssuedAt time.Time
}

// LogoutToken decides whether raw is a logout token of this provider for us (OpenID Connect Back-Channel Logout 1.0, section 2.6). The error is a *Refusal,
// with ReasonIssuer if the token is another provider's, or wraps ErrUnavailable.
func (p *Provider) LogoutToken(ctx context.Context, raw string) (*Logout, error) {
	k, err := p.current()
	if err != nil {
		return nil, err
	}
	t, err := parseToken(raw, p.cfg.SigningAlgs)
	if err != nil {
		return nil, err
	}
	logout, reason := checkLogoutToken(t, p.party(), p.cfg.LogoutToken)
	if reason != "" {
		return nil, refuse(reason, "")
	}
	if err := p.verified(ctx, k, t); err != nil {
		return nil, err
	}
	return &logout, nil
}

// checkLogoutToken judges header and claims of a logout token. It returns what the token says, or the reason to refuse it.
//
// Other audiences beside us are no reason: unlike an ID token, it lets nobody in.
func checkLogoutToken(t signedToken, e party, lax LogoutTokenConfig) (Logout, string) {
	typed := t.typ == "logout+jwt"
	if !typed && !(lax.AllowUntyped && (t.typ == "" || t.typ == "jwt")) {
		return Logout{}, ReasonTokenType
	}
	c := t.claims
	if c["iss"] != any(e.issuer) {
		return Logout{}, ReasonIssuer
	}
	if all, ok := audience(c["aud"]); !ok || !slices.Contains(all, e.clientID) {
		return Logout{}, ReasonAudience
	}
	if reason := checkLogoutTimes(c, e, lax); reason != "" {
		return Logout{}, reason
	}
	events, _ := c["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return Logout{}, ReasonLogoutEvents
	}
	if _, there := c["nonce"]; there { // even null: so that no ID token can ever be taken for one
		return Logout{}, ReasonLogoutNonce
	}
	if jti, _ := c["jti"].(string); jti == "" || len(jti) > maxLogoutID {
		return Logout{}, ReasonLogoutID
	}
	return readLogout(c, e)
}

// maxLogoutID bounds jti, in bytes.
const maxLogoutID = 1 << 10

func checkLogoutTimes(c map[string]any, e party, lax LogoutTokenConfig) string {
	if reason := checkIssuedAt(c, e); reason != "" {
		return reason
	}
	if _, there := c["exp"]; there || !lax.AllowWithoutExp {
		return checkExpiry(c, e)
	}
	if iat, _ := numericDate(c["iat"]); iat.Before(e.now.Add(-maxLogoutAge - e.skew)) {
		return ReasonExpired
	}
	return ""
}

// readLogout reads whose sessions are over.
func readLogout(c map[string]any, e party) (Logout, string) {
	l := Logout{Issuer: e.issuer}
	l.IssuedAt, _ = numericDate(c["iat"])
	var ok bool
	if v, there := c["sub"]; there {
		if l.Subject, ok = v.(string); !ok || !isIdentifier(l.Subject) {
			return Logout{}, ReasonSubject
		}
	}
	if v, there := c["sid"]; there {
		if l.SID, ok = v.(string); !ok || !isIdentifier(l.SID) {
			return Logout{}, ReasonProviderSession
		}
	}
	if l.Subject == "" && l.SID == "" {
		return Logout{}, ReasonLogoutSubject
	}
	return l, ""
}
