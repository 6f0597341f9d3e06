package assertion

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"cloakroom/configs/secret"
)

const issuer = "https://app.example.com"

func pkcs8(t testing.TB, key any, err error) secret.String {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret.String(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func edKey(t testing.TB) secret.String {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return pkcs8(t, key, err)
}

func ecKey(t testing.TB, c elliptic.Curve) secret.String {
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	return pkcs8(t, key, err)
}

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newSigner(t testing.TB, c *clock, keys ...secret.String) *Signer {
	t.Helper()
	s, err := New(Config{Keys: keys}, issuer, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publish serves a key set as the public listener does.
func publish(t testing.TB, s *Signer) (url string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(s.KeySet())
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// verify is an upstream that has never heard of Cloakroom: a published library, the URL of the keys, two names.
func verify(c *clock, keys, audience, raw string) (map[string]any, error) {
	verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(context.Background(), keys),
		&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256, oidc.EdDSA}, Now: c.now})
	token, err := verifier.Verify(context.Background(), raw)
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	return claims, token.Claims(&claims)
}

func ada(c *clock) Subject {
	return Subject{Session: "s1", Version: 1, Issuer: "https://id.example.com", Subject: "ada", Roles: []string{"support"}, Deadline: c.t.Add(time.Hour),
		Claims: map[string]any{"email": "ada@example.com", "name": "Ada", "level": json.Number("7"), "address": map[string]any{"country": "GB"}}}
}

func TestAStrangerVerifiesAnAssertion(t *testing.T) {
	for name, key := range map[string]secret.String{"EdDSA": edKey(t), "ES256": ecKey(t, elliptic.P256())} {
		t.Run(name, func(t *testing.T) {
			c := &clock{time.Unix(1_800_000_000, 0)}
			s := newSigner(t, c, key)
			raw, err := s.Sign(ada(c), Wish{Audience: "orders", TTL: time.Minute, Claims: []string{"email", "level", "address", "absent"}})
			if err != nil {
				t.Fatal(err)
			}
			keys := publish(t, s)
			got, err := verify(c, keys, "orders", raw)
			if err != nil {
				t.Fatal(err)
			}
			jti, _ := got["jti"].(string)
			delete(got, "jti")
			want := map[string]any{"iss": issuer, "sub": "ada", "idp": "https://id.example.com", "aud": "orders", "roles": []any{"support"}, "iat": 1.8e9, "exp": 1.8e9 + 60,
				"email": "ada@example.com", "level": 7.0, "address": map[string]any{"country": "GB"}}
			if !reflect.DeepEqual(got, want) || len(jti) < 20 {
				t.Errorf("got  %v, jti %q\nwant %v", got, jti, want)
			}
			if _, err := verify(c, keys, "billing", raw); err == nil {
				t.Error("another upstream takes it for its own")
			}
			if c.t = c.t.Add(61 * time.Second); func() bool { _, err := verify(c, keys, "orders", raw); return err == nil }() {
				t.Error("it is valid after its end")
			}
		})
	}
}

// What the session could not keep exactly is not signed: it may be another's number.
func TestNoRoundedNumberIsAsserted(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s := newSigner(t, c, edKey(t))
	who := ada(c)
	who.Claims = map[string]any{"small": 9007199254740991.0, "big": 9007199254740992.0, "list": []any{"x", -1e18}, "deep": map[string]any{"er": map[string]any{"id": 1e17}}, "fine": []any{map[string]any{"id": 1.5}}}
	raw, err := s.Sign(who, Wish{Audience: "orders", TTL: time.Minute, Claims: []string{"small", "big", "list", "deep", "fine"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := verify(c, publish(t, s), "orders", raw)
	if err != nil || got["small"] != 9007199254740991.0 || got["fine"] == nil || got["big"] != nil || got["list"] != nil || got["deep"] != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNoClaimOfAProviderTakesTheProtocolsPlace(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s, who := newSigner(t, c, edKey(t)), ada(c)
	who.Claims = map[string]any{"sub": "root", "roles": "admin", "aud": "billing", "exp": 9e9}
	raw, err := s.Sign(who, Wish{Audience: "orders", TTL: time.Minute, Claims: []string{"sub", "roles", "aud", "exp"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := verify(c, publish(t, s), "orders", raw)
	if err != nil || got["sub"] != "ada" || !reflect.DeepEqual(got["roles"], []any{"support"}) || got["exp"] != 1.8e9+60 {
		t.Errorf("%v %v", got, err)
	}
}

// The hot path does not sign every request, and no request gets an assertion that is about to end, or says what held before.
func TestAnAssertionIsUsedAgainForHalfOfItsLife(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s, start := newSigner(t, c, edKey(t)), c.t
	first := Wish{Audience: "orders", TTL: time.Minute}
	sign := func(who Subject, w Wish) string {
		t.Helper()
		raw, err := s.Sign(who, w)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	who := ada(c)
	one := sign(who, first)
	for name, x := range map[string]struct {
		at   time.Duration
		who  func(Subject) Subject
		w    Wish
		same bool
	}{
		"a moment later":       {time.Second, nil, first, true},
		"just before its half": {29 * time.Second, nil, first, true},
		"at its half":          {30 * time.Second, nil, first, false},
		"for another audience": {0, nil, Wish{Audience: "billing", TTL: time.Minute}, false},
		"with other claims":    {0, nil, Wish{Audience: "orders", TTL: time.Minute, Claims: []string{"email"}}, false},
		"for another session":  {0, func(w Subject) Subject { w.Session = "s2"; return w }, first, false},
		"of another version":   {0, func(w Subject) Subject { w.Version++; w.Roles = nil; return w }, first, false},
	} {
		t.Run(name, func(t *testing.T) {
			s.kept.Purge()
			c.t = start
			one = sign(who, first)
			c.t = start.Add(x.at)
			asker := who
			if x.who != nil {
				asker = x.who(who)
			}
			if got := sign(asker, x.w); (got == one) != x.same {
				t.Errorf("the same again: %v, want %v", got == one, x.same)
			}
		})
	}
}

func TestNoAssertionOutlivesItsSession(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s, who := newSigner(t, c, edKey(t)), ada(c)
	who.Deadline = c.t.Add(10 * time.Second)
	raw, err := s.Sign(who, Wish{Audience: "orders", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := verify(c, publish(t, s), "orders", raw); err != nil || got["exp"] != 1.8e9+10 {
		t.Errorf("%v %v", got, err)
	}
}

func TestKeptAssertionsAreBounded(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s, who := newSigner(t, c, edKey(t)), ada(c)
	for i := range maxKept + 100 {
		who.Session = fmt.Sprint(i)
		s.kept.Add(asked{session: who.Session}, signed{})
	}
	if n := s.kept.Len(); n > maxKept {
		t.Errorf("%d are kept", n)
	}
}

// A verifier that has fetched the keys once goes on through every step of a rotation, because the next key is published before it signs.
func TestKeysRotateWithoutARefusal(t *testing.T) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	before, after := edKey(t), ecKey(t, elliptic.P256())
	steps := [][]secret.String{{before}, {before, after}, {after, before}, {after}}
	var earlier string
	for i, keys := range steps {
		s := newSigner(t, c, keys...)
		raw, err := s.Sign(ada(c), Wish{Audience: "orders", TTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		url := publish(t, s)
		if _, err := verify(c, url, "orders", raw); err != nil {
			t.Errorf("step %d: its own: %v", i, err)
		}
		if _, err := verify(c, url, "orders", earlier); i > 0 && err != nil {
			t.Errorf("step %d: one of the step before: %v", i, err)
		}
		if i > 0 { // the caches of the step before know the key that signs now
			if _, err := verify(c, publish(t, newSigner(t, c, steps[i-1]...)), "orders", raw); err != nil {
				t.Errorf("step %d: with the keys of the step before: %v", i, err)
			}
		}
		earlier = raw
	}
}

func TestOnlyPublicPartsArePublished(t *testing.T) {
	s := newSigner(t, &clock{time.Now()}, edKey(t), ecKey(t, elliptic.P256()))
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(s.KeySet(), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%v: %s", err, s.KeySet())
	}
	for _, k := range set.Keys {
		if _, private := k["d"]; private || k["kid"] == "" || k["use"] != "sig" || k["alg"] == "" {
			t.Errorf("published: %v", k)
		}
	}
}

func TestKeysThatCannotSignAreRefused(t *testing.T) {
	good := edKey(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	rsaKey := pkcs8(t, key, err)
	block := func(kind string, headers map[string]string) secret.String {
		return secret.String(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: []byte("nonsense")}))
	}
	for name, x := range map[string]struct {
		keys []secret.String
		want string
	}{
		"no PEM":                  {[]secret.String{"q8vN2mQ5xR7tY1z0b7Kq2Zt9"}, errNoPEM.Error()},
		"PEM of nonsense":         {[]secret.String{block("PRIVATE KEY", nil)}, errNoPEM.Error()},
		"RSA":                     {[]secret.String{rsaKey}, errRSA.Error()},
		"RSA in its own form":     {[]secret.String{block("RSA PRIVATE KEY", nil)}, errRSA.Error()},
		"another curve":           {[]secret.String{ecKey(t, elliptic.P384())}, errCurve.Error()},
		"a public key":            {[]secret.String{block("PUBLIC KEY", nil)}, errPublic.Error()},
		"a certificate":           {[]secret.String{block("CERTIFICATE", nil)}, errPublic.Error()},
		"with a passphrase":       {[]secret.String{block("ENCRYPTED PRIVATE KEY", nil)}, errEncrypted.Error()},
		"two in one":              {[]secret.String{good + edKey(t)}, errSeveral.Error()},
		"the same one twice":      {[]secret.String{good, good}, "twice"},
		"more than anybody needs": {make([]secret.String, 9), "more than 8"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			Config{Keys: x.keys}.Validate(func(key, problem string) { got = append(got, key+" "+problem) })
			if len(got) != 1 || !strings.Contains(got[0], x.want) {
				t.Errorf("got %q, want %q", got, x.want)
			}
		})
	}
	if s, err := New(Config{Keys: []secret.String{rsaKey}}, issuer, nil); s != nil || !errors.Is(err, errRSA) {
		t.Errorf("New: %v %v", s, err)
	}
	if s, err := New(Config{}, issuer, nil); s != nil || err != nil {
		t.Errorf("without keys: %v %v", s, err)
	}
}

// BenchmarkKeptAssertion is what a request on the hot path pays.
func BenchmarkKeptAssertion(b *testing.B) {
	c := &clock{time.Unix(1_800_000_000, 0)}
	s, who := newSigner(b, c, edKey(b)), ada(c)
	w := Wish{Audience: "orders", TTL: time.Minute, Claims: []string{"email"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(who, w); err != nil {
			b.Fatal(err)
		}
	}
}
