package idp

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLoopbackOnly(t *testing.T) {
	client := []Client{{ID: "spa", Secret: testSecret, RedirectURIs: []string{"http://localhost:8080/cb"}}}
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		if _, err := Start(addr, Options{Clients: client}); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("Start(%q) = %v, want ErrNotLoopback", addr, err)
		}
	}
	for _, issuer := range []string{"https://id.example.com", "http://192.0.2.1:9000", "http://127.0.0.1.example.com"} {
		if _, err := New(Options{Issuer: issuer, Clients: client}); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("New with issuer %q = %v, want ErrNotLoopback", issuer, err)
		}
	}
	foreign := client[0]
	foreign.RedirectURIs = []string{"https://app.example.com/cb"}
	if _, err := New(Options{Issuer: "http://127.0.0.1:9000", Clients: []Client{foreign}}); !errors.Is(err, ErrNotLoopback) {
		t.Errorf("New with a client elsewhere = %v, want ErrNotLoopback", err)
	}
	p, err := New(Options{Issuer: "http://127.0.0.1:9000", Clients: client})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, peer, host string
		want             int
	}{
		{"loopback peer and own name", "127.0.0.1:5555", "127.0.0.1:9000", http.StatusOK},
		{"a peer elsewhere is refused", "192.0.2.7:5555", "127.0.0.1:9000", http.StatusForbidden},
		{"another name for this machine is refused", "127.0.0.1:5555", "rebound.example:9000", http.StatusMisdirectedRequest},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+tt.host+"/jwks", nil)
		r.RemoteAddr = tt.peer
		w := httptest.NewRecorder()
		if p.ServeHTTP(w, r); w.Code != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, w.Code, tt.want)
		}
	}
}

func TestDiscoverySaysWhatIsThere(t *testing.T) {
	w := newWorld(t, nil)
	var d map[string]any
	if err := json.Unmarshal([]byte(w.get(w.srv.Issuer()+"/.well-known/openid-configuration").body), &d); err != nil {
		t.Fatal(err)
	}
	iss := w.srv.Issuer()
	w.want(d, map[string]any{
		"issuer": iss, "authorization_endpoint": iss + "/authorize", "token_endpoint": iss + "/token", "jwks_uri": iss + "/jwks",
		"userinfo_endpoint": iss + "/userinfo", "revocation_endpoint": iss + "/revoke", "end_session_endpoint": iss + "/logout",
		"code_challenge_methods_supported": []string{"S256"}, "response_types_supported": []string{"code"},
		"authorization_response_iss_parameter_supported": true, "id_token_signing_alg_values_supported": []string{"ES256"},
		"backchannel_logout_supported": true, "backchannel_logout_session_supported": true,
	})
}

func TestSignInGivesTokensWithClaims(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.AccessTokenLife = 7 * time.Second; o.Audience = "orders" })
	tk := w.signIn(nil)
	if tk.ExpiresIn != 7 || tk.Refresh == "" {
		t.Errorf("expires_in %d, refresh token %t; want 7 and one", tk.ExpiresIn, tk.Refresh != "")
	}
	_, id := w.claims(tk.ID)
	w.want(id, map[string]any{"iss": w.srv.Issuer(), "aud": "spa", "sub": "ada", "nonce": testNonce, "name": "Ada Lovelace",
		"email": "ada@example.test", "groups": []string{"admin", "customer"}, "azp": "spa"})
	for _, k := range []string{"sid", "auth_time", "iat", "exp"} {
		if id[k] == nil || id[k] == "" {
			t.Errorf("ID token has no %s: %v", k, id)
		}
	}
	typ, at := w.claims(tk.Access)
	if typ != "at+jwt" {
		t.Errorf("access token typ = %v, want at+jwt (RFC 9068)", typ)
	}
	w.want(at, map[string]any{"iss": w.srv.Issuer(), "aud": "orders", "sub": "ada", "client_id": "spa", "groups": []string{"admin", "customer"}})

	req, err := http.NewRequest(http.MethodGet, w.srv.Issuer()+"/userinfo", nil)
	req.Header.Set("Authorization", "Bearer "+tk.Access)
	var info map[string]any
	if r := w.do(req, err); json.Unmarshal([]byte(r.body), &info) != nil || r.status != http.StatusOK {
		t.Fatalf("userinfo: %d %s", r.status, r.body)
	}
	w.want(info, map[string]any{"sub": "ada", "name": "Ada Lovelace", "groups": []string{"admin", "customer"}})
}

func TestAnyNameMaySignIn(t *testing.T) {
	w := newWorld(t, nil)
	page := w.get(w.authURL(nil))
	for _, bad := range []url.Values{{"name": {""}}, {"name": {"  "}}, {"name": {"ADA"}}, {"name": {strings.Repeat("x", maxName+1)}}, {"user": {"nobody"}}} {
		if r := w.pick(page, bad); r.status != http.StatusUnprocessableEntity || !strings.Contains(r.body, `role="alert"`) {
			t.Errorf("form %v: status %d, want 422 and the page again", bad, r.status)
		}
	}
	q := w.callback(w.pick(page, url.Values{"name": {" Émilie  <b>du</b> Châtelet "}, "role": {"root"}}))
	tk, _ := w.exchange(q.Get("code"))
	_, id := w.claims(tk.ID)
	w.want(id, map[string]any{"sub": "milie-b-du-b-ch-telet", "name": "Émilie <b>du</b> Châtelet", "groups": []string{"customer"}})
	if home := w.get(w.srv.Issuer() + "/"); strings.Contains(home.body, "<b>") {
		t.Error("a typed-in name came through as markup")
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	for name, q := range map[string]url.Values{
		"without PKCE":              {"code_challenge": {""}, "code_challenge_method": {""}},
		"plain PKCE":                {"code_challenge_method": {"plain"}},
		"another redirect URI":      {"redirect_uri": {w.app + "/elsewhere"}},
		"an unknown client":         {"client_id": {"nobody"}},
		"an unknown scope":          {"scope": {"openid everything"}},
		"a token from the endpoint": {"response_type": {"token"}},
	} {
		r := w.get(w.authURL(q))
		if r.location != nil && !strings.Contains(r.location.RawQuery+r.location.Fragment, "error=") || r.location == nil && r.status != http.StatusBadRequest {
			t.Errorf("%s: status %d to %v, want an error", name, r.status, r.location)
		}
	}
	if q := w.callback(w.pick(w.get(w.authURL(nil)), url.Values{"cancel": {"yes"}})); q.Get("error") != "access_denied" {
		t.Errorf("cancel: callback %v, want access_denied", q)
	}
}

func TestSingleSignOnAndItsExceptions(t *testing.T) {
	w := newWorld(t, nil)
	if q := w.callback(w.get(w.authURL(url.Values{"prompt": {"none"}}))); q.Get("error") != "login_required" {
		t.Errorf("prompt=none of a stranger: %v, want login_required", q)
	}
	_, first := w.claims(w.signIn(nil).ID)
	for _, tt := range []struct {
		name string
		q    url.Values
		asks bool
	}{
		{"a second request is answered at once", nil, false},
		{"prompt=none is answered at once", url.Values{"prompt": {"none"}}, false},
		{"prompt=login asks", url.Values{"prompt": {"login"}}, true},
		{"prompt=select_account asks", url.Values{"prompt": {"select_account"}}, true},
		{"max_age=0 asks", url.Values{"max_age": {"0"}}, true},
		{"max_age of an hour does not", url.Values{"max_age": {"3600"}}, false},
		{"login_hint of the same user does not", url.Values{"login_hint": {"ADA@example.test"}}, false},
		{"login_hint of another user asks", url.Values{"login_hint": {"grace"}}, true},
	} {
		r := w.get(w.authURL(tt.q))
		if asked := r.status == http.StatusOK; asked != tt.asks {
			t.Errorf("%s: status %d", tt.name, r.status)
		}
		if !tt.asks {
			tk, _ := w.exchange(w.callback(r).Get("code"))
			_, again := w.claims(tk.ID)
			w.want(again, map[string]any{"sid": first["sid"], "auth_time": first["auth_time"]})
		}
	}
}

func TestACodeIsUsedOnce(t *testing.T) {
	w := newWorld(t, nil)
	code := w.callback(w.pick(w.get(w.authURL(nil)), url.Values{"user": {"ada"}})).Get("code")
	tk, status := w.exchange(code)
	if status != http.StatusOK {
		t.Fatalf("first exchange: %d", status)
	}
	if again, status := w.exchange(code); status != http.StatusBadRequest || again.Access != "" {
		t.Errorf("second exchange: %d, want 400", status)
	}
	if r, status := w.refresh(tk.Refresh); status != http.StatusBadRequest || r.Error != "invalid_grant" {
		t.Errorf("refresh after the code was replayed: %d %s, want invalid_grant", status, r.Error)
	}
}

func TestAReusedRefreshTokenRevokesItsFamily(t *testing.T) {
	w := newWorld(t, nil)
	first := w.signIn(nil)
	second, status := w.refresh(first.Refresh)
	if status != http.StatusOK || second.Refresh == "" || second.Refresh == first.Refresh || second.ID == "" {
		t.Fatalf("refresh: %d, want new tokens", status)
	}
	other := w.signIn(url.Values{"prompt": {"login"}}) // another grant of the same user
	if r, status := w.refresh(first.Refresh); status != http.StatusBadRequest || r.Error != "invalid_grant" {
		t.Errorf("reuse: %d %s, want 400 invalid_grant", status, r.Error)
	}
	if r, status := w.refresh(second.Refresh); status != http.StatusBadRequest || r.Error != "invalid_grant" {
		t.Errorf("the newer token after a reuse: %d %s, want it revoked too", status, r.Error)
	}
	req, err := http.NewRequest(http.MethodGet, w.srv.Issuer()+"/userinfo", nil)
	req.Header.Set("Authorization", "Bearer "+second.Access)
	if r := w.do(req, err); r.status != http.StatusUnauthorized {
		t.Errorf("userinfo with the family's access token: %d, want 401", r.status)
	}
	if _, status := w.refresh(other.Refresh); status != http.StatusOK {
		t.Errorf("another family: %d, want 200", status)
	}
}

func TestOfConcurrentRefreshesAtMostOneSucceeds(t *testing.T) {
	w := newWorld(t, nil)
	tk := w.signIn(nil)
	var wg sync.WaitGroup
	granted := make(chan string, 8)
	for range 8 {
		wg.Go(func() {
			if r, status := w.refresh(tk.Refresh); status == http.StatusOK {
				granted <- r.Refresh
			}
		})
	}
	wg.Wait()
	close(granted)
	if len(granted) > 1 {
		t.Errorf("%d of 8 concurrent refreshes got tokens, want at most 1", len(granted))
	}
	for token := range granted {
		if _, status := w.refresh(token); status == http.StatusOK {
			t.Error("the family lives on after a concurrent reuse")
		}
	}
}

func TestRevocationEndsTheGrant(t *testing.T) {
	w := newWorld(t, nil)
	tk := w.signIn(nil)
	if r := w.post("/revoke", url.Values{"token": {tk.Refresh}}, false); r.status != http.StatusUnauthorized && r.status != http.StatusBadRequest {
		t.Errorf("revocation without credentials: %d, want a refusal", r.status)
	}
	if r := w.post("/revoke", url.Values{"token": {tk.Refresh}, "token_type_hint": {"refresh_token"}}, true); r.status != http.StatusOK {
		t.Errorf("revocation: %d %s, want 200", r.status, r.body)
	}
	if _, status := w.refresh(tk.Refresh); status != http.StatusBadRequest {
		t.Errorf("refresh with a revoked token: %d, want 400", status)
	}
}

func TestSignOutAtTheProviderTellsTheClient(t *testing.T) {
	w := newWorld(t, nil)
	tk := w.signIn(nil)
	_, id := w.claims(tk.ID)
	if r := w.post("/signout", nil, false); r.status != http.StatusSeeOther {
		t.Fatalf("sign-out: %d", r.status)
	}
	w.wantNotice(id["sid"])
	if _, status := w.refresh(tk.Refresh); status != http.StatusBadRequest {
		t.Errorf("refresh after the sign-out: %d, want 400", status)
	}
	if r := w.get(w.authURL(nil)); r.status != http.StatusOK {
		t.Errorf("sign-in after the sign-out: %d, want the page again", r.status)
	}
}

// wantNotice checks the back-channel POST (OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.5).
func (w *world) wantNotice(sid any) {
	w.t.Helper()
	var r *http.Request
	select {
	case r = <-w.notices:
	case <-time.After(5 * time.Second):
		w.t.Fatal("no back-channel logout arrived")
	}
	if ct := r.Header.Get("Content-Type"); r.Method != http.MethodPost || ct != "application/x-www-form-urlencoded" || len(r.PostForm) != 1 {
		w.t.Errorf("notice: %s %q with %d members, want a POST form with logout_token alone", r.Method, ct, len(r.PostForm))
	}
	typ, claims := w.claims(r.PostForm.Get("logout_token"))
	if typ != "logout+jwt" {
		w.t.Errorf("typ = %v, want logout+jwt", typ)
	}
	w.want(claims, map[string]any{"iss": w.srv.Issuer(), "aud": "spa", "sub": "ada", "sid": sid,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}})
	iat, _ := claims["iat"].(float64)
	exp, _ := claims["exp"].(float64)
	if jti, _ := claims["jti"].(string); jti == "" || iat == 0 || exp-iat != 120 {
		w.t.Errorf("jti, iat, exp = %v, %v, %v; want an ID and two minutes", claims["jti"], claims["iat"], claims["exp"])
	}
	if _, has := claims["nonce"]; has {
		w.t.Error("a logout token must not have a nonce")
	}
}

func TestEndSession(t *testing.T) {
	bye := func(w *world, more url.Values) string {
		q := url.Values{"client_id": {"spa"}, "post_logout_redirect_uri": {w.app + "/bye"}, "state": {"s1"}}
		for k, v := range more {
			q[k] = v
		}
		return w.srv.Issuer() + "/logout?" + q.Encode()
	}
	wantBye := func(w *world, r reply) {
		w.t.Helper()
		if r.location == nil || r.location.String() != w.app+"/bye?state=s1" {
			w.t.Errorf("end_session: %d to %v, want the client's page:\n%s", r.status, r.location, r.body)
		}
	}
	t.Run("an ID token of this session signs out at once", func(t *testing.T) {
		w := newWorld(t, nil)
		tk := w.signIn(nil)
		_, id := w.claims(tk.ID)
		wantBye(w, w.get(bye(w, url.Values{"id_token_hint": {tk.ID}})))
		w.wantNotice(id["sid"])
	})
	t.Run("without one the user is asked", func(t *testing.T) {
		w := newWorld(t, nil)
		_, id := w.claims(w.signIn(nil).ID)
		page := w.get(bye(w, nil))
		if page.status != http.StatusOK || !strings.Contains(page.header.Get("Content-Security-Policy"), "form-action 'self' "+w.app+";") {
			t.Fatalf("end_session: %d with policy %q, want a page that may go on to the client", page.status, page.header.Get("Content-Security-Policy"))
		}
		wantBye(w, w.pick(page, nil))
		w.wantNotice(id["sid"])
	})
	t.Run("who stays is still signed in", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signIn(nil)
		wantBye(w, w.pick(w.get(bye(w, nil)), url.Values{"stay": {"yes"}}))
		if q := w.callback(w.get(w.authURL(url.Values{"prompt": {"none"}}))); q.Get("code") == "" {
			t.Errorf("prompt=none after staying: %v, want a code", q)
		}
	})
	t.Run("who is not signed in goes on at once", func(t *testing.T) {
		w := newWorld(t, nil)
		wantBye(w, w.get(bye(w, nil)))
	})
	t.Run("an unregistered page is refused", func(t *testing.T) {
		w := newWorld(t, nil)
		if r := w.get(bye(w, url.Values{"post_logout_redirect_uri": {w.app + "/other"}})); r.status != http.StatusBadRequest || r.location != nil {
			t.Errorf("end_session: %d to %v, want 400", r.status, r.location)
		}
	})
}

func TestAnotherUserInTheSameBrowserEndsTheFirst(t *testing.T) {
	w := newWorld(t, nil)
	_, id := w.claims(w.signIn(nil).ID)
	w.callback(w.pick(w.get(w.authURL(url.Values{"prompt": {"login"}})), url.Values{"user": {"grace"}}))
	w.wantNotice(id["sid"])
}

func TestOtherSitesCannotSignOut(t *testing.T) {
	w := newWorld(t, nil)
	w.signIn(nil)
	req, err := http.NewRequest(http.MethodPost, w.srv.Issuer()+"/signout", nil)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if r := w.do(req, err); r.status != http.StatusForbidden {
		t.Errorf("cross-site sign-out: %d, want 403", r.status)
	}
}

func TestBoundedDropsTheOldest(t *testing.T) {
	var gone []int
	b := newBounded(2, func(v int) { gone = append(gone, v) })
	b.put("a", 1)
	b.put("b", 2)
	b.put("a", 10) // known: nothing goes
	b.put("c", 3)
	if _, ok := b.get("a"); ok || len(b.entries) != 2 || len(gone) != 1 || gone[0] != 10 {
		t.Errorf("entries %v, gone %v; want b and c, and 10 gone", b.entries, gone)
	}
	for range 100 { // put and remove must not grow the order for ever
		b.put("x", 4)
		b.remove("x")
	}
	if len(b.order) > 4 {
		t.Errorf("order has %d keys, want at most 4", len(b.order))
	}
}
