package inbound

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maker is an issuer on loopback that signs real tokens.
type maker struct {
	*httptest.Server
	mu   sync.Mutex
	keys []signer
	asks atomic.Int64
	down atomic.Bool
	gate chan struct{} // if not nil, each question for keys waits for one value

	began chan struct{} // has a value for each question for keys
}

// signer is one key of an issuer.
type signer struct {
	id, alg string
	key     crypto.Signer
}

func newSigner(t testing.TB, id, alg string) signer {
	t.Helper()
	var key crypto.Signer
	var err error
	if strings.HasPrefix(alg, "ES") {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, alg, key}
}

func newMaker(t testing.TB, keys ...signer) *maker {
	t.Helper()
	m := &maker{keys: keys, began: make(chan struct{}, 1000)}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": m.URL, "jwks_uri": m.URL + "/keys"})
		case "/keys":
			m.asks.Add(1)
			m.began <- struct{}{}
			if m.gate != nil {
				<-m.gate
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			var set jose.JSONWebKeySet
			for _, k := range m.keys {
				set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.key.Public(), KeyID: k.id, Algorithm: k.alg, Use: "sig"})
			}
			_ = json.NewEncoder(w).Encode(set)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *maker) rotate(keys ...signer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = keys
}

// sign makes a compact JWS. Unlike a library it makes any.
func (s signer) sign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return s.signText(t, part(header)+"."+part(claims))
}

func (s signer) signText(t testing.TB, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	var sig []byte
	switch key := s.key.(type) {
	case *ecdsa.PrivateKey:
		r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		var err error
		if sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
			t.Fatal(err)
		}
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// changed is m with some members changed; nil takes one out.
func changed(m, by map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	for k, v := range by {
		if out[k] = v; v == nil {
			delete(out, k)
		}
	}
	return out
}

func (s signer) header(by map[string]any) map[string]any {
	return changed(map[string]any{"typ": "at+jwt", "alg": s.alg, "kid": s.id}, by)
}

func (m *maker) claims(now time.Time, by map[string]any) map[string]any {
	return changed(map[string]any{
		"iss": m.URL, "aud": "orders", "sub": "alice", "client_id": "billing", "jti": "1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "scope": "a b",
	}, by)
}

func trusting(m *maker) Bearer {
	return Bearer{
		Issuer: m.URL, Audience: []string{"orders", "https://orders.example.com"}, SigningAlgs: []string{"RS256", "PS256", "ES256"}, ClockSkew: 10 * time.Second,
		Timeout: 5 * time.Second, ScopesClaim: "scope", ScopesFormat: "space_separated", RolesClaim: "realm.roles", RolesFormat: "array",
	}
}

func tokened(t testing.TB, c *clock, cfgs ...Bearer) *Inbound {
	t.Helper()
	in, err := New(Config{Bearer: cfgs}, deps(c, nil))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func by(t testing.TB, in *Inbound, token string) (*Caller, error) {
	t.Helper()
	return in.Identify(t.Context(), request("/", "Authorization: Bearer "+token), KindBearer)
}
