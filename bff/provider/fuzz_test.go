package provider

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzParseSignIn: what is accepted arrives at the provider exactly as one parameter of its own name, bounded and without control characters.
func FuzzParseSignIn(f *testing.F) {
	f.Add("prompt=login&login_hint=a%26b&ui_locales=de&acr_values=x&max_age=5")
	f.Add("prompt=none+login&max_age=-0&login_hint=%0d%0a")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		s := NewSignIn()
		if err := ParseSignIn(q, &s); err != nil {
			if strings.ContainsAny(err.Error(), "\r\n\x00") || len(err.Error()) > 200 {
				t.Errorf("error %q", err)
			}
			return
		}
		for _, name := range []string{"prompt", "login_hint", "ui_locales", "acr_values"} {
			got := map[string]string{"prompt": s.Prompt, "login_hint": s.LoginHint, "ui_locales": s.UILocales, "acr_values": s.ACRValues}[name]
			if got != q.Get(name) || len(got) > 255 || strings.ContainsAny(got, "\r\n\x00") {
				t.Errorf("%s is %q of %q", name, got, q.Get(name))
			}
		}
		if s.MaxAge != nil && *s.MaxAge < 0 {
			t.Errorf("max_age %d", *s.MaxAge)
		}
	})
}

var fuzzNow = time.Unix(1_800_000_000, 0)

func fuzzParty() party {
	return party{issuer: "https://id.example.com", clientID: "spa", now: fuzzNow, skew: time.Minute}
}

// FuzzIDToken: a payload that is accepted names our issuer, an identifier as subject and a time about now.
func FuzzIDToken(f *testing.F) {
	f.Add(`{"iss":"https://id.example.com","aud":"spa","sub":"alice","exp":1800000100,"iat":1800000000,"nonce":"n"}`)
	f.Add(`{"iss":"https://id.example.com","aud":["spa"],"sub":"alice","exp":18000001e2,"iat":1800000000.5,"auth_time":1e30}`)
	f.Add(`{"iss":"https://id.example.com","aud":"spa","sub":"alice","sub":"bob","exp":1e999,"iat":[]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		tok, err := parseToken(handMade(`{"alg":"RS256"}`, payload, "x"), []string{"RS256"})
		if err != nil {
			return
		}
		id, reason := checkIDToken(tok, fuzzParty())
		if reason != "" {
			return
		}
		if tok.claims["iss"] != any("https://id.example.com") || !isIdentifier(id.subject) || id.issuedAt.Sub(fuzzNow).Abs() > 7*time.Minute {
			t.Errorf("accepted %q as %+v", payload, id)
		}
		cfg := Config{Claims: []string{"a"}, RolesClaim: "a.b", ScopesClaim: "a.b", ScopesFormat: spaceSeparated}
		if s, _ := cfg.selectClaims(tok.claims, nil); len(s.roles) > maxRoles || len(s.scopes) > maxRoles || len(s.roles) > 0 && len(s.scopes) > 0 {
			t.Errorf("%d roles and %d scopes of one claim", len(s.roles), len(s.scopes))
		}
	})
}

// FuzzLogoutToken: nothing crashes on a raw token, and a payload that is accepted has no nonce and names somebody.
func FuzzLogoutToken(f *testing.F) {
	f.Add(`{"alg":"RS256","typ":"logout+jwt"}`, `{"iss":"https://id.example.com","aud":"spa","sub":"alice","jti":"1","exp":1800000100,"iat":1800000000,"events":{"`+logoutEvent+`":{}}}`)
	f.Add(`{"alg":"RS256","typ":"at+jwt","crit":[]}`, `{"events":[],"nonce":null}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		parseToken(header+"."+payload, []string{"RS256"})
		tok, err := parseToken(handMade(header, payload, "x"), []string{"RS256"})
		if err != nil {
			return
		}
		got, reason := checkLogoutToken(tok, fuzzParty(), LogoutTokenConfig{AllowUntyped: true, AllowWithoutExp: true})
		if reason != "" {
			return
		}
		_, nonce := tok.claims["nonce"]
		if nonce || got.Subject == "" && got.SID == "" || got.Issuer != "https://id.example.com" {
			t.Errorf("accepted %q as %+v", payload, got)
		}
	})
}
