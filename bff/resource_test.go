package bff

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/proxy"
)

// AUZ-08: a rule sees a resource's numbers as they were written, and a document with two readings is none.
func TestAResourceIsReadAsItIsWritten(t *testing.T) {
	documents := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, map[string]string{
			"/large": `{"owner": 9007199254740993}`, "/neighbour": `{"owner": 9007199254740992}`, "/twice": `{"owner": 7, "owner": 9007199254740993}`,
		}[r.URL.Path])
	}))
	t.Cleanup(documents.Close)
	h := newHouse(t, guarded("/docs/{id}", func(r *configs.Route) {
		r.Resource = proxy.ResourceConfig{URL: documents.URL + "/{id}", Timeout: time.Second, MaxBody: 64 << 10}
		r.Allow = policy.Allow{Terms: policy.Terms{When: `resource.owner == 9007199254740993`}}
	}))
	b := h.browser()
	b.signIn("/bff/login")
	for id, want := range map[string]int{"large": http.StatusOK, "neighbour": http.StatusForbidden, "twice": http.StatusServiceUnavailable} {
		if res := b.fetch("GET", "/docs/"+id); res.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", id, res.StatusCode, res.body, want)
		}
	}
}
