package provider

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestSignInEndsWithWhatTheIDTokenSays(t *testing.T) {
	o := newOP(t)
	c := newClientOf(t, o, nil)
	o.claims = with(map[string]any{"auth_time": o.now.Add(-time.Minute).Unix(), "acr": "gold", "aud": []string{"spa"}, "azp": "spa",
		"at_hash": leftHalf("RS256", theAccess), "email": "alice@example.com", "secretish": "x"})
	id, err := c.callback(t)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(id.Claims)
	if want := `{"email":"alice@example.com","name":"Alice","sub":"alice"}`; string(got) != want {
		t.Errorf("claims %s, want %s", got, want)
	}
	if id.Issuer != o.URL || id.Subject != "alice" || id.ProviderSession != "op-session-1" || id.ACR != "gold" ||
		id.IssuedAt.Unix() != o.now.Unix() || id.AuthTime.Unix() != o.now.Add(-time.Minute).Unix() || strings.Join(id.Roles, ",") != "customer,support" {
		t.Errorf("identity %+v", id)
	}
	if id.Tokens.Access != theAccess || id.Tokens.Refresh != theRefresh || id.Tokens.ID != "" || id.Tokens.Scope != "openid" ||
		!id.Tokens.Issued.Equal(o.now) || !id.Tokens.Expires.Equal(o.now.Add(10*time.Minute)) {
		t.Errorf("tokens %+v", id.Tokens)
	}
}

func TestEveryConfiguredAlgorithmVerifies(t *testing.T) {
	for key, alg := range map[string]jose.SignatureAlgorithm{"rsa": jose.RS256, "ec": jose.ES256, "ed": jose.EdDSA} {
		o := newOP(t)
		o.mint = func(c map[string]any) string {
			c["at_hash"] = leftHalf(string(alg), theAccess)
			return sign(c, key, alg, map[string]any{"typ": "JWT"})
		}
		c := newClientOf(t, o, nil)
		if _, err := c.callback(t); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestIDTokenClaims(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	sixty := 60
	for _, tc := range []struct {
		name   string
		claims func(map[string]any)
		signIn func(*SignIn)
		want   string
	}{
		{"OIDC-01 another issuer", with(map[string]any{"iss": "https://evil.example"}), nil, ReasonIssuer},
		{"OIDC-01 issuer with a slash more", func(c map[string]any) { c["iss"] = c["iss"].(string) + "/" }, nil, ReasonIssuer},
		{"OIDC-01 issuer in upper case", func(c map[string]any) { c["iss"] = strings.ToUpper(c["iss"].(string)) }, nil, ReasonIssuer},
		{"OIDC-01 issuer of another scheme", func(c map[string]any) { c["iss"] = strings.Replace(c["iss"].(string), "http:", "https:", 1) }, nil, ReasonIssuer},
		{"OIDC-01 issuer without a scheme", func(c map[string]any) { c["iss"] = strings.TrimPrefix(c["iss"].(string), "http://") }, nil, ReasonIssuer},
		{"OIDC-01 no issuer", without("iss"), nil, ReasonIssuer},
		{"OIDC-02 audience is another client", with(map[string]any{"aud": "other"}), nil, ReasonAudience},
		{"OIDC-02 no audience", without("aud"), nil, ReasonAudience},
		{"OIDC-02 audience with a number in it", with(map[string]any{"aud": []any{"spa", 1}}), nil, ReasonAudience},
		{"OIDC-02 a further audience", with(map[string]any{"aud": []string{"spa", "other"}}), nil, ReasonAudienceUntrusted},
		{"OIDC-02 a further audience that is trusted", with(map[string]any{"aud": []string{"spa", "trusted-api"}}), nil, ""},
		{"OIDC-03 azp is another client", with(map[string]any{"azp": "other"}), nil, ReasonAuthorizedParty},
		{"OIDC-03 azp is no text", with(map[string]any{"azp": []string{"spa"}}), nil, ReasonAuthorizedParty},
		{"OIDC-06 expired two minutes ago", with(map[string]any{"exp": at(-2 * time.Minute)}), nil, ReasonExpired},
		{"OIDC-06 expired within the leeway", with(map[string]any{"exp": at(-30 * time.Second)}), nil, ""},
		{"OIDC-06 no exp", without("exp"), nil, ReasonExpiry},
		{"OIDC-06 exp as text", with(map[string]any{"exp": "9999999999"}), nil, ReasonExpiry},
		{"OIDC-06 exp overflows", with(map[string]any{"exp": json.RawMessage("1e30")}), nil, ReasonExpiry},
		{"OIDC-06 exp overflows float64", with(map[string]any{"exp": json.RawMessage("1e999")}), nil, ReasonExpiry},
		{"OIDC-06 exp is negative", with(map[string]any{"exp": -1}), nil, ReasonExpiry},
		{"OIDC-06 exp is null", with(map[string]any{"exp": nil}), nil, ReasonExpiry},
		{"OIDC-06 exp with a fraction", with(map[string]any{"exp": float64(at(time.Hour)) + 0.5}), nil, ""},
		{"OIDC-07 iat is ten minutes ahead", with(map[string]any{"iat": at(10 * time.Minute)}), nil, ReasonIssuedInFuture},
		{"OIDC-07 iat is a day old", with(map[string]any{"iat": at(-24 * time.Hour)}), nil, ReasonIssuedLongAgo},
		{"OIDC-07 iat is eight minutes old", with(map[string]any{"iat": at(-8 * time.Minute)}), nil, ReasonIssuedLongAgo},
		{"OIDC-07 no iat", without("iat"), nil, ReasonIssuedAt},
		{"OIDC-07 nbf is two minutes ahead", with(map[string]any{"nbf": at(2 * time.Minute)}), nil, ReasonNotYetValid},
		{"OIDC-07 nbf is text", with(map[string]any{"nbf": "soon"}), nil, ReasonNotYetValid},
		{"OIDC-07 nbf within the leeway", with(map[string]any{"nbf": at(30 * time.Second)}), nil, ""},
		{"OIDC-08 no nonce", without("nonce"), nil, ReasonNonce},
		{"OIDC-08 empty nonce", with(map[string]any{"nonce": ""}), nil, ReasonNonce},
		{"OIDC-08 nonce of another sign-in", with(map[string]any{"nonce": NewSignIn().Nonce}), nil, ReasonNonce},
		{"OIDC-08 nonce is a number", with(map[string]any{"nonce": 1}), nil, ReasonNonce},
		{"OIDC-09 max_age and no auth_time", nil, func(s *SignIn) { s.MaxAge = &sixty }, ReasonAuthTimeMissing},
		{"OIDC-09 max_age and an old auth_time", with(map[string]any{"auth_time": at(-time.Hour)}), func(s *SignIn) { s.MaxAge = &sixty }, ReasonAuthTimeStale},
		{"OIDC-09 max_age and a fresh auth_time", with(map[string]any{"auth_time": at(-10 * time.Second)}), func(s *SignIn) { s.MaxAge = &sixty }, ""},
		{"OIDC-09 auth_time as text", with(map[string]any{"auth_time": "now"}), nil, ReasonAuthTime},
		{"OIDC-09 auth_time ahead", with(map[string]any{"auth_time": at(10 * time.Minute)}), nil, ReasonAuthTime},
		{"OIDC-09 acr_values and no acr", nil, func(s *SignIn) { s.ACRValues = "gold silver" }, ReasonACR},
		{"OIDC-09 acr_values and another acr", with(map[string]any{"acr": "bronze"}), func(s *SignIn) { s.ACRValues = "gold silver" }, ReasonACR},
		{"OIDC-09 acr_values and one of them", with(map[string]any{"acr": "silver"}), func(s *SignIn) { s.ACRValues = "gold silver" }, ""},
		{"OIDC-09 max_age, and five minutes at the provider after the password", with(map[string]any{"auth_time": at(-5 * time.Minute)}),
			func(s *SignIn) { s.MaxAge = new(int); s.Started -= 300 }, ""},
		{"OIDC-09 max_age, and a password from before the request", with(map[string]any{"auth_time": at(-8 * time.Minute)}),
			func(s *SignIn) { s.MaxAge = new(int); s.Started -= 300 }, ReasonAuthTimeStale},
		{"prompt=login and an authentication from before", with(map[string]any{"auth_time": at(-time.Hour)}), func(s *SignIn) { s.Prompt = "login" }, ReasonAuthTimeStale},
		{"OIDC-10 at_hash of another token", with(map[string]any{"at_hash": leftHalf("RS256", "another")}), nil, ReasonAccessTokenHash},
		{"OIDC-10 at_hash is no text", with(map[string]any{"at_hash": 5}), nil, ReasonAccessTokenHash},
		{"OIDC-14 no sub", without("sub"), nil, ReasonSubject},
		{"OIDC-14 sub is a number", with(map[string]any{"sub": 42}), nil, ReasonSubject},
		{"OIDC-14 sub is empty", with(map[string]any{"sub": ""}), nil, ReasonSubject},
		{"OIDC-14 sub of 256 characters", with(map[string]any{"sub": strings.Repeat("a", 256)}), nil, ReasonSubject},
		{"OIDC-14 sub of 255 characters", with(map[string]any{"sub": strings.Repeat("a", 255)}), nil, ""},
		{"OIDC-14 sub with NUL", with(map[string]any{"sub": "a\x00b"}), nil, ReasonSubject},
		{"OIDC-14 sub with a line break", with(map[string]any{"sub": "a\nb"}), nil, ReasonSubject},
		{"OIDC-14 sub beyond ASCII", with(map[string]any{"sub": "älice"}), nil, ReasonSubject},
		{"sid that could not be found again", with(map[string]any{"sid": 7}), nil, ReasonProviderSession},
		{"OIDC-18 members of a logout token", with(map[string]any{"events": map[string]any{logoutEvent: map[string]any{}}}), nil, ReasonTokenType},
		{"OIDC-14 sub of 1 MB", with(map[string]any{"sub": strings.Repeat("a", 1<<20-20000)}), nil, ReasonTokenResponse},
		{"OIDC-19 token of more than 16 kB", with(map[string]any{"x": strings.Repeat("a", 16<<10)}), nil, ReasonTokenTooLarge},
		{"claims that are too large for a session", with(map[string]any{"name": strings.Repeat("a", 9<<10)}), nil, ReasonClaimsTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.now = now
			c := newClientOf(t, o, func(cfg *Config) { cfg.TrustedAudiences = []string{"trusted-api"} })
			if tc.signIn != nil {
				tc.signIn(&c.signIn)
			}
			o.claims = tc.claims
			id, err := c.callback(t)
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("reason %q, want %q (%v)", got, tc.want, err)
			}
			if (id == nil) != (tc.want != "") {
				t.Errorf("identity %+v", id)
			}
		})
	}
}

func TestIDTokenForm(t *testing.T) {
	rsaPEM := func() []byte {
		der, err := x509.MarshalPKIXPublicKey(publicKey("rsa").Key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}()
	hole := sinkhole(t)
	asJSON := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	other := func(c map[string]any, header map[string]any) string { return sign(c, "other", jose.RS256, header) }
	good := func(c map[string]any) string { return sign(c, "rsa", jose.RS256, nil) }
	edit := func(raw string, part int, f func(string) string) string {
		parts := strings.Split(raw, ".")
		parts[part] = f(parts[part])
		return strings.Join(parts, ".")
	}
	for _, tc := range []struct {
		name string
		mint func(map[string]any) string
		want string
	}{
		{"OIDC-04 alg none", func(c map[string]any) string { return handMade(`{"alg":"none"}`, asJSON(c), "x") }, ReasonTokenAlgorithm},
		{"OIDC-04 alg None", func(c map[string]any) string { return handMade(`{"alg":"None"}`, asJSON(c), "x") }, ReasonTokenAlgorithm},
		{"OIDC-04 alg nOnE and no signature", func(c map[string]any) string { return handMade(`{"alg":"nOnE"}`, asJSON(c), "") }, ReasonTokenMalformed},
		{"OIDC-04 no alg", func(c map[string]any) string { return handMade(`{}`, asJSON(c), "x") }, ReasonTokenAlgorithm},
		{"OIDC-04 HS256 with the public key as secret", func(c map[string]any) string {
			return signBytes([]byte(asJSON(c)), rsaPEM, "rsa", jose.HS256, nil)
		}, ReasonTokenAlgorithm},
		{"OIDC-04 an algorithm that is not configured", func(c map[string]any) string { return sign(c, "rsa", jose.RS512, nil) }, ReasonTokenAlgorithm},
		{"OIDC-04 signed by a key that the provider does not publish", func(c map[string]any) string { return other(c, nil) }, ReasonSignature},
		{"OIDC-04 another key under a published kid", func(c map[string]any) string {
			return signBytes([]byte(asJSON(c)), testKeys()["other"], "rsa", jose.RS256, nil)
		}, ReasonSignature},
		{"OIDC-04 signature cut off", func(c map[string]any) string { return edit(good(c), 2, func(string) string { return "" }) }, ReasonTokenMalformed},
		{"OIDC-04 signature changed", func(c map[string]any) string {
			return edit(good(c), 2, func(s string) string { return "AAAA" + s[4:] })
		}, ReasonSignature},
		{"OIDC-04 payload changed", func(c map[string]any) string {
			return edit(good(c), 1, func(string) string {
				c["sub"] = "bob"
				return base64.RawURLEncoding.EncodeToString([]byte(asJSON(c)))
			})
		}, ReasonSignature},
		{"OIDC-04 JSON serialization with two signatures", func(c map[string]any) string {
			p := strings.Split(good(c), ".")
			s := map[string]any{"protected": p[0], "signature": p[2]}
			return asJSON(map[string]any{"payload": p[1], "signatures": []any{s, s}})
		}, ReasonTokenMalformed},
		{"OIDC-05 brings its own key", func(c map[string]any) string {
			return signBytes([]byte(asJSON(c)), testKeys()["other"], "", jose.RS256, map[string]any{"jwk": publicKey("other")})
		}, ReasonSignature},
		{"OIDC-05 names where its keys are", func(c map[string]any) string {
			return other(c, map[string]any{"jku": hole + "/jwks", "x5u": hole + "/cert"})
		}, ReasonSignature},
		{"OIDC-05 demands an extension", func(c map[string]any) string {
			return sign(c, "rsa", jose.RS256, map[string]any{"crit": []string{"exp"}, "exp": 1})
		}, ReasonTokenCritical},
		{"OIDC-05 payload that is not encoded (b64)", func(c map[string]any) string {
			return sign(c, "rsa", jose.RS256, map[string]any{"b64": true})
		}, ReasonTokenCritical},
		{"OIDC-18 an access token", func(c map[string]any) string { return sign(c, "rsa", jose.RS256, map[string]any{"typ": "at+jwt"}) }, ReasonTokenType},
		{"OIDC-18 an access token, long type", func(c map[string]any) string {
			return sign(c, "rsa", jose.RS256, map[string]any{"typ": "application/AT+JWT"})
		}, ReasonTokenType},
		{"OIDC-18 a logout token", func(c map[string]any) string { return sign(c, "rsa", jose.RS256, map[string]any{"typ": "logout+jwt"}) }, ReasonTokenType},
		{"OIDC-18 typ is no text", func(c map[string]any) string { return sign(c, "rsa", jose.RS256, map[string]any{"typ": 1}) }, ReasonTokenType},
		{"OIDC-19 five parts", func(c map[string]any) string { return good(c) + ".AA.AA" }, ReasonTokenEncrypted},
		{"OIDC-19 two parts", func(map[string]any) string { return "e30.e30" }, ReasonTokenMalformed},
		{"OIDC-19 duplicate member in the payload", func(c map[string]any) string {
			return signBytes([]byte(`{"sub":"bob",`+asJSON(c)[1:]), testKeys()["rsa"], "rsa", jose.RS256, nil)
		}, ReasonTokenMalformed},
		{"OIDC-19 duplicate member in the header", func(c map[string]any) string {
			return handMade(`{"alg":"RS256","alg":"none"}`, asJSON(c), "x")
		}, ReasonTokenMalformed},
		{"OIDC-19 duplicate member deep inside", func(c map[string]any) string {
			return signBytes([]byte(`{"a":{"b":1,"b":2},`+asJSON(c)[1:]), testKeys()["rsa"], "rsa", jose.RS256, nil)
		}, ReasonTokenMalformed},
		{"OIDC-19 nested as deep as fits", func(c map[string]any) string {
			return handMade(`{"alg":"RS256"}`, strings.Repeat("[", 11000), "x")
		}, ReasonTokenMalformed},
		{"OIDC-19 padding in base64", func(c map[string]any) string { return edit(good(c), 1, func(s string) string { return s + "=" }) }, ReasonTokenMalformed},
		{"OIDC-19 a line break in base64", func(c map[string]any) string {
			return edit(good(c), 1, func(s string) string { return s[:8] + "\n" + s[8:] })
		}, ReasonTokenMalformed},
		{"OIDC-19 stray bits in base64", func(c map[string]any) string { return edit(good(c), 2, strayBits) }, ReasonTokenMalformed},
		{"OIDC-19 payload is an array", func(map[string]any) string { return handMade(`{"alg":"RS256"}`, `[]`, "x") }, ReasonTokenMalformed},
		{"OIDC-19 payload is null", func(map[string]any) string { return handMade(`{"alg":"RS256"}`, `null`, "x") }, ReasonTokenMalformed},
		{"OIDC-19 something behind the payload's object", func(c map[string]any) string {
			return signBytes([]byte(asJSON(c)+"{}"), testKeys()["rsa"], "rsa", jose.RS256, nil)
		}, ReasonTokenMalformed},
		{"OIDC-20 distributed claims are not fetched", func(c map[string]any) string {
			c["_claim_names"] = map[string]any{"email": "src1", "groups": "src1"}
			c["_claim_sources"] = map[string]any{"src1": map[string]any{"endpoint": hole + "/claims", "access_token": "x"}}
			return good(c)
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.mint = tc.mint
			c := newClientOf(t, o, nil)
			id, err := c.callback(t)
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("reason %q, want %q (%v)", got, tc.want, err)
			}
			if (id == nil) != (tc.want != "") {
				t.Errorf("identity %+v", id)
			}
		})
	}
}

// strayBits sets the bits of the last character that carry nothing: 256 bytes end in a character of which two bits count.
func strayBits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[last|1])
}

func TestClockDifference(t *testing.T) {
	for _, tc := range []struct {
		name string
		ours time.Duration
		want string
	}{
		{"OIDC-22 our clock is 30 s fast", 30 * time.Second, ""},
		{"OIDC-22 our clock is 30 s slow", -30 * time.Second, ""},
		{"OIDC-22 our clock is 10 min fast", 10 * time.Minute, ReasonIssuedLongAgo},
		{"OIDC-22 our clock is 10 min slow", -10 * time.Minute, ReasonIssuedInFuture},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			c.clock.add(tc.ours)
			_, err := c.callback(t)
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("reason %q, want %q", got, tc.want)
			}
		})
	}
}

func TestEntraIDDatesItsTokensBack(t *testing.T) {
	o := newOP(t)
	o.claims = func(c map[string]any) { c["iat"] = o.now.Add(-305 * time.Second).Unix(); c["nbf"] = c["iat"] }
	c := newClientOf(t, o, func(cfg *Config) { cfg.ClockSkew = 0 })
	if _, err := c.callback(t); err != nil {
		t.Error(err)
	}
}

func TestSameSubjectAtTwoProvidersIsTwoPeople(t *testing.T) { // OIDC-12
	a, b := newClientOf(t, newOP(t), nil), newClientOf(t, newOP(t), nil)
	first, err1 := a.callback(t)
	second, err2 := b.callback(t)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if first.Issuer == second.Issuer || first.Subject != second.Subject {
		t.Errorf("identities %q %q and %q %q", first.Issuer, first.Subject, second.Issuer, second.Subject)
	}
}
