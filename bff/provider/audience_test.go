package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// accessJWT is an access token as RFC 9068 has it.
func accessJWT(claims map[string]any) string {
	return sign(claims, "rsa", jose.RS256, map[string]any{"typ": "at+jwt"})
}

// OAX-04: what RFC 8693 wants in a request, and no more than was configured.
func TestExchangeSaysWhatItTradesForWhat(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	c.op.token = func(m map[string]any) {
		m["issued_token_type"], m["scope"] = accessTokenType, "orders.read"
		delete(m, "expires_in")
	}
	got, err := c.Exchange(t.Context(), "the user's own", Wanted{Audience: "orders", Resource: "https://orders.example", Scopes: []string{"orders.read", "orders.write"}})
	if err != nil || got.Access != theAccess || got.Expires.Sub(got.Issued) != 5*time.Minute {
		t.Fatalf("%+v, %v", got, err)
	}
	want := url.Values{
		"grant_type": {exchangeGrant}, "subject_token": {"the user's own"}, "subject_token_type": {accessTokenType}, "requested_token_type": {accessTokenType},
		"audience": {"orders"}, "resource": {"https://orders.example"}, "scope": {"orders.read orders.write"},
	}
	if form := c.op.forms[0]; form.Encode() != want.Encode() {
		t.Errorf("form %v\nwant %v", form, want)
	}
	if id, secret, _ := c.op.requests[len(c.op.requests)-1].BasicAuth(); id != "spa" || secret != theSecret {
		t.Errorf("the client is %q", id)
	}
}

// OAX-04: an answer is no proof. What is not for the audience, may do more, or is the user's own token again, is not used.
func TestTokensThatAreNotWhatWasWantedAreRefused(t *testing.T) {
	orders := Wanted{Audience: "orders", Scopes: []string{"orders.read", "orders.write"}}
	resource := Wanted{Resource: "https://orders.example"}
	jwt := func(claims map[string]any) func(map[string]any) {
		return func(m map[string]any) { m["access_token"] = accessJWT(claims) }
	}
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) { m[name] = value }
	}
	for name, tc := range map[string]struct {
		wanted Wanted
		edit   func(map[string]any)
		want   string
	}{
		"an opaque token":                 {orders, nil, ""},
		"for the audience":                {orders, jwt(map[string]any{"aud": "orders", "scope": "orders.read"}), ""},
		"for the audience among others":   {orders, jwt(map[string]any{"aud": []string{"x", "orders"}}), ""},
		"for the resource":                {resource, jwt(map[string]any{"aud": "https://orders.example"}), ""},
		"for the client itself":           {resource, jwt(map[string]any{"aud": []string{"spa"}}), ReasonGrantAudience},
		"for another audience":            {orders, jwt(map[string]any{"aud": "users"}), ReasonGrantAudience},
		"for nobody":                      {orders, jwt(map[string]any{}), ReasonGrantAudience},
		"for an empty name":               {resource, jwt(map[string]any{"aud": ""}), ReasonGrantAudience},
		"for whoever, where none is said": {Wanted{Scopes: []string{"orders.read"}}, jwt(map[string]any{"aud": "users"}), ""},
		"less scope":                      {orders, set("scope", "orders.read"), ""},
		"more scope":                      {orders, set("scope", "orders.read admin"), ReasonGrantScope},
		"more scope inside":               {orders, jwt(map[string]any{"aud": "orders", "scope": "admin"}), ReasonGrantScope},
		"more scope inside, in a list":    {orders, jwt(map[string]any{"aud": "orders", "scope": []string{"orders.read", "admin"}}), ReasonGrantScope},
		"more scope inside, as scp":       {orders, jwt(map[string]any{"aud": "orders", "scp": "orders.read admin"}), ReasonGrantScope},
		"more scope inside, as a list":    {orders, jwt(map[string]any{"aud": "orders", "scp": []string{"orders.read", "admin"}}), ReasonGrantScope},
		"less scope inside, as a list":    {orders, jwt(map[string]any{"aud": "orders", "scp": []string{"orders.read"}}), ""},
		"any scope, where none is said":   {resource, set("scope", "admin"), ""},
		"no token at all":                 {orders, set("access_token", "the user's own"), ReasonTokenResponse},
		"the user's own token":            {orders, set("access_token", "own"), ReasonGrantSame},
		"an ID token":                     {orders, set("issued_token_type", "urn:ietf:params:oauth:token-type:id_token"), ReasonGrantType},
		"a token of no type":              {orders, set("issued_token_type", nil), ReasonGrantType},
		"no bearer":                       {orders, set("token_type", "N_A"), ReasonTokenResponseType},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			c.op.token = func(m map[string]any) {
				m["issued_token_type"], m["scope"] = accessTokenType, nil
				if tc.edit != nil {
					tc.edit(m)
				}
			}
			got, err := c.Exchange(t.Context(), "own", tc.wanted)
			if reason := c.reasonOf(t, err); reason != tc.want || (got.Access == "") != (tc.want != "") || (tc.want != "") != errors.Is(err, ErrNotGranted) {
				t.Errorf("reason %q, want %q (%v)", reason, tc.want, err)
			}
		})
	}
}

func TestRefusalsAndOutagesOfAnExchangeDiffer(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		body    string
		refused bool
	}{
		"invalid_target":             {400, `{"error":"invalid_target","error_description":"canary-text"}`, true},
		"access_denied":              {403, `{"error":"access_denied"}`, true},
		"not allowed to exchange":    {400, `{"error":"unauthorized_client"}`, true},
		"the wrong secret":           {401, `{"error":"invalid_client"}`, true},
		"an error nobody registered": {400, `{"error":"canary-text"}`, true},
		"a redirect":                 {302, ``, true},
		"a page":                     {200, `<html>`, true},
		"too many requests":          {429, `{}`, false},
		"out of order":               {503, `<html>`, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			c.op.answer["/token"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tc.status)
				w.Write([]byte(tc.body))
			}
			for what, err := range map[string]error{
				"exchange":           second(c.Exchange(t.Context(), "own", Wanted{Audience: "orders"})),
				"client credentials": second(c.ClientCredentials(t.Context(), Wanted{})),
			} {
				c.reasonOf(t, err)
				if errors.Is(err, ErrNotGranted) != tc.refused || errors.Is(err, ErrUnavailable) == tc.refused || strings.Contains(err.Error(), "canary-text") {
					t.Errorf("%s: %v", what, err)
				}
			}
			if n := c.op.count("/token"); n != 2 {
				t.Errorf("%d requests for two tokens", n)
			}
		})
	}
	c := newClientOf(t, newOP(t), nil)
	c.op.Close()
	if _, err := c.Exchange(t.Context(), "own", Wanted{Audience: "orders"}); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotGranted) {
		t.Errorf("gone: %v", err)
	}
}

func second(_ Tokens, err error) error { return err }

func TestClientCredentialsAreOfNobody(t *testing.T) {
	c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.ClientAuth = "post" })
	c.op.token = func(m map[string]any) { m["scope"] = "jobs.run" }
	got, err := c.ClientCredentials(t.Context(), Wanted{Audience: "jobs", Scopes: []string{"jobs.run"}})
	if err != nil || got.Access != theAccess {
		t.Fatalf("%+v, %v", got, err)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "audience": {"jobs"}, "scope": {"jobs.run"}, "client_id": {"spa"}, "client_secret": {theSecret}}
	if form := c.op.forms[0]; form.Encode() != want.Encode() {
		t.Errorf("form %v", form)
	}
}

// OAX-20: resource at the authorization endpoint, one for each, and at the token endpoint, the one that is wanted.
func TestResources(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	s := NewSignIn()
	s.Resources = []string{"https://orders.example/", "https://users.example/?a=b&c"}
	location, err := c.AuthURL(s)
	u, err2 := url.Parse(location)
	if err != nil || err2 != nil || !slices.Equal(u.Query()["resource"], s.Resources) || u.Query().Get("state") != s.State {
		t.Errorf("%s, %v", location, err)
	}
	c.op.token = func(m map[string]any) {
		m["access_token"] = accessJWT(map[string]any{"aud": "https://orders.example/"})
	}
	id, err := c.RefreshFor(t.Context(), theRefresh, c.previous(), Wanted{Resource: "https://orders.example/", Scopes: []string{"openid"}})
	if err != nil || id.Tokens.Refresh != theRefresh+"-2" || id.Subject != "alice" || len(id.Roles) != 2 {
		t.Fatalf("%+v, %v", id, err)
	}
	want := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {theRefresh}, "resource": {"https://orders.example/"}, "scope": {"openid"}}
	if form := c.op.forms[0]; form.Encode() != want.Encode() {
		t.Errorf("form %v", form)
	}
}

// A token for another audience is refused, and the refresh token that came with it is the one that counts from then on.
func TestRefreshForAnotherAudience(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	c.op.token = func(m map[string]any) { m["access_token"] = accessJWT(map[string]any{"aud": "spa"}) }
	id, err := c.RefreshFor(t.Context(), theRefresh, c.previous(), Wanted{Resource: "https://orders.example/"})
	if got := c.reasonOf(t, err); got != ReasonGrantAudience || !errors.Is(err, ErrNotGranted) || id == nil || id.Tokens.Refresh != theRefresh+"-2" {
		t.Errorf("%q, %+v, %v", got, id, err)
	}
}

// Such a token does not open userinfo. That is no reason to end the session, nor to forget what userinfo said.
func TestRefreshForAResourceLeavesUserinfoAlone(t *testing.T) {
	c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.Userinfo = true })
	c.op.answer["/userinfo"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	id, err := c.RefreshFor(t.Context(), theRefresh, c.previous(), Wanted{Resource: "https://orders.example/"})
	if err != nil || id.Subject != "" || id.Tokens.Refresh == "" || c.op.count("/userinfo") != 0 {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestRefreshForTellsWhatBecameOfTheToken(t *testing.T) {
	for name, tc := range map[string]struct {
		status                      int
		body                        string
		ends, unsent, refused, away bool
	}{
		"invalid_grant":               {400, `{"error":"invalid_grant"}`, true, false, false, false},
		"a resource that is unknown":  {400, `{"error":"invalid_target"}`, false, false, true, false},
		"a resource that is denied":   {403, `{"error":"access_denied"}`, false, false, true, false},
		"an error of no RFC":          {400, `{}`, false, false, true, false},
		"a scope that is not granted": {400, `{"error":"invalid_scope"}`, false, true, true, false},
		"our own credentials":         {401, `{"error":"invalid_client"}`, false, true, true, false},
		"out of order":                {500, `{}`, false, true, false, true},
		"a grant without a token":     {200, `{"token_type":"Bearer"}`, false, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			c.op.answer["/token"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tc.status)
				w.Write([]byte(tc.body))
			}
			_, err := c.RefreshFor(t.Context(), theRefresh, c.previous(), Wanted{Resource: "https://orders.example/"})
			c.reasonOf(t, err)
			got := []bool{errors.Is(err, ErrInvalidGrant), errors.Is(err, ErrUnsent), errors.Is(err, ErrNotGranted), errors.Is(err, ErrUnavailable)}
			if !slices.Equal(got, []bool{tc.ends, tc.unsent, tc.refused, tc.away}) {
				t.Errorf("ends, unsent, refused, unavailable: %v (%v)", got, err)
			}
		})
	}
	c := newClientOf(t, newOP(t), nil)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.RefreshFor(over, theRefresh, c.previous(), Wanted{}); !errors.Is(err, ErrUnsent) || c.op.count("/token") != 0 {
		t.Errorf("for nobody: %v", err)
	}
}
