package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/e2e/up"
)

// issuers are two that make access tokens: one that is configured, and one that is not.
type issuers struct{ first, other *issuer }

func newIssuers() *issuers { return &issuers{newIssuer(), newIssuer()} }

func (i *issuers) close() error {
	i.first.server.Close()
	i.other.server.Close()
	return nil
}

// issuer is an issuer with one key, all of its own.
type issuer struct {
	server *httptest.Server
	key    ed25519.PrivateKey
}

func newIssuer() *issuer {
	public, private, _ := ed25519.GenerateKey(rand.Reader) // never fails
	i := &issuer{key: private}
	keys := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","use":"sig","alg":"EdDSA","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, keys)
	}))
	return i
}

func (i *issuer) url() string { return i.server.URL }

// sign makes a token. What is changed replaces members of the header or of the claims; nil takes one away.
func (i *issuer) sign(changed map[string]any) string {
	now := time.Now().Unix()
	header := map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": "k"}
	payload := map[string]any{
		"iss": i.url(), "sub": "robot", "aud": documentsAPI, "client_id": "robot", "jti": rand.Text(), "iat": now, "exp": now + 300, "scope": "docs.read",
	}
	for name, value := range changed {
		part := payload
		if _, ok := header[name]; ok || name == "crit" {
			part = header
		}
		if part[name] = value; value == nil {
			delete(part, name)
		}
	}
	text := base64JSON(header) + "." + base64JSON(payload)
	token := text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(i.key, []byte(text)))
	shared.corpus.Learn("access token", token)
	return token
}

func base64JSON(v any) string {
	b, _ := json.Marshal(v) // strings and numbers alone
	return base64.RawURLEncoding.EncodeToString(b)
}

// tokenOf asks the provider for a token of the client's own.
func (s *story) tokenOf(more url.Values) string {
	s.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"docs.read"}}
	for name, values := range more {
		form[name] = values
	}
	req, err := http.NewRequestWithContext(s.ctx, "POST", s.Provider.Issuer+"/token", strings.NewReader(form.Encode()))
	s.check(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("app", s.Config.ClientSecret)
	res, err := http.DefaultClient.Do(req)
	s.check(err)
	defer res.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	s.check(json.NewDecoder(res.Body).Decode(&answer))
	if answer.AccessToken == "" {
		s.Fatalf("the provider gives no token: %s", res.Status)
	}
	shared.corpus.Learn("access token", answer.AccessToken)
	return answer.AccessToken
}

// AUN-03, AUN-01: a provider that we did not write gives an access token by RFC 9068; it opens the route, and goes on where the route says so, alone.
func TestAnAccessTokenOfTheProvider(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	token := s.tokenOf(url.Values{"resource": {documentsAPI}})
	for n := range 2 {
		for _, path := range []string{"/tokens/op", "/tokens-kept/op"} {
			if a := s.program(n, "GET", path, "Authorization: Bearer "+token); a.Status != 200 {
				t.Fatalf("%s: %d\n%s", path, a.Status, s.brief(a))
			}
		}
	}
	for _, r := range reached(s.Upstream, "/op") {
		kept := strings.HasPrefix(r.Target, "/tokens-kept/")
		if want := up.Thumbprint(token); kept && r.Bearer() != "" || !kept && up.Thumbprint(r.Bearer()) != want {
			t.Errorf("%s: the upstream got another token than it should", r.Target)
		}
	}
	writes := s.tokenOf(url.Values{"resource": {documentsAPI}, "scope": {"docs.write"}})
	s.refusedOnce(s.program(0, "GET", "/tokens/x", "Authorization: Bearer "+writes), 403, refusal{"forbidden", "scopes", "scope_missing"})
	opaque := s.tokenOf(url.Values{"scope": {""}})
	s.refusedOnce(s.program(0, "GET", "/tokens/x", "Authorization: Bearer "+opaque), 401, refusal{"bad_credential", "", "token_malformed"})
}

// AUN-03, LOG-01: each way in which a token is no good is refused, with its own reason in the log alone.
func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	i, now := s.issuers.first, time.Now().Unix()
	good := i.sign(nil)
	if a := s.program(0, "GET", "/tokens/x", "Authorization: Bearer "+good); a.Status != 200 {
		t.Fatalf("a good one: %d\n%s", a.Status, s.brief(a))
	}
	parts := strings.Split(good, ".")
	none := base64JSON(map[string]any{"alg": "none", "typ": "at+jwt"}) + "." + parts[1] + "."
	for token, reason := range map[string]string{
		i.sign(map[string]any{"typ": "JWT"}):                      "token_type",
		i.sign(map[string]any{"typ": nil}):                        "token_type",
		i.sign(map[string]any{"typ": "logout+jwt"}):               "token_type",
		i.sign(map[string]any{"aud": "https://other.example"}):    "token_audience",
		i.sign(map[string]any{"aud": documentsAPI + "/"}):         "token_audience",
		i.sign(map[string]any{"exp": now - 1}):                    "token_expired",
		i.sign(map[string]any{"exp": nil}):                        "token_expiry",
		i.sign(map[string]any{"nbf": now + 100}):                  "token_not_yet",
		i.sign(map[string]any{"iss": "https://evil.example"}):     "token_issuer",
		i.sign(map[string]any{"iss": s.Provider.Issuer}):          "token_key_unknown", // another issuer's name, with this one's key
		s.issuers.other.sign(map[string]any{"iss": i.url()}):      "token_signature",
		s.issuers.other.sign(nil):                                 "token_issuer",
		i.sign(map[string]any{"sub": nil}):                        "token_subject",
		i.sign(map[string]any{"crit": []string{"b64"}}):           "token_critical",
		i.sign(map[string]any{"alg": "HS256"}):                    "token_algorithm",
		i.sign(map[string]any{"cnf": map[string]any{"jkt": "x"}}): "token_bound",
		none: "token_malformed",
		parts[0] + "." + parts[1] + "." + parts[2][:80] + "AAAAAA":               "token_signature",
		strings.Repeat("A", 40) + "." + strings.Repeat("B", 40) + "." + parts[2]: "token_malformed",
	} {
		a := s.program(1, "GET", "/tokens/x", "Authorization: Bearer "+token)
		s.refusedOnce(a, 401, refusal{"bad_credential", "", reason})
		if challenge := a.Header.Get("WWW-Authenticate"); challenge != `Bearer realm="cloakroom", error="invalid_token"` {
			t.Errorf("%s: WWW-Authenticate %q", reason, challenge)
		}
	}
	twice := s.ask(fmt.Sprintf("GET /tokens/x HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %[2]s\r\nAuthorization: Bearer %[2]s\r\n\r\n", s.host(), good))
	s.refusedOnce(twice, 400, refusal{"bad_credentials", "", "two_credentials"})
	s.refusedOnce(s.program(0, "GET", "/tokens/x?access_token="+good), 400, refusal{"bad_credentials", "", "access_token_in_query"})
}

// What a caller has open ends on both replicas when its token does, neither before nor a second later.
func TestACallersStreamsEndWithTheToken(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	defer s.Upstream.Hold("sse").Release() // its second event never comes
	expires := time.Now().Truncate(time.Second).Add(5 * time.Second)
	bearer := "Bearer " + s.issuers.first.sign(map[string]any{"exp": expires.Unix()})
	ended := make(chan string, 4)
	for n := range 2 {
		s.tillEnd(ended, n, bearer)
	}
	for range 4 {
		select {
		case what := <-ended:
			if late := time.Since(expires); late < -50*time.Millisecond || late > time.Second {
				t.Errorf("%s ended %s after its token", what, late)
			}
		case <-s.ctx.Done():
			t.Fatal("a stream has not ended")
		}
	}
	for _, r := range s.Replicas {
		s.eventually("the log of "+r.Name+" says why they ended", func() bool {
			why := 0
			for _, l := range r.Lines() {
				if l.Is("request") && l.Fields["caller"] == "bearer" && l.Fields["ended"] == "credential_expired" {
					why++
				}
			}
			return why == 2
		})
	}
}

// tillEnd opens an event stream and a WebSocket on a replica, and says when they are over.
func (s *rules) tillEnd(ended chan<- string, n int, bearer string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx, "GET", s.PublicURL+"/tokens/sse", nil)
	s.check(err)
	req.Header.Set("Authorization", bearer)
	res, err := s.at(s.browser(), n).Send(req, false, false)
	s.check(err)
	s.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		s.Fatalf("the event stream: %d", res.StatusCode)
	}
	go func() { // ends with the stream
		_, _ = io.Copy(io.Discard, res.Body)
		ended <- fmt.Sprintf("the event stream of replica %d", n+1)
	}()
	socket, _, err := websocket.Dial(s.ctx, "ws://"+s.Replicas[n].Address+"/tokens/ws", &websocket.DialOptions{Host: s.host(), HTTPHeader: http.Header{"Authorization": {bearer}}})
	s.check(err)
	s.Cleanup(func() { socket.CloseNow() })
	go func() { // ends with the socket
		_, _, err := socket.Read(s.ctx)
		ended <- fmt.Sprintf("the socket of replica %d, with %v,", n+1, err)
	}()
}
