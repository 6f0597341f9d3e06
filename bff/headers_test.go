package bff

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"cloakroom/bff/assertion"
	"cloakroom/configs"
	"cloakroom/configs/secret"
	"cloakroom/proxy"
)

func assertionKey(t testing.TB) secret.String {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret.String(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// telling makes the routes say to their upstream who the user is.
func telling(t testing.TB) func(*configs.Config) {
	key := assertionKey(t)
	return func(c *configs.Config) {
		c.Assertions = assertion.Config{Keys: []secret.String{key}}
		for i := range c.Routes {
			if c.Routes[i].Auth != "none" {
				c.Routes[i].Headers = proxy.HeadersConfig{Set: map[string]string{"X-User-ID": "${user.sub}", "X-Roles": "${user.roles}"},
					Assertion: proxy.AssertionConfig{Audience: "orders", TTL: time.Minute, Claims: []string{"email"}}}
			}
		}
	}
}

// An upstream that knows the public URL, and nothing else of Cloakroom, verifies who asks.
func TestAnUpstreamVerifiesWhoAsks(t *testing.T) {
	h := newHouse(t, telling(t))
	b := h.browser()
	b.signIn("/bff/login")
	if res := b.fetch("GET", "/api/x", "X-User-ID", "root", "X-Identity", "forged"); res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	first := h.upstream.last().Header
	u := b.user()
	if got := first["X-User-Id"]; !reflect.DeepEqual(got, []string{u.Subject}) || first.Get("X-Roles") != strings.Join(u.Roles, ", ") {
		t.Errorf("X-User-ID %q, X-Roles %q, user %+v", got, first.Get("X-Roles"), u)
	}
	verifier := oidc.NewVerifier(h.origin, oidc.NewRemoteKeySet(context.Background(), h.origin+"/.well-known/jwks.json"),
		&oidc.Config{ClientID: "orders", SupportedSigningAlgs: []string{oidc.EdDSA}})
	token, err := verifier.Verify(context.Background(), first.Get("X-Identity"))
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Email, IDP string
		Roles      []string
	}
	if err := token.Claims(&claims); err != nil || token.Subject != u.Subject || claims.IDP != h.idp.Issuer() || claims.Email != u.Claims["email"] || !reflect.DeepEqual(claims.Roles, u.Roles) {
		t.Errorf("%v %v %+v, user %+v", err, token, claims, u)
	}
	b.fetch("GET", "/api/y")
	if again := h.upstream.last().Header.Get("X-Identity"); again != first.Get("X-Identity") {
		t.Error("each request is signed anew")
	}
}

func TestOfNobodyNothingIsSaid(t *testing.T) { // PRX-40
	h := newHouse(t, telling(t))
	h.browser().fetch("GET", "/optional/x", "X-User-ID", "root", "X-Identity", "forged", "X-Roles", "admin")
	got := h.upstream.last().Header
	for _, name := range []string{"X-User-Id", "X-Identity", "X-Roles"} {
		if got[name] != nil {
			t.Errorf("%s: %q", name, got[name])
		}
	}
}

// Law 1: the assertion is a credential, so no browser gets it, whatever the upstream does with it, and no log has it.
func TestNoAssertionReachesTheBrowserOrTheLog(t *testing.T) {
	var sent string
	up := newEcho(t)
	up.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("X-Identity")
		w.Header().Set("Echo-Identity", sent)
		w.Header().Set("X-Identity", sent)
		w.Header().Set("Location", "/api/next?token="+sent)
		w.WriteHeader(http.StatusFound)
	})
	h := newHouse(t, func(c *configs.Config) {
		telling(t)(c)
		c.Routes[0].Upstream = up.URL
	})
	b := h.browser()
	b.signIn("/bff/login")
	res := b.fetch("GET", "/api/x")
	if strings.Count(sent, ".") != 2 {
		t.Fatalf("the upstream got %q", sent)
	}
	for name, values := range res.Header {
		if strings.Contains(strings.Join(values, " "), sent) {
			t.Errorf("the browser got %s: %q", name, values)
		}
	}
	if strings.Contains(res.body, sent) || strings.Contains(h.log.String(), sent) {
		t.Error("the body or the log has it")
	}
}

func TestTheKeysOfAssertionsArePublic(t *testing.T) {
	h := newHouse(t, telling(t))
	res := h.get(h.origin + "/.well-known/jwks.json")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/jwk-set+json" || res.Header.Get("Cache-Control") != "public, max-age=300" || res.Header["Set-Cookie"] != nil {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if post := h.browser().fetch("POST", "/.well-known/jwks.json"); post.StatusCode != http.StatusMethodNotAllowed || post.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", post.StatusCode, post.Header.Get("Allow"))
	}
	without := newHouse(t, nil)
	if res := without.get(without.origin + "/.well-known/jwks.json"); res.StatusCode != http.StatusNotFound {
		t.Errorf("without keys: %d", res.StatusCode)
	}
}

func TestAnIncompleteUserIsRefused(t *testing.T) {
	h := newHouse(t, func(c *configs.Config) {
		c.Routes[0].Headers = proxy.HeadersConfig{Set: map[string]string{"X-Team": "${user.claims.team}"}, Required: []string{"X-Team"}}
	})
	b := h.browser()
	b.signIn("/bff/login")
	before := h.upstream.count()
	if res := b.fetch("GET", "/api/x"); res.StatusCode != http.StatusForbidden || answerField(t, res, "code") != "user_incomplete" || h.upstream.count() != before {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	metrics, err := io.ReadAll(h.get(h.admin + "/metrics").Body)
	if err != nil || !strings.Contains(string(metrics), `cloakroom_headers_left_out_total{reason="missing",route="/api/"} 1`) {
		t.Error("it is not counted")
	}
}

// A header and an assertion cost what they are, and the signature is not made for each request: more than these few allocations would be one that is.
func TestHeadersAddLittleToTheHotPath(t *testing.T) {
	plain, told := hotPath(t, nil), hotPath(t, telling(t))
	before, after := testing.AllocsPerRun(300, plain), testing.AllocsPerRun(300, told)
	if after-before > 14 {
		t.Errorf("%.0f allocations, without headers %.0f", after, before)
	}
}
