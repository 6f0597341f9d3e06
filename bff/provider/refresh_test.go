package provider

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestRefreshBringsNewTokensAndIdentity(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	c.op.claims = with(map[string]any{"groups": []string{"support"}})
	id, err := c.Refresh(t.Context(), theRefresh, c.previous())
	if err != nil {
		t.Fatal(err)
	}
	form := c.op.forms[0]
	if form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != theRefresh {
		t.Errorf("form %v", form)
	}
	if id.Subject != "alice" || strings.Join(id.Roles, ",") != "support" || id.Tokens.Refresh != theRefresh+"-2" || id.Tokens.Access != theAccess {
		t.Errorf("identity %+v", id)
	}
}

func TestRefreshWithoutIDTokenHasNoIdentity(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	c.op.token = without("id_token", "expires_in")
	id, err := c.Refresh(t.Context(), theRefresh, c.previous())
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != "" || id.Claims != nil || id.Tokens.Expires.Sub(id.Tokens.Issued) != 5*time.Minute {
		t.Errorf("identity %+v", id)
	}
}

func TestRefreshedIDTokenMustBeOfTheSameSignIn(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	for _, tc := range []struct {
		name   string
		claims func(map[string]any)
		want   string
	}{
		{"OIDC-13 another subject", with(map[string]any{"sub": "bob"}), ReasonRefreshSubject},
		{"OIDC-13 another issuer", with(map[string]any{"iss": "https://evil.example"}), ReasonIssuer},
		{"OIDC-13 another audience", with(map[string]any{"aud": "other"}), ReasonAudience},
		{"OIDC-13 another nonce", with(map[string]any{"nonce": "canary"}), ReasonRefreshNonce},
		{"OIDC-13 an empty nonce", with(map[string]any{"nonce": ""}), ReasonRefreshNonce},
		{"OIDC-13 no nonce", without("nonce"), ""},
		{"OIDC-13 another authentication", with(map[string]any{"auth_time": now.Add(-time.Hour).Unix()}), ReasonRefreshAuthTime},
		{"OIDC-13 the same authentication", with(map[string]any{"auth_time": now.Add(-time.Minute).Unix()}), ""},
		{"OIDC-13 no auth_time", without("auth_time"), ""},
		{"OIDC-10 another access token", with(map[string]any{"at_hash": "AAAA"}), ReasonAccessTokenHash},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			c.op.claims = tc.claims
			prev := c.previous()
			prev.AuthTime = now.Add(-time.Minute)
			_, err := c.Refresh(t.Context(), theRefresh, prev)
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("reason %q, want %q", got, tc.want)
			}
			if tc.want != "" && !errors.Is(err, ErrInvalidGrant) {
				t.Errorf("%v does not end the session", err)
			}
		})
	}
}

func TestRefreshTellsWhatBecameOfTheToken(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			w.Write([]byte(body))
		}
	}
	hangUp := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   error
	}{
		{"refused", answer(400, `{"error":"invalid_grant","error_description":"`+theRefresh+`"}`), ErrInvalidGrant},
		{"refused with 401", answer(401, `{"error":"invalid_grant"}`), ErrInvalidGrant},
		{"our credentials are refused", answer(401, `{"error":"invalid_client"}`), ErrUnsent},
		{"a bare 400", answer(400, ``), ErrUnsent},
		{"500", answer(500, `{}`), ErrUnsent},
		{"502", answer(502, `<p>`), ErrUnsent},
		{"503 that claims invalid_grant", answer(503, `{"error":"invalid_grant"}`), ErrUnsent},
		{"429", answer(429, ``), ErrUnsent},
		{"a redirect", answer(307, ``), ErrUnsent},
		{"the answer is lost", hangUp, nil},
		{"the answer breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"access_token":"canary`))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, nil},
		{"the answer is HTML", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<p>canary</p>")) }, nil},
		{"the answer has no access token", answer(200, `{"token_type":"Bearer"}`), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClientOf(t, newOP(t), nil)
			c.op.answer["/token"] = tc.answer
			_, err := c.Refresh(t.Context(), theRefresh, c.previous())
			c.reasonOf(t, err)
			if err == nil {
				t.Fatal("no error")
			}
			for _, sentinel := range []error{ErrInvalidGrant, ErrUnsent} {
				if errors.Is(err, sentinel) != (tc.want == sentinel) {
					t.Errorf("error %v, want %v", err, tc.want)
				}
			}
			if n := c.op.count("/token"); n != 1 {
				t.Errorf("%d token requests, want 1", n)
			}
		})
	}
}

func TestRefreshTokenIsUnsentWhileNobodyListens(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	c.op.Close()
	_, err := c.Refresh(t.Context(), theRefresh, c.previous())
	if !errors.Is(err, ErrUnsent) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Refresh(ended, theRefresh, c.previous()); !errors.Is(err, ErrUnsent) {
		t.Errorf("error after the caller's end %v", err)
	}
	unknown := unknownClient(t, newOP(t), nil)
	if _, err := unknown.Refresh(t.Context(), theRefresh, c.previous()); !errors.Is(err, ErrUnsent) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("error before discovery %v", err)
	}
}

func TestHangingProviderIsGivenUpInTime(t *testing.T) {
	c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.Timeout = 300 * time.Millisecond; cfg.Userinfo = true })
	release := make(chan struct{})
	defer close(release)
	hang := func(http.ResponseWriter, *http.Request) { <-release }
	c.op.answer["/token"] = hang
	begun := time.Now()
	_, err := c.Refresh(t.Context(), theRefresh, c.previous())
	if errors.Is(err, ErrUnsent) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("refresh: error %v, want an unknown outcome", err)
	}
	_, err = c.callback(t)
	if got := c.reasonOf(t, err); got != "ErrUnavailable" {
		t.Errorf("callback: %v", err)
	}
	c.op.set(func() { delete(c.op.answer, "/token"); c.op.answer["/userinfo"] = hang })
	_, err = c.callback(t)
	if got := c.reasonOf(t, err); got != "ErrUnavailable" {
		t.Errorf("userinfo: %v", err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestUserinfoOutageDuringRefreshKeepsTheClaims(t *testing.T) {
	c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.Userinfo = true })
	c.op.answer["/userinfo"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	id, err := c.Refresh(t.Context(), theRefresh, c.previous())
	if err != nil || id.Subject != "" || id.Tokens.Access != theAccess {
		t.Errorf("identity %+v, error %v", id, err)
	}
	c.op.set(func() { delete(c.op.answer, "/userinfo"); c.op.userinfo = map[string]any{"sub": "bob"} })
	_, err = c.Refresh(t.Context(), theRefresh, c.previous())
	if got := c.reasonOf(t, err); got != ReasonUserinfoSubject || !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("OIDC-11: somebody else's userinfo: %v", err)
	}
}

// OIDC-16, OIDC-17: right after a rotation, when the new key cannot be had yet, a refresh keeps its tokens and the claims as they were;
// the provider has exchanged the token, and ending the session would sign everybody out.
func TestNewKeyOutOfReachDuringRefreshKeepsTheClaims(t *testing.T) {
	c := newClientOf(t, newOP(t), nil)
	c.clock.add(c.pace.keyCooldown)
	c.op.set(func() { c.op.now = c.clock.now() })
	for n := 1; c.op.count("/jwks") < 2; n++ { // somebody uses up the one fetch; the first may still join that of the start
		if _, err := c.LogoutToken(t.Context(), junk(c.op, n)); reasonName(err) != ReasonSignature {
			t.Fatal(err)
		}
	}
	c.op.set(func() {
		c.op.keySet = []jose.JSONWebKey{publicKey("other")}
		c.op.mint = func(claims map[string]any) string { return sign(claims, "other", jose.RS256, nil) }
	})
	id, err := c.Refresh(t.Context(), theRefresh, c.previous())
	if err != nil || id.Subject != "" || id.Tokens.Access != theAccess {
		t.Errorf("identity %+v, error %v", id, err)
	}
}

func TestCauseNeverQuotesAnAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("HTTP/1.1 canary-" + theAccess + "\r\n\r\n"))
			conn.Close()
		}
	}()
	c := newClientOf(t, newOP(t), nil)
	k := *c.known.Load()
	oauth := *k.oauth
	oauth.Endpoint.TokenURL = "http://" + l.Addr().String() + "/?canary"
	k.oauth = &oauth
	c.known.Store(&k)
	_, err = c.callback(t)
	if got := c.reasonOf(t, err); got != "ErrUnavailable" {
		t.Errorf("error %v", err)
	}
}
