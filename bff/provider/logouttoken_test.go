package provider

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestLogoutTokenSaysWhoIsLeaving(t *testing.T) { // BCL-01
	c := newClientOf(t, newOP(t), nil)
	got, err := c.LogoutToken(t.Context(), c.op.logoutToken(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Issuer != c.op.URL || got.Subject != "alice" || got.SID != "op-session-1" || got.IssuedAt.Unix() != c.op.now.Unix() {
		t.Errorf("logout %+v", got)
	}
}

func TestLogoutTokenClaims(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	event := func(v any) func(map[string]any) { return with(map[string]any{"events": v}) }
	for _, tc := range []struct {
		name string
		edit func(map[string]any)
		lax  LogoutTokenConfig
		want string
	}{
		{name: "BCL-02 sub only", edit: without("sid")},
		{name: "BCL-03 sid only", edit: without("sub")},
		{name: "BCL-04 neither sub nor sid", edit: without("sub", "sid"), want: ReasonLogoutSubject},
		{name: "BCL-04 empty sid", edit: with(map[string]any{"sid": ""}), want: ReasonProviderSession},
		{name: "BCL-04 sub is null", edit: with(map[string]any{"sub": nil}), want: ReasonSubject},
		{name: "BCL-04 sub with a line break", edit: with(map[string]any{"sub": "a\nb"}), want: ReasonSubject},
		{name: "BCL-06 another issuer", edit: with(map[string]any{"iss": "https://evil.example"}), want: ReasonIssuer},
		{name: "BCL-06 no issuer", edit: without("iss"), want: ReasonIssuer},
		{name: "BCL-07 another audience", edit: with(map[string]any{"aud": "other"}), want: ReasonAudience},
		{name: "BCL-07 no audience", edit: without("aud"), want: ReasonAudience},
		{name: "BCL-07 a list with us in it", edit: with(map[string]any{"aud": []string{"other", "spa"}})},
		{name: "BCL-07 a list without us", edit: with(map[string]any{"aud": []string{"other"}}), want: ReasonAudience},
		{name: "BCL-09 expired", edit: with(map[string]any{"exp": at(-2 * time.Minute)}), want: ReasonExpired},
		{name: "BCL-09 no exp", edit: without("exp"), want: ReasonExpiry},
		{name: "BCL-09 no exp where that is allowed", edit: without("exp"), lax: LogoutTokenConfig{AllowWithoutExp: true}},
		{name: "BCL-09 no exp and four minutes old", lax: LogoutTokenConfig{AllowWithoutExp: true}, want: ReasonExpired,
			edit: func(c map[string]any) { delete(c, "exp"); c["iat"] = at(-4 * time.Minute) }},
		{name: "BCL-09 expired where exp is not needed", edit: with(map[string]any{"exp": at(-2 * time.Minute)}), lax: LogoutTokenConfig{AllowWithoutExp: true}, want: ReasonExpired},
		{name: "BCL-10 no iat", edit: without("iat"), want: ReasonIssuedAt},
		{name: "BCL-10 iat as text", edit: with(map[string]any{"iat": "now"}), want: ReasonIssuedAt},
		{name: "BCL-10 iat in ten minutes", edit: with(map[string]any{"iat": at(10 * time.Minute)}), want: ReasonIssuedInFuture},
		{name: "BCL-10 iat a day ago", edit: with(map[string]any{"iat": at(-24 * time.Hour)}), want: ReasonIssuedLongAgo},
		{name: "BCL-11 no events", edit: without("events"), want: ReasonLogoutEvents},
		{name: "BCL-11 events is text", edit: event(logoutEvent), want: ReasonLogoutEvents},
		{name: "BCL-11 events is a list", edit: event([]string{logoutEvent}), want: ReasonLogoutEvents},
		{name: "BCL-11 another event", edit: event(map[string]any{"http://schemas.openid.net/event/other": map[string]any{}}), want: ReasonLogoutEvents},
		{name: "BCL-11 the event is text", edit: event(map[string]any{logoutEvent: "yes"}), want: ReasonLogoutEvents},
		{name: "BCL-11 the event is null", edit: event(map[string]any{logoutEvent: nil}), want: ReasonLogoutEvents},
		{name: "BCL-11 the event is an object with members", edit: event(map[string]any{logoutEvent: map[string]any{"a": 1}})},
		{name: "BCL-12 a nonce", edit: with(map[string]any{"nonce": "x"}), want: ReasonLogoutNonce},
		{name: "BCL-12 an empty nonce", edit: with(map[string]any{"nonce": ""}), want: ReasonLogoutNonce},
		{name: "BCL-12 a nonce that is null", edit: with(map[string]any{"nonce": nil}), want: ReasonLogoutNonce},
		{name: "BCL-14 no jti", edit: without("jti"), want: ReasonLogoutID},
		{name: "BCL-14 empty jti", edit: with(map[string]any{"jti": ""}), want: ReasonLogoutID},
		{name: "BCL-14 jti is a number", edit: with(map[string]any{"jti": 1}), want: ReasonLogoutID},
		{name: "more than 16 kB", edit: with(map[string]any{"x": strings.Repeat("a", 16<<10)}), want: ReasonTokenTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.now = now
			c := newClientOf(t, o, func(cfg *Config) { cfg.LogoutToken = tc.lax })
			_, err := c.LogoutToken(t.Context(), o.logoutToken(tc.edit))
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("reason %q, want %q", got, tc.want)
			}
			if n := c.op.count("/jwks"); n != 1 {
				t.Errorf("%d key fetches, want the first one only", n)
			}
		})
	}
}

func TestLogoutTokenForm(t *testing.T) {
	lax := LogoutTokenConfig{AllowUntyped: true}
	typed := func(typ any) func(*op) string {
		return func(o *op) string { return sign(o.logoutClaims(), "rsa", jose.RS256, map[string]any{"typ": typ}) }
	}
	untyped := func(o *op) string { return sign(o.logoutClaims(), "rsa", jose.RS256, nil) }
	asJSON := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	for _, tc := range []struct {
		name string
		mint func(*op) string
		lax  LogoutTokenConfig
		want string
	}{
		{name: "BCL-13 typ in another case", mint: typed("Logout+JWT")},
		{name: "BCL-13 typ in full", mint: typed("application/logout+jwt")},
		{name: "BCL-13 at+jwt", mint: typed("at+jwt"), want: ReasonTokenType},
		{name: "BCL-13 secevent+jwt", mint: typed("secevent+jwt"), want: ReasonTokenType},
		{name: "BCL-13 dpop+jwt", mint: typed("dpop+jwt"), want: ReasonTokenType},
		{name: "BCL-13 dpop+jwt where untyped is allowed", mint: typed("dpop+jwt"), lax: lax, want: ReasonTokenType},
		{name: "BCL-13 no typ", mint: untyped, want: ReasonTokenType},
		{name: "BCL-13 JWT", mint: typed("JWT"), want: ReasonTokenType},
		{name: "BCL-13 no typ where that is allowed", mint: untyped, lax: lax},
		{name: "BCL-13 JWT where that is allowed", mint: typed("JWT"), lax: lax},
		{name: "BCL-08 signed by a key that is not published", want: ReasonSignature, mint: func(o *op) string {
			return sign(o.logoutClaims(), "other", jose.RS256, map[string]any{"typ": "logout+jwt"})
		}},
		{name: "BCL-08 another key under a published kid", want: ReasonSignature, mint: func(o *op) string {
			return signBytes([]byte(asJSON(o.logoutClaims())), testKeys()["other"], "rsa", jose.RS256, map[string]any{"typ": "logout+jwt"})
		}},
		{name: "BCL-08 alg none", want: ReasonTokenAlgorithm, mint: func(o *op) string {
			return handMade(`{"alg":"none","typ":"logout+jwt"}`, asJSON(o.logoutClaims()), "x")
		}},
		{name: "BCL-08 HS256 with the client secret", want: ReasonTokenAlgorithm, mint: func(o *op) string {
			return signBytes([]byte(asJSON(o.logoutClaims())), []byte(theSecret+theSecret), "", jose.HS256, map[string]any{"typ": "logout+jwt"})
		}},
		{name: "BCL-15 OIDC-18 an ID token", want: ReasonTokenType, mint: func(o *op) string { return o.idToken(nil) }},
		{name: "BCL-15 OIDC-18 an ID token where untyped is allowed", lax: lax, want: ReasonLogoutEvents, mint: func(o *op) string { return o.idToken(nil) }},
		{name: "BCL-25 encrypted", want: ReasonTokenEncrypted, mint: func(*op) string { return "e30.AA.AA.AA.AA" }},
		{name: "not a token at all", want: ReasonTokenMalformed, mint: func(*op) string { return "logout" }},
		{name: "OIDC-19 a duplicate member", want: ReasonTokenMalformed, mint: func(o *op) string {
			return signBytes([]byte(`{"sub":"bob",`+asJSON(o.logoutClaims())[1:]), testKeys()["rsa"], "rsa", jose.RS256, map[string]any{"typ": "logout+jwt"})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.LogoutToken = tc.lax })
			_, err := c.LogoutToken(t.Context(), tc.mint(c.op))
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("reason %q, want %q", got, tc.want)
			}
		})
	}
}
