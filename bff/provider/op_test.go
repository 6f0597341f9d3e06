package provider

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/configs/secret"
)

// Values that must never show in an error. Every test's error is searched for them, see reasonOf.
const (
	theSecret  = "client-secret-canary-0123456789"
	theCode    = "code-canary-0123456789"
	theAccess  = "access-canary-0123456789"
	theRefresh = "refresh-canary-0123456789"
)

var testKeys = sync.OnceValue(func() map[string]any {
	a, err1 := rsa.GenerateKey(rand.Reader, 2048)
	b, err2 := rsa.GenerateKey(rand.Reader, 2048)
	ec, err3 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, ed, err4 := ed25519.GenerateKey(rand.Reader)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			panic(err)
		}
	}
	return map[string]any{"rsa": a, "other": b, "ec": ec, "ed": ed}
})

// op is a provider that can do everything wrongly.
type op struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	hits     map[string]int // requests by path
	requests []*http.Request
	forms    []url.Values // of POSTs
	nonce    string
	now      time.Time

	metadata func(m map[string]any)
	keySet   []jose.JSONWebKey
	answer   map[string]http.HandlerFunc   // replaces an endpoint
	claims   func(c map[string]any)        // edits the ID token's claims
	mint     func(c map[string]any) string // replaces the signing
	token    func(m map[string]any)        // edits the token answer
	userinfo map[string]any
}

func newOP(t *testing.T) *op {
	t.Helper()
	o := &op{t: t, hits: map[string]int{}, answer: map[string]http.HandlerFunc{}, now: time.Now(),
		userinfo: map[string]any{"sub": "alice", "email": "alice@example.com"}}
	o.keySet = []jose.JSONWebKey{publicKey("rsa"), publicKey("ec"), publicKey("ed")}
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	return o
}

func publicKey(kid string) jose.JSONWebKey {
	k := jose.JSONWebKey{Key: testKeys()[kid], KeyID: kid, Use: "sig"}
	return k.Public()
}

func (o *op) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	o.mu.Lock()
	o.hits[r.URL.Path]++
	o.requests = append(o.requests, r)
	if r.Method == http.MethodPost {
		o.forms = append(o.forms, form)
	}
	special := o.answer[r.URL.Path]
	o.mu.Unlock()
	if special != nil {
		special(w, r)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, o.document())
	case "/jwks":
		writeJSON(w, jose.JSONWebKeySet{Keys: o.keySet})
	case "/token":
		writeJSON(w, o.tokenAnswer(form))
	case "/userinfo":
		writeJSON(w, o.userinfo)
	case "/revoke":
		w.WriteHeader(http.StatusOK)
	default:
		http.NotFound(w, r)
	}
}

func (o *op) document() map[string]any {
	m := map[string]any{
		"issuer": o.URL, "authorization_endpoint": o.URL + "/authorize", "token_endpoint": o.URL + "/token",
		"jwks_uri": o.URL + "/jwks", "userinfo_endpoint": o.URL + "/userinfo", "revocation_endpoint": o.URL + "/revoke",
		"end_session_endpoint": o.URL + "/end?theme=dark", "code_challenge_methods_supported": []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	}
	if o.metadata != nil {
		o.metadata(m)
	}
	return m
}

func (o *op) tokenAnswer(form url.Values) map[string]any {
	m := map[string]any{"access_token": theAccess, "token_type": "Bearer", "expires_in": 600, "refresh_token": theRefresh,
		"scope": "openid", "id_token": o.idToken(nil)}
	if form.Get("grant_type") == "refresh_token" {
		m["refresh_token"] = theRefresh + "-2"
	}
	if o.token != nil {
		o.token(m)
	}
	return m
}

// idToken is a right ID token with the test's edits; with o.mu held or before anything runs.
func (o *op) idToken(edit func(map[string]any)) string {
	c := map[string]any{"iss": o.URL, "sub": "alice", "aud": "spa", "exp": o.now.Add(time.Hour).Unix(), "iat": o.now.Unix(),
		"nonce": o.nonce, "sid": "op-session-1", "name": "Alice", "groups": []string{"customer", "support"}}
	for _, f := range []func(map[string]any){edit, o.claims} {
		if f != nil {
			f(c)
		}
	}
	if o.mint != nil {
		return o.mint(c)
	}
	return sign(c, "rsa", jose.RS256, nil)
}

// logoutToken is a right logout token with the test's edits.
func (o *op) logoutToken(edit func(map[string]any)) string {
	c := o.logoutClaims()
	if edit != nil {
		edit(c)
	}
	return sign(c, "rsa", jose.RS256, map[string]any{"typ": "logout+jwt"})
}

func (o *op) logoutClaims() map[string]any {
	return map[string]any{"iss": o.URL, "sub": "alice", "sid": "op-session-1", "aud": "spa", "jti": "1",
		"iat": o.now.Unix(), "exp": o.now.Add(2 * time.Minute).Unix(), "events": map[string]any{logoutEvent: map[string]any{}}}
}

func (o *op) count(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.hits[path]
}

// set changes the provider while it serves.
func (o *op) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// sign makes a compact JWS by one of the test's keys, whose name is its kid.
func sign(claims any, key string, alg jose.SignatureAlgorithm, header map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return signBytes(payload, testKeys()[key], key, alg, header)
}

func signBytes(payload []byte, key any, kid string, alg jose.SignatureAlgorithm, header map[string]any) string {
	options := &jose.SignerOptions{}
	for k, v := range header {
		options.WithHeader(jose.HeaderKey(k), v)
	}
	if kid != "" {
		options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return raw
}

// handMade is a token of arbitrary header and payload with an arbitrary signature.
func handMade(header, payload, signature string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(header)) + "." + b64([]byte(payload)) + "." + b64([]byte(signature))
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func testConfig(issuer string) Config {
	return Config{
		Issuer: issuer, ClientID: "spa", ClientSecret: secret.String(theSecret), ClientAuth: "basic",
		Scopes: []string{"openid", "profile"}, Claims: []string{"sub", "name", "email"}, RolesClaim: "groups",
		SigningAlgs: []string{"RS256", "PS256", "ES256", "EdDSA"}, ClockSkew: time.Minute, Timeout: 5 * time.Second,
	}
}

// client is a provider under test with what belongs to it.
type client struct {
	*Provider
	op     *op
	clock  *clock
	signIn SignIn
	errors chan string
}

// unknownClient has not discovered its provider yet.
func unknownClient(t *testing.T, o *op, edit func(*Config)) *client {
	t.Helper()
	cfg := testConfig(o.URL)
	if edit != nil {
		edit(&cfg)
	}
	c := &client{op: o, clock: &clock{t: o.now}, errors: make(chan string, 1000)}
	p, err := New("main", cfg, "https://app.example.com/bff/callback", Deps{Now: c.clock.now, OnError: func(kind string) { c.errors <- kind }})
	if err != nil {
		t.Fatal(err)
	}
	c.Provider, c.signIn = p, NewSignIn()
	c.signIn.Started = o.now.Unix()
	o.set(func() { o.nonce = c.signIn.Nonce })
	return c
}

func newClientOf(t *testing.T, o *op, edit func(*Config)) *client {
	t.Helper()
	c := unknownClient(t, o, edit)
	if err := c.learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// response is a right authorization response with the test's edits.
func (c *client) response(edit func(url.Values)) url.Values {
	q := url.Values{"code": {theCode}, "state": {c.signIn.State}, "iss": {c.op.URL}}
	if edit != nil {
		edit(q)
	}
	return q
}

// callback finishes the sign-in.
func (c *client) callback(t *testing.T) (*Identity, error) {
	t.Helper()
	return c.Callback(t.Context(), c.response(nil), c.signIn)
}

// previous is what a session of the sign-in knows.
func (c *client) previous() Previous { return Previous{Subject: "alice", Nonce: c.signIn.Nonce} }

// reasonOf names an error: the reason of a refusal, the sentinel, "" for none. It fails the test if the error shows what none may show.
func (c *client) reasonOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	noSecrets(t, err, theSecret, theCode, theAccess, theRefresh, c.signIn.State, c.signIn.Nonce, c.signIn.Verifier, "eyJ", "canary")
	return reasonName(err)
}

func reasonName(err error) string {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal.Reason
	}
	for name, sentinel := range map[string]error{"ErrInvalidGrant": ErrInvalidGrant, "ErrUnsent": ErrUnsent} {
		if errors.Is(err, sentinel) {
			return name
		}
	}
	if errors.Is(err, ErrUnavailable) {
		return "ErrUnavailable"
	}
	return "other: " + err.Error()
}

// noSecrets fails if an error shows one of the values, in any way of printing it.
func noSecrets(t *testing.T, err error, values ...string) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v %q", err, err, err, err)
	for e := err; e != nil; e = errors.Unwrap(e) {
		text += fmt.Sprintf(" %v %+v", e, e)
	}
	for _, v := range values {
		if v != "" && (strings.Contains(text, v) || strings.Contains(text, url.QueryEscape(v)) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(v)))) {
			t.Errorf("error shows %q: %s", v, text)
		}
	}
}

// sinkhole is a server that must not be called.
func sinkhole(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("sinkhole was called: %s %s", r.Method, r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func with(members map[string]any) func(map[string]any) {
	return func(m map[string]any) { maps.Copy(m, members) }
}

func without(names ...string) func(map[string]any) {
	return func(m map[string]any) {
		for _, name := range names {
			delete(m, name)
		}
	}
}
