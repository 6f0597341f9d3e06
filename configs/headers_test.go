package configs

import (
	"strings"
	"testing"
)

// What is brought by ${env:…} is a text, whatever stands in it: nobody who writes the environment names the user by it.
func TestTemplatesOfHeaders(t *testing.T) {
	env := map[string]string{"TENANT": "acme", "TRAP": "${user.sub}", "TRAP2": "a$${b", "DOLLAR": "cost$"}
	read := func(value string) (string, error) {
		sys := broken()
		sys.env = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
		cfg, err := parse("cloakroom.yaml", []byte(`
server: {public_url: https://app.example.com}
providers: {main: {issuer: https://id.example.com, client_id: spa, client_secret: "${file:secrets/oidc}"}}
session: {secrets: ["${file:secrets/session}"]}
routes: [{path: /, upstream: http://orders:9001, headers: {set: {X-A: '`+value+`'}}}]
`), sys)
		if err != nil {
			return "", err
		}
		return cfg.Routes[0].Headers.Set["X-A"], nil
	}
	for written, want := range map[string]string{
		"${user.sub}":                 "${user.sub}",
		"${env:TENANT}/${user.sub}":   "acme/${user.sub}",
		"$${user.sub}":                "$${user.sub}",
		"${env:TRAP}":                 "$${user.sub}",
		"${env:TRAP2} ${user.email}":  "a$$${b ${user.email}",
		"${user.claims.name} has $$5": "${user.claims.name} has $$5",
		"the price is ${env:DOLLAR}":  "the price is cost$",
	} {
		if got, err := read(written); err != nil || got != want {
			t.Errorf("%s: got %q, want %q (%v)", written, got, want, err)
		}
	}
	for _, written := range []string{"${env:DOLLAR}{user.sub}", "${env:DOLLAR}${user.sub}", "${env:DOLLAR}${env:TENANT}", "${user.sub", "${users.sub}", "${user.token}"} {
		if got, err := read(written); err == nil || !strings.Contains(err.Error(), "cloakroom.yaml:5:") {
			t.Errorf("%s: got %q, %v", written, got, err)
		}
	}
}

func TestWhatBrowsersTakeForOneSite(t *testing.T) {
	const app = "https://app.example.com"
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://admin.example.com", app, true},
		{"https://example.com", app, true},
		{"https://app.example.com:8443", app, true},
		{"http://admin.example.com", app, false},
		{"https://example.org", app, false},
		{"https://ada.github.io", "https://bob.github.io", false},
		{"https://a.co.uk", "https://b.co.uk", false},
		{"http://localhost:5173", "http://localhost:8080", true},
		{"http://127.0.0.1:5173", "http://127.0.0.1:8080", true},
		{"https://10.0.0.1", "https://192.0.0.1", false},
	} {
		if got := sameSite(c.a, c.b); got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

// Other origins that may not use the session have nothing to come with, but where the route lets callers in.
func TestARouteIsNotSharedWithPagesThatNobodyLetsIn(t *testing.T) {
	read := func(route string) error {
		_, err := parse("cloakroom.yaml", []byte(`
server: {public_url: https://app.example.com}
providers: {main: {issuer: https://id.example.com, client_id: spa, client_secret: "${file:secrets/oidc}"}}
session: {secrets: ["${file:secrets/session}"]}
callers: {api_key: {header: X-API-Key}}
routes: [{path: /, upstream: http://orders:9001, cors: {origins: [https://partner.example]}, `+route+`}]
`), broken())
		return err
	}
	if err := read("auth: required"); err == nil || !strings.Contains(err.Error(), "would let nobody in") {
		t.Errorf("for the session, which stays at home: %v", err)
	}
	for _, route := range []string{"callers: api_key", "auth: optional"} {
		if err := read(route); err != nil {
			t.Errorf("%s: %v", route, err)
		}
	}
}
