package provider

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func TestAuthorizationRequest(t *testing.T) { // BCP-01 BCP-07 BCP-32 OIDC-08
	age := 0
	c := newClientOf(t, newOP(t), func(cfg *Config) {
		cfg.AuthorizeParams = map[string]string{"audience": "orders", "prompt": "consent",
			"state": "fixed", "nonce": "fixed", "code_challenge": "fixed", "code_challenge_method": "plain", "response_type": "token",
			"redirect_uri": "https://evil.example", "client_id": "evil", "scope": "admin", "max_age": "9"}
	})
	s := NewSignIn()
	s.Prompt, s.LoginHint, s.UILocales, s.ACRValues, s.MaxAge = "login", "a&b=c#d", "de en", "gold", &age
	got, err := c.AuthURL(s)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	challenge := q.Get("code_challenge")
	q.Del("code_challenge")
	want := url.Values{"response_type": {"code"}, "client_id": {"spa"}, "redirect_uri": {"https://app.example.com/bff/callback"},
		"scope": {"openid profile"}, "state": {s.State}, "nonce": {s.Nonce}, "code_challenge_method": {"S256"},
		"audience": {"orders"}, "prompt": {"login"}, "login_hint": {"a&b=c#d"}, "ui_locales": {"de en"}, "acr_values": {"gold"}, "max_age": {"0"}}
	if q.Encode() != want.Encode() {
		t.Errorf("parameters\n%v, want\n%v", q, want)
	}
	if len(challenge) != 43 || strings.Contains(got, s.Verifier) {
		t.Errorf("challenge %q", challenge)
	}
}

func TestEverySignInIsDifferent(t *testing.T) { // BCP-01
	seen := map[string]bool{}
	for range 50 {
		s := NewSignIn()
		for _, v := range []string{s.State, s.Nonce, s.Verifier} {
			if len(v) != 43 || seen[v] {
				t.Fatalf("value %q is short or was there before", v)
			}
			seen[v] = true
		}
	}
}

func TestSignInThatNobodyBeganHasNoURL(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	for _, s := range []SignIn{{}, {State: c.signIn.State, Nonce: c.signIn.Nonce}, {State: "a", Nonce: "b", Verifier: "c"}} {
		if got, err := c.AuthURL(s); err == nil {
			t.Errorf("URL %q", got)
		}
	}
}

func TestSignInParameters(t *testing.T) {
	for _, tc := range []struct {
		query string
		want  string // of the parameters, as JSON; empty is refused
	}{
		{"", `{}`},
		{"return_to=/x&provider=main", `{}`},
		{"prompt=", `{}`},
		{"prompt=none", `{"p":"none"}`},
		{"prompt=login+consent", `{"p":"login consent"}`},
		{"prompt=none+login", ``},
		{"prompt=login+login", ``},
		{"prompt=LOGIN", ``},
		{"prompt=login++consent", ``},
		{"prompt=x%26prompt=none", ``},
		{"prompt=none&prompt=login", ``},
		{"login_hint=alice@example.com", `{"h":"alice@example.com"}`},
		{"login_hint=%C3%A4", `{"h":"ä"}`},
		{"login_hint=a%0D%0Ab", ``},
		{"login_hint=a%00b", ``},
		{"login_hint=%FF", ``},
		{"login_hint=%E2%80%AEa", ``},
		{"login_hint=" + strings.Repeat("a", 256), ``},
		{"ui_locales=de+en-GB", `{"l":"de en-GB"}`},
		{"ui_locales=de_DE", ``},
		{"ui_locales=" + strings.Repeat("a", 101), ``},
		{"acr_values=urn:mfa+gold", `{"a":"urn:mfa gold"}`},
		{"acr_values=a%22b", ``},
		{"acr_values=+gold", ``},
		{"max_age=0", `{"m":0}`},
		{"max_age=3600", `{"m":3600}`},
		{"max_age=-1", ``},
		{"max_age=%2B1", ``},
		{"max_age=1.5", ``},
		{"max_age=1e3", ``},
		{"max_age=99999999999", ``},
		{"max_age=1&max_age=2", ``},
	} {
		q, err := url.ParseQuery(tc.query)
		if err != nil {
			t.Fatal(err)
		}
		s := SignIn{Prompt: "kept"}
		if err := ParseSignIn(q, &s); (err == nil) != (tc.want != "") {
			t.Errorf("%q: %v", tc.query, err)
			continue
		} else if err != nil {
			if s.Prompt != "kept" {
				t.Errorf("%q: refused, and changed the sign-in", tc.query)
			}
			continue
		}
		if !q.Has("prompt") || q.Get("prompt") == "" {
			s.Prompt = ""
		}
		got, _ := json.Marshal(s)
		text := strings.Replace(strings.Replace(string(got), `"s":"","n":"","v":"","t":0,`, "", 1), `"s":"","n":"","v":"","t":0`, "", 1)
		if text != tc.want {
			t.Errorf("%q: %s, want %s", tc.query, text, tc.want)
		}
	}
}
