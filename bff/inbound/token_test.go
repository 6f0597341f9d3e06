package inbound

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestATokenSaysWhoItsBearerIs(t *testing.T) {
	c, key := newClock(), newSigner(t, "k1", "ES256")
	m := newMaker(t, key)
	in := tokened(t, c, trusting(m))
	if in.Ready() == nil {
		t.Error("ready before the keys are there")
	}
	got, err := by(t, in, key.sign(t, key.header(nil), m.claims(c.now(), map[string]any{
		"aud": []string{"other", "orders"}, "realm": map[string]any{"roles": []string{"support"}}, "acr": "mfa", "auth_time": c.now().Unix() - 60, "n": 1.5,
	})))
	if err != nil {
		t.Fatal(err)
	}
	if in.Ready() != nil {
		t.Error("not ready although the keys are there")
	}
	if got.Kind != KindBearer || got.Issuer != m.URL || got.Subject != "alice" || got.Name != "billing" || got.ACR != "mfa" ||
		!slices.Equal(got.Roles, []string{"support"}) || !slices.Equal(got.Scopes, []string{"a", "b"}) || got.Claims["n"] != 1.5 ||
		!got.AuthTime.Equal(c.now().Add(-time.Minute)) || !got.Expires.Equal(c.now().Add(70*time.Second)) || strings.Contains(got.ID, "alice") || got.ID == "" {
		t.Errorf("got %+v", got)
	}
	other := m.claims(c.now(), map[string]any{"sub": "bob"})
	if bob, err := by(t, in, key.sign(t, key.header(map[string]any{"typ": "Application/AT+JWT"}), other)); err != nil || bob.ID == got.ID {
		t.Errorf("got %+v, %v", bob, err)
	}
}

// AUN-03: what is no access token of the issuer, for us and now.
func TestTokensThatAreRefused(t *testing.T) {
	c := newClock()
	es, rs := newSigner(t, "es", "ES256"), newSigner(t, "rs", "RS256")
	m := newMaker(t, es, rs)
	in := tokened(t, c, trusting(m))
	stranger := newSigner(t, "es", "ES256")
	public, err := x509.MarshalPKIXPublicKey(rs.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	claims := m.claims(c.now(), nil)
	with := func(by map[string]any) string { return es.sign(t, es.header(nil), m.claims(c.now(), by)) }
	headed := func(by map[string]any) string { return es.sign(t, es.header(by), claims) }
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, x := range map[string]struct{ token, reason string }{
		"signed by a stranger under a known kid":  {stranger.sign(t, stranger.header(nil), claims), ReasonTokenSignature},
		"alg none":                                {strings.TrimSuffix(part(`{"typ":"at+jwt","alg":"none"}`)+"."+part("{}")+".AA", ""), ReasonTokenIssuer},
		"alg none with all the claims":            {none(t, claims), ReasonTokenAlgorithm},
		"HS256 with the public key as the secret": {hmacked(t, public, "HS256", "rs", claims), ReasonTokenAlgorithm},
		"RS256 with the kid of an ES256 key":      {rs.sign(t, rs.header(map[string]any{"kid": "es"}), claims), ReasonTokenKey},
		"an algorithm that is not configured":     {es.sign(t, es.header(map[string]any{"alg": "ES512"}), claims), ReasonTokenAlgorithm},
		"PS256, with a key that is for RS256":     {rs.sign(t, rs.header(map[string]any{"alg": "PS256"}), claims), ReasonTokenKey},
		"an ID token":                             {headed(map[string]any{"typ": "JWT"}), ReasonTokenType},
		"an ID token without typ":                 {headed(map[string]any{"typ": nil}), ReasonTokenType},
		"a logout token":                          {headed(map[string]any{"typ": "logout+jwt"}), ReasonTokenType},
		"a typ that is a number":                  {headed(map[string]any{"typ": 1}), ReasonTokenType},
		"crit":                                    {headed(map[string]any{"crit": []string{"exp"}}), ReasonTokenCritical},
		"b64":                                     {headed(map[string]any{"b64": false}), ReasonTokenCritical},
		"a kid that is a number":                  {headed(map[string]any{"kid": 1}), ReasonTokenMalformed},
		"its own key": {stranger.sign(t, stranger.header(map[string]any{
			"kid": "es", "jwk": jose.JSONWebKey{Key: stranger.key.Public(), KeyID: "es"}, "jku": m.URL + "/mine", "x5u": m.URL + "/mine"}), claims), ReasonTokenSignature},
		"its own key and no kid": {stranger.sign(t, stranger.header(map[string]any{"kid": nil, "jwk": jose.JSONWebKey{Key: stranger.key.Public()}}), claims), ReasonTokenSignature},

		"of another issuer":                {with(map[string]any{"iss": "https://evil.example"}), ReasonTokenIssuer},
		"of the issuer with a slash":       {with(map[string]any{"iss": m.URL + "/"}), ReasonTokenIssuer},
		"of no issuer":                     {with(map[string]any{"iss": nil}), ReasonTokenIssuer},
		"of a list of issuers":             {with(map[string]any{"iss": []string{m.URL}}), ReasonTokenIssuer},
		"for another server":               {with(map[string]any{"aud": "other"}), ReasonTokenAudience},
		"for nobody":                       {with(map[string]any{"aud": nil}), ReasonTokenAudience},
		"for an empty list":                {with(map[string]any{"aud": []string{}}), ReasonTokenAudience},
		"for a part of our name":           {with(map[string]any{"aud": "order"}), ReasonTokenAudience},
		"for a list with an object":        {with(map[string]any{"aud": []any{"orders", 1}}), ReasonTokenAudience},
		"expired":                          {with(map[string]any{"exp": c.now().Unix() - 10}), ReasonTokenExpired},
		"without an end":                   {with(map[string]any{"exp": nil}), ReasonTokenExpiry},
		"with an end in words":             {with(map[string]any{"exp": "tomorrow"}), ReasonTokenExpiry},
		"with an end beyond all time":      {with(map[string]any{"exp": 1e300}), ReasonTokenExpiry},
		"not valid yet":                    {with(map[string]any{"nbf": c.now().Unix() + 11}), ReasonTokenNotYet},
		"valid from a word on":             {with(map[string]any{"nbf": "now"}), ReasonTokenNotYet},
		"made in the future":               {with(map[string]any{"iat": c.now().Unix() + 11}), ReasonTokenNotYet},
		"made at no time":                  {with(map[string]any{"iat": nil}), ReasonTokenNotYet},
		"about nobody":                     {with(map[string]any{"sub": nil}), ReasonTokenSubject},
		"about an empty name":              {with(map[string]any{"sub": ""}), ReasonTokenSubject},
		"about a name with a line break":   {with(map[string]any{"sub": "a\nb"}), ReasonTokenSubject},
		"bound to a DPoP key":              {with(map[string]any{"cnf": map[string]any{"jkt": "x"}}), ReasonTokenBound},
		"bound in a way that is not known": {with(map[string]any{"cnf": map[string]any{"kid": "x"}}), ReasonTokenBound},
		"bound to nothing":                 {with(map[string]any{"cnf": map[string]any{}}), ReasonTokenBound},
		"bound to a word":                  {with(map[string]any{"cnf": "x"}), ReasonTokenBound},
		"bound to a certificate and more":  {with(map[string]any{"cnf": map[string]any{"x5t#S256": "x", "jkt": "y"}}), ReasonTokenBound},
		"bound to a certificate":           {with(map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}), ReasonTokenCert},
		"with claims that are too large":   {with(map[string]any{"x": strings.Repeat("x", maxClaims)}), ReasonTokenClaims},
		"with too many scopes":             {with(map[string]any{"scope": strings.Repeat("a ", 300)}), ReasonTokenClaims},

		"huge":                       {strings.Repeat("a", maxToken+1), ReasonTokenTooLarge},
		"encrypted":                  {"a.b.c.d.e", ReasonTokenEncrypted},
		"dots alone":                 {"....", ReasonTokenEncrypted},
		"two parts":                  {"a.b", ReasonTokenMalformed},
		"a great many parts":         {strings.Repeat("a.", 5000) + "a", ReasonTokenMalformed},
		"no signature":               {part(`{"typ":"at+jwt","alg":"ES256"}`) + "." + part("{}") + ".", ReasonTokenMalformed},
		"a header that is a list":    {part(`[]`) + "." + part("{}") + ".AA", ReasonTokenMalformed},
		"a header with alg twice":    {es.signText(t, part(`{"typ":"at+jwt","alg":"ES256","alg":"none"}`)+"."+part("{}")), ReasonTokenMalformed},
		"claims with iss twice":      {es.signText(t, part(`{"typ":"at+jwt","alg":"ES256","kid":"es"}`)+"."+part(`{"iss":"a","iss":"`+m.URL+`"}`)), ReasonTokenMalformed},
		"claims that are null":       {es.signText(t, part(`{"typ":"at+jwt","alg":"ES256"}`)+"."+part(`null`)), ReasonTokenMalformed},
		"claims nested very deeply":  {es.signText(t, part(`{"typ":"at+jwt","alg":"ES256"}`)+"."+part(`{"a":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`}`)), ReasonTokenIssuer},
		"padding":                    {es.sign(t, es.header(nil), claims) + "=", ReasonTokenMalformed},
		"a signature of another one": {swapped(es.sign(t, es.header(nil), claims), with(map[string]any{"sub": "root"})), ReasonTokenSignature},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := by(t, in, x.token)
			r := refusal(t, err)
			if got != nil || r.Reason != x.reason || r.Status != http.StatusUnauthorized {
				t.Fatalf("got %v, %v, want %s", got, r, x.reason)
			}
			if want := []string{`Bearer realm="cloakroom", error="invalid_token"`}; !slices.Equal(r.Challenge, want) {
				t.Errorf("challenge %q, want %q", r.Challenge, want)
			}
			for piece := range strings.SplitSeq(x.token, ".") {
				if len(piece) > 12 && strings.Contains(err.Error(), piece) {
					t.Errorf("the error has a part of the token: %v", err)
				}
			}
		})
	}
	if _, err := by(t, in, es.sign(t, es.header(nil), claims)); err != nil {
		t.Errorf("a good one, after all that: %v", err)
	}
	if _, err := by(t, in, rs.sign(t, rs.header(map[string]any{"kid": nil}), claims)); err != nil {
		t.Errorf("a good one that names no key: %v", err)
	}
	for _, at := range []string{"exp", "nbf", "iat"} { // at the edge of the skew
		edge := map[string]int64{"exp": -9, "nbf": 10, "iat": 10}[at]
		if _, err := by(t, in, with(map[string]any{at: c.now().Unix() + edge})); err != nil {
			t.Errorf("%s %d seconds off: %v", at, edge, err)
		}
	}
}

func none(t *testing.T, claims map[string]any) string {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"at+jwt","alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(b) + ".AA"
}

func hmacked(t *testing.T, secret []byte, alg, kid string, claims map[string]any) string {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: secret}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// swapped has the signature of one token under the content of the other.
func swapped(signature, content string) string {
	return content[:strings.LastIndexByte(content, '.')] + signature[strings.LastIndexByte(signature, '.'):]
}

// AUN-03: one issuer's keys are nothing to another's tokens, be the key IDs the same or not.
func TestKeysBelongToTheirIssuer(t *testing.T) {
	c := newClock()
	a, b := newSigner(t, "same", "ES256"), newSigner(t, "same", "ES256")
	only := newSigner(t, "only-b", "ES256")
	ma, mb := newMaker(t, a), newMaker(t, b, only)
	strict := trusting(mb)
	strict.SigningAlgs = []string{"RS256"}
	in := tokened(t, c, trusting(ma), trusting(mb))
	for name, x := range map[string]struct{ token, reason string }{
		"A's token by B's key of the same name":  {b.sign(t, b.header(nil), ma.claims(c.now(), nil)), ReasonTokenSignature},
		"A's token by B's key of another name":   {only.sign(t, only.header(nil), ma.claims(c.now(), nil)), ReasonTokenKey},
		"A's token by B's key that is not named": {only.sign(t, only.header(map[string]any{"kid": nil}), ma.claims(c.now(), nil)), ReasonTokenSignature},
	} {
		if _, err := by(t, in, x.token); refusal(t, err).Reason != x.reason {
			t.Errorf("%s: %v, want %s", name, err, x.reason)
		}
	}
	for _, good := range []string{a.sign(t, a.header(nil), ma.claims(c.now(), nil)), only.sign(t, only.header(nil), mb.claims(c.now(), nil))} {
		if _, err := by(t, in, good); err != nil {
			t.Error(err)
		}
	}
	in = tokened(t, c, trusting(ma), strict)
	if _, err := by(t, in, b.sign(t, b.header(nil), mb.claims(c.now(), nil))); refusal(t, err).Reason != ReasonTokenAlgorithm {
		t.Errorf("an algorithm that another issuer may use: %v", err)
	}
}

// A key that is new is fetched; who makes key IDs up makes us ask once per cooldown, not more.
func TestUnknownKeysAskTheIssuerSeldom(t *testing.T) {
	c, old := newClock(), newSigner(t, "old", "ES256")
	m := newMaker(t, old)
	in := tokened(t, c, trusting(m))
	if _, err := by(t, in, old.sign(t, old.header(nil), m.claims(c.now(), nil))); err != nil {
		t.Fatal(err)
	}
	if n := m.asks.Load(); n != 1 {
		t.Fatalf("asked %d times, want 1", n)
	}
	for i := range 200 {
		token := old.sign(t, old.header(map[string]any{"kid": fmt.Sprint("made up ", i)}), m.claims(c.now(), nil))
		if _, err := by(t, in, token); refusal(t, err).Reason != ReasonTokenKey {
			t.Fatal(err)
		}
	}
	if n := m.asks.Load(); n != 1 {
		t.Errorf("asked %d times during the cooldown, want 1", n)
	}
	c.pass(usualPace.cooldown)
	fresh := newSigner(t, "new", "ES256")
	m.rotate(fresh)
	if _, err := by(t, in, fresh.sign(t, fresh.header(nil), m.claims(c.now(), nil))); err != nil {
		t.Errorf("by a new key: %v", err)
	}
	if _, err := by(t, in, old.sign(t, old.header(nil), m.claims(c.now(), nil))); refusal(t, err).Reason != ReasonTokenKey {
		t.Errorf("by a key that was taken back: %v", err)
	}
}

// An issuer that cannot be asked is an outage; what its keys verify already goes on.
func TestAnIssuerThatIsDown(t *testing.T) {
	c, key := newClock(), newSigner(t, "k", "ES256")
	m := newMaker(t, key)
	in := tokened(t, c, trusting(m))
	good := key.sign(t, key.header(nil), m.claims(c.now(), nil))
	m.down.Store(true)
	unavailable := func(err error) bool {
		_, refused := errors.AsType[*Refusal](err)
		return errors.Is(err, ErrUnavailable) && !refused
	}
	for range 2 {
		if _, err := by(t, in, good); !unavailable(err) || strings.Contains(err.Error(), good) {
			t.Errorf("without keys: %v", err)
		}
	}
	m.down.Store(false)
	c.pass(usualPace.cooldown)
	if _, err := by(t, in, good); err != nil {
		t.Fatal(err)
	}
	m.down.Store(true)
	c.pass(usualPace.cooldown)
	if _, err := by(t, in, key.sign(t, key.header(map[string]any{"kid": "new"}), m.claims(c.now(), nil))); !unavailable(err) {
		t.Errorf("by a key that may be new: %v", err)
	}
	if _, err := by(t, in, key.sign(t, key.header(nil), m.claims(c.now(), nil))); err != nil {
		t.Errorf("by a key that is known: %v", err)
	}
}

// OAX-07: a token that is bound to a client certificate is good over connections with that certificate alone.
func TestTokensBoundToCertificates(t *testing.T) {
	c, key := newClock(), newSigner(t, "k", "ES256")
	m := newMaker(t, key)
	in := tokened(t, c, trusting(m))
	own, other := &x509.Certificate{Raw: []byte("own")}, &x509.Certificate{Raw: []byte("other")}
	token := key.sign(t, key.header(nil), m.claims(c.now(), map[string]any{"cnf": map[string]any{"x5t#S256": thumbprint(own.Raw)}}))
	for _, x := range []struct {
		name string
		with []*x509.Certificate
		from string
		good bool
	}{
		{"its own", []*x509.Certificate{own}, "192.0.2.1:1", true},
		{"its own first", []*x509.Certificate{own, other}, "192.0.2.1:1", true},
		{"another", []*x509.Certificate{other}, "192.0.2.1:1", false},
		{"another first", []*x509.Certificate{other, own}, "192.0.2.1:1", false},
		{"none", nil, "192.0.2.1:1", false},
		{"its own, which is a trusted proxy's", []*x509.Certificate{own}, "10.0.0.1:1", false},
	} {
		r := request("/", "Authorization: Bearer "+token)
		r.RemoteAddr, r.TLS = x.from, &tls.ConnectionState{PeerCertificates: x.with}
		_, err := in.Identify(t.Context(), r, KindBearer)
		if (err == nil) != x.good || err != nil && refusal(t, err).Reason != ReasonTokenCert {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// The issuer is compared once more where the claims are judged, whoever found the keys.
func TestClaimsOfAnotherIssuer(t *testing.T) {
	cfg := Bearer{Issuer: "https://a.example", Audience: []string{"orders"}}
	if _, r := judgeClaims(map[string]any{"iss": "https://b.example", "aud": "orders"}, cfg, time.Now(), nil); r.Reason != ReasonTokenIssuer {
		t.Errorf("got %v", r)
	}
}

// Roles and scopes are read in the configured format, never in another.
func TestWordsAreNotGuessed(t *testing.T) {
	claims := map[string]any{
		"scope": "a b", "list": []any{"a", "b c"}, "mixed": []any{"a", 1.0}, "nested": map[string]any{"x": []any{"n"}, "a.b": "dotted"}, "https://x.test/roles": []any{"u"},
	}
	for _, x := range []struct {
		path, format string
		want         []string
	}{
		{"scope", "space_separated", []string{"a", "b"}}, {"scope", "array", nil}, {"list", "array", []string{"a", "b c"}}, {"list", "space_separated", nil}, {"mixed", "array", nil},
		{"nested.x", "array", []string{"n"}}, {"nested.a.b", "space_separated", []string{"dotted"}}, {"nested", "array", nil}, {"https://x.test/roles", "array", []string{"u"}},
		{"nowhere.at.all", "array", nil}, {"", "array", nil},
	} {
		if got := words(valueAt(claims, x.path), x.format); !reflect.DeepEqual(got, x.want) {
			t.Errorf("%s as %s: got %q, want %q", x.path, x.format, got, x.want)
		}
	}
}

// No token passes that the fuzzer makes: it has no key.
func FuzzToken(f *testing.F) {
	key := newSigner(f, "k", "ES256")
	m := newMaker(f, key)
	c := newClock()
	in := tokened(f, c, trusting(m))
	good := key.sign(f, key.header(nil), m.claims(c.now(), nil))
	f.Add(good)
	f.Add(key.sign(f, key.header(map[string]any{"kid": nil}), m.claims(c.now(), map[string]any{"aud": []string{"orders"}})))
	f.Add("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		parsed, refused := parseToken(token)
		if refused == nil && (len(token) > maxToken || strings.Count(token, ".") != 2 || parsed.claims == nil) {
			t.Fatalf("%q is parsed", token)
		}
		r := request("/")
		r.Header.Set("Authorization", "Bearer "+token)
		caller, err := in.Identify(t.Context(), r, KindBearer)
		if err == nil && (caller.Subject != "alice" || !strings.HasPrefix(token, good[:20])) {
			t.Fatalf("%q passes as %+v", token, caller)
		}
	})
}
