package bff

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"cloakroom/bff/inbound"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/proxy/tokens"
)

// AUZ-08: who asks for the resource proves it to the upstream in the way in which the request itself will.
func TestTheResourceIsAskedForAsTheRequestIs(t *testing.T) {
	var mu sync.Mutex
	var asked []http.Header
	documents := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Header)
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"state":"draft"}`)
	}))
	t.Cleanup(documents.Close)
	h := newHouse(t, together(
		guarded("/docs/{id}", func(r *configs.Route) {
			r.Resource = proxy.ResourceConfig{URL: documents.URL + "/{id}", Timeout: time.Second, MaxBody: 64 << 10}
			r.Allow = policy.Allow{Terms: policy.Terms{When: `resource.state == "draft"`}}
		}),
		telling(t),
	))
	b := h.browser()
	b.signIn("/bff/login")
	if res := b.fetch("GET", "/docs/7"); res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	mu.Lock()
	defer mu.Unlock()
	last := h.upstream.last().Header
	if len(asked) != 1 {
		t.Fatalf("asked %d times", len(asked))
	}
	for _, name := range []string{"Authorization", "X-Identity", "X-User-Id"} {
		if asked[0].Get(name) == "" || asked[0].Get(name) != last.Get(name) {
			t.Errorf("%s: the look-up had %q, the request %q", name, asked[0].Get(name), last.Get(name))
		}
	}
}

// Law 8: a caller's own token goes to the upstreams of a route that says so, of a composed one and of its resource too, and to no other.
func TestACallersTokenGoesWhereTheRouteSaysSo(t *testing.T) {
	h := newHouse(t, nil)
	s := h.server.current.Load()
	route := s.table.Routes()[0]
	r := httptest.NewRequest("GET", "/api/x", nil)
	r.Header.Set("Authorization", "Bearer theirs")
	for name, c := range map[string]struct {
		pass   bool
		kind   string
		method string
		want   string
	}{
		"passed on":                 {true, inbound.KindBearer, tokens.Session, "theirs"},
		"kept":                      {false, inbound.KindBearer, tokens.Session, ""},
		"to a leg without a token":  {true, inbound.KindBearer, tokens.None, ""},
		"in the place of a grant's": {true, inbound.KindBearer, tokens.Exchange, ""},
		"a password":                {true, inbound.KindBasic, tokens.Session, ""},
	} {
		s.rules[route.Index()].pass = c.pass
		got, _, err := s.legTokens(r, route, visitor{caller: &inbound.Caller{Kind: c.kind}})(t.Context(), tokens.Token{Method: c.method})
		if got != c.want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
