package configs

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What a whole API shares stands once in its file: which other origins read it, and who may keep it. A route says otherwise key by key.
func TestOriginsAndCachesAreSharedByAFile(t *testing.T) {
	head := `server: {public_url: "https://app.example.com"}
providers: {main: {issuer: "https://id.example.com", client_id: spa, client_secret: b7Kq2Zt9Xw4Lm6Rc}}
session: {store: memory, secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}
defaults:
  upstream: http://a
  cors: {origins: ["https://admin.example.com"], credentials: true}
  cache: {policy: private, max_age: 1m}
routes:
  - path: /a/
`
	cfg, err := Parse("c.yaml", []byte(head+`  - path: /b/
    cors: {max_age: 1h}
    cache: {max_age: 5m}
  - path: /c/
    cors: {origins: [], credentials: false}
    cache: {policy: none, max_age: 0s}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		origins  []string
		remember time.Duration
		policy   string
		keep     time.Duration
	}{
		{[]string{"https://admin.example.com"}, 10 * time.Minute, "private", time.Minute},
		{[]string{"https://admin.example.com"}, time.Hour, "private", 5 * time.Minute},
		{nil, 10 * time.Minute, "none", 0},
	} {
		r := cfg.Routes[i]
		if !slices.Equal(r.CORS.Origins, want.origins) || r.CORS.MaxAge != want.remember || r.Cache.Policy != want.policy || r.Cache.MaxAge != want.keep {
			t.Errorf("%s: %+v %+v", r.Path, r.CORS, r.Cache)
		}
	}
	_, err = Parse("c.yaml", []byte(head+"    auth: none\n"), nil)
	if err == nil || !strings.Contains(err.Error(), "c.yaml:6:50: defaults.cors") || !strings.Contains(err.Error(), "c.yaml:7:11: defaults.cache") {
		t.Errorf("defaults that do not fit a route: %v", err)
	}
}
