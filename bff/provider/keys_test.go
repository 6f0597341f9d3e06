package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// junk is a logout token that is right but for its key, which nobody published.
func junk(o *op, n int) string {
	payload, _ := json.Marshal(o.logoutClaims())
	return signBytes(payload, testKeys()["ed"], fmt.Sprintf("junk-%d", n), jose.EdDSA, map[string]any{"typ": "logout+jwt"})
}

func TestUnknownKeyIDsDoNotMultiplyFetches(t *testing.T) { // OIDC-16 BCL-08
	c := newClientOf(t, newOP(t), nil)
	for round := 1; round <= 3; round++ {
		c.clock.add(c.pace.keyCooldown)
		c.op.set(func() { c.op.now = c.clock.now() })
		var wg sync.WaitGroup
		for n := range 200 {
			token := junk(c.op, n)
			wg.Go(func() {
				if _, err := c.LogoutToken(t.Context(), token); reasonName(err) != ReasonSignature {
					t.Errorf("error %v", err)
				}
			})
		}
		wg.Wait()
		// One was at discovery.
		if got := c.op.count("/jwks"); got > 1+round {
			t.Errorf("round %d: %d key fetches", round, got)
		}
	}
	if got := c.op.count("/jwks"); got < 2 {
		t.Errorf("%d key fetches: unknown keys are never looked for", got)
	}
}

func TestKeyRotationNeedsNoRestart(t *testing.T) { // OIDC-16
	c := newClientOf(t, newOP(t), nil)
	if _, err := c.callback(t); err != nil {
		t.Fatal(err)
	}
	c.op.set(func() {
		c.op.keySet = []jose.JSONWebKey{publicKey("other")}
		c.op.mint = func(claims map[string]any) string { return sign(claims, "other", jose.RS256, nil) }
	})
	c.clock.add(c.pace.keyCooldown)
	if _, err := c.callback(t); err != nil {
		t.Error(err)
	}
}

func TestFirstSignInAfterKeyRotation(t *testing.T) { // OIDC-16
	c := newClientOf(t, newOP(t), nil)
	c.clock.add(30 * time.Minute) // nobody has signed in since discovery
	c.op.set(func() {
		c.op.now = c.clock.now()
		c.op.keySet = []jose.JSONWebKey{publicKey("other")}
		c.op.mint = func(claims map[string]any) string { return sign(claims, "other", jose.RS256, nil) }
	})
	if _, err := c.callback(t); err != nil {
		t.Error(err)
	}
}

func TestWithdrawnKeyIsForgotten(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	c.op.set(func() { c.op.keySet = []jose.JSONWebKey{publicKey("ec")} })
	if err := c.learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := c.callback(t)
	if got := c.reasonOf(t, err); got != ReasonSignature {
		t.Errorf("reason %q for a key that is no longer published", got)
	}
}

func TestKeysOutage(t *testing.T) { // OIDC-17
	c := newClientOf(t, newOP(t), nil)
	c.op.set(func() {
		c.op.answer["/jwks"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
		c.op.answer["/.well-known/openid-configuration"] = c.op.answer["/jwks"]
	})
	for range 3 {
		c.clock.add(2 * c.pace.keyCooldown)
		c.op.set(func() { c.op.now = c.clock.now() })
		if err := c.learn(t.Context()); err == nil {
			t.Error("learnt from a provider that is down")
		}
		if _, err := c.callback(t); err != nil {
			t.Errorf("sign-in by a known key: %v", err)
		}
		if _, err := c.LogoutToken(t.Context(), c.op.logoutToken(nil)); err != nil {
			t.Errorf("logout by a known key: %v", err)
		}
		// An unknown key may be a new one: that is no refusal.
		if _, err := c.LogoutToken(t.Context(), junk(c.op, 1)); reasonName(err) != "ErrUnavailable" {
			t.Errorf("logout by an unknown key: %v", err)
		}
		if err := c.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
	}
	c.op.set(func() { delete(c.op.answer, "/jwks") })
	c.clock.add(c.pace.keyCooldown)
	if _, err := c.LogoutToken(t.Context(), junk(c.op, 1)); reasonName(err) != ReasonSignature {
		t.Errorf("after the outage: %v", err)
	}
}

func TestKeySetsThatCannotBeUsed(t *testing.T) {
	hole := sinkhole(t)
	enc := publicKey("rsa")
	enc.Use = "enc"
	asJSON := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	for name, body := range map[string]string{
		"no keys":         `{"keys":[]}`,
		"no JSON":         `<p>`,
		"encryption only": asJSON(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{enc}}),
		"a shared secret": asJSON(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte(strings.Repeat("a", 32)), KeyID: "rsa"}}}),
		"a private key":   asJSON(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: testKeys()["rsa"], KeyID: "rsa"}}}),
		"50 MB":           `{"keys":["` + strings.Repeat("a", 50<<20) + `"]}`,
	} {
		o := newOP(t)
		o.answer["/jwks"] = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwk-set+json")
			w.Write([]byte(body))
		}
		c := unknownClient(t, o, nil)
		if err := c.learn(t.Context()); err == nil || c.Ready() == nil {
			t.Errorf("%s: learnt", name)
		}
	}
	o := newOP(t)
	o.answer["/jwks"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", hole+"/jwks")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	if err := unknownClient(t, o, nil).learn(t.Context()); err == nil {
		t.Error("BCP-13: keys learnt by a redirect")
	}
}

func TestCertificatesBesideAKeyAreNotLookedAt(t *testing.T) { // OIDC-05
	for _, odd := range []string{`"x5c":["MIIB"]`, `"x5c":7`, `"x5t":"not a hash"`, `"x5t#S256":"AA"`, `"x5u":"::"`, `"x5u":"` + sinkhole(t) + `"`,
		`"key_ops":["verify"],"ext":true,"issuer":"https://id.example.com"`} {
		o := newOP(t)
		key := publicKey("rsa")
		key.Use = "" // as some leave out
		good, _ := json.Marshal(key)
		o.answer["/jwks"] = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"keys":[{%s,%s]}`, odd, good[1:])
		}
		c := newClientOf(t, o, nil)
		if _, err := c.callback(t); err != nil {
			t.Errorf("%s: %v", odd, err)
		}
	}
}

func TestOddKeysDoNotSpoilTheOthers(t *testing.T) {
	o := newOP(t)
	good, _ := json.Marshal(publicKey("rsa"))
	o.answer["/jwks"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"keys":[7,{"kty":"future","kid":"x"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},%s]}`, good)
	}
	c := newClientOf(t, o, nil)
	if _, err := c.callback(t); err != nil {
		t.Error(err)
	}
}
