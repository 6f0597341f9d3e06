package bff

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/inbound"
	"cloakroom/configs"
)

// newKey makes an API key in a house's store.
func (h *house) newKey(k APIKey) (text, id string) {
	h.t.Helper()
	ring := &KeyRing{store: h.server.store.(register), now: time.Now, close: func() error { return nil }}
	text, made, err := ring.New(h.t.Context(), k)
	if err != nil {
		h.t.Fatal(err)
	}
	return text, made.ID
}

// callersHouse has routes that API keys may use.
func callersHouse(t *testing.T) *house {
	return newHouse(t, together(
		func(c *configs.Config) { c.Callers.APIKey = inbound.APIKey{Header: "X-API-Key"} },
		guarded("/machines/", func(r *configs.Route) { r.Callers = []string{"api_key"} }),
		guarded("/writers/", func(r *configs.Route) {
			r.Callers, r.Allow.Scopes = []string{"api_key"}, []string{"orders.write"}
		}),
	))
}

// AUN-01, AUN-04: a route says which callers it takes. A key opens what it is for, and goes no further than here.
func TestAnAPIKeyOpensWhatItIsFor(t *testing.T) {
	h := callersHouse(t)
	key, _ := h.newKey(APIKey{Name: "importer", Scopes: []string{"orders.read"}})
	b := h.browser()
	for path, want := range map[string]int{"/machines/x": 200, "/writers/x": 403, "/api/x": 403, "/public/x": 200} {
		res := b.do("GET", path, nil, "X-API-Key", key)
		if res.StatusCode != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.body)
		}
	}
	for _, r := range h.upstream.hits {
		if r.Header.Get("X-API-Key") != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("the upstream got %v", r.Header)
		}
	}
	if strings.Contains(h.log.String(), key) {
		t.Error("the key is in the log")
	}
}

// AUN-01: no order decides whose request it is.
func TestASessionAndAKeyTogetherAreRefused(t *testing.T) {
	h := callersHouse(t)
	key, _ := h.newKey(APIKey{Name: "importer"})
	b := h.browser()
	b.signIn("/bff/login")
	for name, want := range map[string]struct {
		headers []string
		status  int
	}{
		"the session alone":    {nil, 200},
		"both":                 {[]string{"X-API-Key", key}, 400},
		"a key and a bearer":   {[]string{"X-API-Key", key, "Authorization", "Bearer x"}, 400},
		"both, the key broken": {[]string{"X-API-Key", "ck_nonsense"}, 400},
	} {
		if res := b.fetch("GET", "/machines/x", want.headers...); res.StatusCode != want.status {
			t.Errorf("%s: %d %s", name, res.StatusCode, res.body)
		}
	}
	if res := b.fetch("GET", "/machines/x?api_key="+key); res.StatusCode != 400 || strings.Contains(h.log.String(), key) {
		t.Errorf("in the query: %d %s", res.StatusCode, res.body)
	}
}

// AUN-06: a program learns what it should have brought; a script of the app is sent to sign in.
func TestARefusalSaysWhatWouldHelp(t *testing.T) {
	h := callersHouse(t)
	b := h.browser()
	bad := b.do("GET", "/machines/x", nil, "X-API-Key", "ck_nonsense")
	if bad.StatusCode != http.StatusUnauthorized || bad.Header.Get("WWW-Authenticate") == "" || problem(t, bad).Code != "bad_credential" || problem(t, bad).Login != "" {
		t.Errorf("a bad key: %d %v %s", bad.StatusCode, bad.Header, bad.body)
	}
	if none := b.do("GET", "/machines/x", nil); none.StatusCode != http.StatusUnauthorized || !strings.Contains(none.Header.Get("WWW-Authenticate"), "X-API-Key") {
		t.Errorf("a program with nothing: %d %v %s", none.StatusCode, none.Header, none.body)
	}
	if none := b.fetch("GET", "/machines/x"); none.StatusCode != http.StatusUnauthorized || problem(t, none).Login != loginPath {
		t.Errorf("nothing: %d %s", none.StatusCode, none.body)
	}
}
