package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAuthorizationResponse(t *testing.T) {
	set := func(name string, values ...string) func(url.Values) {
		return func(q url.Values) { q[name] = values }
	}
	for _, tc := range []struct {
		name string
		edit func(url.Values)
		want string
	}{
		{"BCP-04 no state", func(q url.Values) { q.Del("state") }, ReasonState},
		{"BCP-04 empty state", set("state", ""), ReasonState},
		{"BCP-04 state of another sign-in", set("state", NewSignIn().State), ReasonState},
		{"BCP-04 state cut short", func(q url.Values) { q.Set("state", q.Get("state")[:42]) }, ReasonState},
		{"BCP-04 state in lower case", func(q url.Values) { q.Set("state", strings.ToLower(q.Get("state"))+"x") }, ReasonState},
		{"BCP-04 state twice", func(q url.Values) { q.Add("state", q.Get("state")) }, ReasonDuplicateParameter},
		{"BCP-09 no iss though announced", func(q url.Values) { q.Del("iss") }, ReasonResponseIssuerMissing},
		{"BCP-08 BCP-09 iss of another provider", set("iss", "https://evil.example"), ReasonResponseIssuer},
		{"BCP-09 iss with a slash more", func(q url.Values) { q.Set("iss", q.Get("iss")+"/") }, ReasonResponseIssuer},
		{"BCP-09 iss in another case", func(q url.Values) { q.Set("iss", strings.ToUpper(q.Get("iss"))) }, ReasonResponseIssuer},
		{"BCP-09 empty iss", set("iss", ""), ReasonResponseIssuer},
		{"BCP-09 iss twice", func(q url.Values) { q.Add("iss", "https://evil.example") }, ReasonDuplicateParameter},
		{"BCP-09 an error with another provider's iss", func(q url.Values) { q.Set("error", "access_denied"); q.Set("iss", "https://evil.example") }, ReasonResponseIssuer},
		{"BCP-09 an error without iss", func(q url.Values) { q.Set("error", "access_denied"); q.Del("iss") }, ReasonResponseIssuerMissing},
		{"the user said no", set("error", "access_denied"), ReasonAccessDenied},
		{"BCP-31 login_required after prompt=none", set("error", "login_required"), ReasonLoginRequired},
		{"BCP-31 an error that is markup", set("error", "<script>canary</script>"), ReasonProviderError},
		{"BCP-31 an error with a line break", set("error", "a\r\nSet-Cookie: canary"), ReasonProviderError},
		{"BCP-31 a description of 10 kB", func(q url.Values) {
			q.Set("error", "server_error")
			q.Set("error_description", strings.Repeat("canary", 2000))
		}, ReasonProviderError},
		{"an empty error", set("error", ""), ReasonProviderError},
		{"no code", func(q url.Values) { q.Del("code") }, ReasonCode},
		{"empty code", set("code", ""), ReasonCode},
		{"code twice", func(q url.Values) { q.Add("code", "canary") }, ReasonDuplicateParameter},
		{"code with a line break", set("code", "canary\n"), ReasonCode},
		{"code of 17 kB", set("code", strings.Repeat("canary", 3000)), ReasonCode},
		{"an unknown parameter twice", set("x", "1", "2"), ReasonDuplicateParameter},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			_, err := c.Callback(t.Context(), c.response(tc.edit), c.signIn)
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("reason %q, want %q", got, tc.want)
			}
			if n := c.op.count("/token"); n != 0 {
				t.Errorf("%d token requests, want none", n)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestResponseIssuerIsNotNeededWhereItIsNotAnnounced(t *testing.T) { // BCP-09
	o := newOP(t)
	o.metadata = without("authorization_response_iss_parameter_supported")
	c := newClientOf(t, o, nil)
	if _, err := c.Callback(t.Context(), c.response(func(q url.Values) { q.Del("iss") }), c.signIn); err != nil {
		t.Error(err)
	}
}

func TestCodeIsPresentedOnceWithTheVerifier(t *testing.T) { // BCP-01 BCP-11 BCP-12
	for _, auth := range []string{"basic", "post"} {
		c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.ClientAuth = auth })
		location, err := c.AuthURL(c.signIn)
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(location)
		if _, err := c.callback(t); err != nil {
			t.Fatal(err)
		}
		form, r := c.op.forms[0], c.op.requests[len(c.op.requests)-1]
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if got := base64.RawURLEncoding.EncodeToString(sum[:]); got != u.Query().Get("code_challenge") {
			t.Errorf("challenge %q is not of the verifier", u.Query().Get("code_challenge"))
		}
		user, pass, basic := r.BasicAuth()
		post := form.Get("client_id") == "spa" && form.Get("client_secret") == theSecret
		if basic != (auth == "basic") || basic && (user != "spa" || pass != theSecret) || post != (auth == "post") {
			t.Errorf("%s: client authentication basic=%v post=%v", auth, basic, post)
		}
		if form.Get("redirect_uri") != "https://app.example.com/bff/callback" || form.Get("grant_type") != "authorization_code" || form.Get("code") != theCode {
			t.Errorf("form %v", form)
		}
		if n := c.op.count("/token"); n != 1 {
			t.Errorf("%d token requests, want 1", n)
		}
	}
}

func TestTokenEndpointAnswersToACode(t *testing.T) {
	hole := sinkhole(t)
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Location", hole+"/token")
			w.WriteHeader(status)
			w.Write([]byte(body))
		}
	}
	const js = "application/json"
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		token  func(map[string]any)
		want   string
	}{
		{"BCP-11 BCP-12 invalid_grant", answer(400, js, `{"error":"invalid_grant","error_description":"canary"}`), nil, ReasonCodeRefused},
		{"BCP-12 invalid_client", answer(401, js, `{"error":"invalid_client"}`), nil, ReasonClientRefused},
		{"BCP-12 an unregistered error", answer(400, js, `{"error":"canary"}`), nil, ReasonClientRefused},
		{"an error that is no JSON", answer(400, "text/html", `<p>canary</p>`), nil, ReasonClientRefused},
		{"an error in a 200", answer(200, js, `{"error":"invalid_grant"}`), nil, ReasonCodeRefused},
		{"BCP-13 a 307 elsewhere", answer(307, js, `{}`), nil, ReasonTokenResponse},
		{"BCP-13 a 308 elsewhere", answer(308, js, `{}`), nil, ReasonTokenResponse},
		{"BCP-13 a 302 elsewhere", answer(302, js, `{}`), nil, ReasonTokenResponse},
		{"a provider that is broken", answer(500, js, `canary`), nil, "ErrUnavailable"},
		{"a provider that is overloaded", answer(429, js, `{}`), nil, "ErrUnavailable"},
		{"OIDC-15 HTML in a 200", answer(200, "text/html", `<p>canary</p>`), nil, ReasonTokenResponse},
		{"OIDC-15 a form in a 200", answer(200, "application/x-www-form-urlencoded", `access_token=canary`), nil, ReasonTokenResponse},
		{"OIDC-15 JSON that is none", answer(200, js, `{"access_token":"canary`), nil, ReasonTokenResponse},
		{"OIDC-15 a duplicate member", answer(200, js, `{"access_token":"canary","access_token":"x","token_type":"Bearer"}`), nil, ReasonTokenResponse},
		{"OIDC-15 50 MB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", js)
			chunk := []byte(strings.Repeat("canary", 1<<14))
			for range 50 << 20 / len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, nil, ReasonTokenResponse},
		{"OIDC-15 token_type mac", nil, with(map[string]any{"token_type": "mac"}), ReasonTokenResponseType},
		{"OIDC-15 no token_type", nil, without("token_type"), ReasonTokenResponseType},
		{"OIDC-15 token_type in lower case", nil, with(map[string]any{"token_type": "bearer"}), ""},
		{"OIDC-15 no ID token", nil, without("id_token"), ReasonIDTokenMissing},
		{"OIDC-15 ID token is no text", nil, with(map[string]any{"id_token": 7}), ReasonTokenResponse},
		{"OIDC-15 no access token", nil, without("access_token"), ReasonTokenResponse},
		{"an access token that would end a header", nil, with(map[string]any{"access_token": "canary\r\nX: y"}), ReasonTokenResponse},
		{"an access token of 17 kB", nil, with(map[string]any{"access_token": strings.Repeat("canary", 3000)}), ReasonTokenResponse},
		{"a refresh token with a space", nil, with(map[string]any{"refresh_token": "canary x"}), ReasonTokenResponse},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			c.op.token = tc.token
			if tc.answer != nil {
				c.op.answer["/token"] = tc.answer
			}
			_, err := c.callback(t)
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("reason %q, want %q (%v)", got, tc.want, err)
			}
			if n := c.op.count("/token"); n != 1 {
				t.Errorf("%d token requests, want 1", n)
			}
		})
	}
}

func TestAccessTokenLifetime(t *testing.T) { // OIDC-21
	for _, tc := range []struct {
		name string
		edit func(map[string]any)
		want float64 // seconds
	}{
		{"OIDC-21 no expires_in is five minutes", without("expires_in"), 300},
		{"OIDC-21 null", with(map[string]any{"expires_in": nil}), 300},
		{"OIDC-21 zero", with(map[string]any{"expires_in": 0}), 300},
		{"OIDC-21 negative", with(map[string]any{"expires_in": -5}), 300},
		{"OIDC-21 nonsense", with(map[string]any{"expires_in": "soon"}), 300},
		{"OIDC-21 an object", with(map[string]any{"expires_in": map[string]any{}}), 300},
		{"OIDC-21 a number as text", with(map[string]any{"expires_in": "120"}), 120},
		{"OIDC-21 a fraction", with(map[string]any{"expires_in": 120.9}), 120},
		{"OIDC-21 a year at most", with(map[string]any{"expires_in": 99999999999}), maxLifetime},
		{"OIDC-21 beyond integers", with(map[string]any{"expires_in": 1e30}), maxLifetime},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			c.op.token = tc.edit
			id, err := c.callback(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := id.Tokens.Expires.Sub(id.Tokens.Issued).Seconds(); got != tc.want {
				t.Errorf("lifetime %v s, want %v", got, tc.want)
			}
		})
	}
}

func TestUserinfo(t *testing.T) {
	hole := sinkhole(t)
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", hole+"/userinfo")
			w.WriteHeader(n)
		}
	}
	for _, tc := range []struct {
		name     string
		userinfo map[string]any
		answer   http.HandlerFunc
		want     string
	}{
		{"adds claims", map[string]any{"sub": "alice", "email": "a@example.com", "name": "Mallory", "iss": "x"}, nil, ""},
		{"OIDC-11 somebody else's", map[string]any{"sub": "bob"}, nil, ReasonUserinfoSubject},
		{"OIDC-11 nobody's", map[string]any{"email": "a@example.com"}, nil, ReasonUserinfoSubject},
		{"OIDC-11 empty sub", map[string]any{"sub": ""}, nil, ReasonUserinfoSubject},
		{"OIDC-11 sub is no text", map[string]any{"sub": []string{"alice"}}, nil, ReasonUserinfoSubject},
		{"BCP-13 a redirect", nil, status(307), ReasonUserinfo},
		{"the token is refused", nil, status(401), ReasonUserinfo},
		{"broken", nil, status(503), "ErrUnavailable"},
		{"50 MB", nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 50 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, ReasonUserinfo},
		{"a signed answer, which is not supported", nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt")
			w.Write([]byte("eyJ"))
		}, ReasonUserinfo},
		{"a list", nil, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, []int{1}) }, ReasonUserinfo},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.Userinfo = true })
			c.op.userinfo = tc.userinfo
			if tc.answer != nil {
				c.op.answer["/userinfo"] = tc.answer
			}
			id, err := c.callback(t)
			if got := c.reasonOf(t, err); got != tc.want {
				t.Fatalf("reason %q, want %q (%v)", got, tc.want, err)
			}
			if id != nil && (id.Claims["email"] != "a@example.com" || id.Claims["name"] != "Alice" || id.Issuer != c.op.URL) {
				t.Errorf("claims %v: userinfo must add, and never replace", id.Claims)
			}
		})
	}
}

func TestUserinfoIsNotAskedUnlessConfigured(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	if _, err := c.callback(t); err != nil || c.op.count("/userinfo") != 0 {
		t.Errorf("error %v, %d userinfo requests", err, c.op.count("/userinfo"))
	}
}

func TestRolesAreOnlyEverAnArrayOfStrings(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		claims     map[string]any
		want       string
	}{
		{"top level", "groups", map[string]any{"groups": []string{"a", "b"}}, "a,b"},
		{"nested", "realm_access.roles", map[string]any{"realm_access": map[string]any{"roles": []string{"a"}}}, "a"},
		{"a name with dots", "https://app.example.com/roles", map[string]any{"https://app.example.com/roles": []string{"a"}}, "a"},
		{"a name with dots in the middle", "resource_access.my.app.roles", map[string]any{"resource_access": map[string]any{"my.app": map[string]any{"roles": []string{"a"}}}}, "a"},
		{"the longest name that is there", "a.b.c", map[string]any{"a": map[string]any{"b.c": []string{"short"}}, "a.b": map[string]any{"c": []string{"long"}}}, "long"},
		{"dots alone", "...", map[string]any{"": map[string]any{"": []string{"a"}}}, ""},
		{"one string is no list", "groups", map[string]any{"groups": "admin"}, ""},
		{"strings with commas are no list", "groups", map[string]any{"groups": "admin,user"}, ""},
		{"a list with something else in it is no list", "groups", map[string]any{"groups": []any{"admin", 1}}, ""},
		{"an object is no list", "groups", map[string]any{"groups": map[string]any{"admin": true}}, ""},
		{"nothing on the way", "a.b.c", map[string]any{"a": map[string]any{"b": "c"}}, ""},
		{"no path", "", map[string]any{"groups": []string{"a"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.claims = func(c map[string]any) { delete(c, "groups"); with(tc.claims)(c) }
			c := newClientOf(t, o, func(cfg *Config) { cfg.RolesClaim = tc.path })
			id, err := c.callback(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(id.Roles, ","); got != tc.want {
				t.Errorf("roles %q, want %q", got, tc.want)
			}
		})
	}
}

func TestTooManyRolesAreRefusedNotCut(t *testing.T) {
	for name, groups := range map[string][]string{"many": make([]string, 257), "long": {strings.Repeat("a", 257)}} {
		o := newOP(t)
		o.claims = with(map[string]any{"groups": groups})
		c := newClientOf(t, o, nil)
		_, err := c.callback(t)
		if got := c.reasonOf(t, err); got != ReasonClaimsTooLarge {
			t.Errorf("%s: reason %q", name, got)
		}
	}
}
