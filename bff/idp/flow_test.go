package idp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	testSecret   = "a+secret/of the%20tests=" // every character that a form encodes differently
	testVerifier = "a-verifier-that-is-long-enough-for-rfc-7636-indeed"
	testNonce    = "nonce-of-this-sign-in"
)

// world is a provider, one client with its back-channel endpoint, and a browser.
type world struct {
	t       *testing.T
	srv     *Server
	app     string // the client's origin
	browser *http.Client
	notices chan *http.Request // bodies parsed
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, notices: make(chan *http.Request, 8)}
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/backchannel" {
			_ = r.ParseForm()
			w.notices <- r
		}
	}))
	t.Cleanup(app.Close)
	w.app = app.URL
	o := Options{Scopes: []string{"orders"}, Clients: []Client{{
		ID: "spa", Secret: testSecret, Name: "The App", RedirectURIs: []string{app.URL + "/cb"},
		PostLogoutRedirectURIs: []string{app.URL + "/bye"}, BackchannelLogoutURI: app.URL + "/backchannel",
	}}}
	if change != nil {
		change(&o)
	}
	srv, err := Start("127.0.0.1:0", o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	w.srv = srv
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	w.browser = newBrowser(t)
	return w
}

func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reply is an answer, read to its end.
type reply struct {
	status   int
	body     string
	header   http.Header
	location *url.URL
}

func (w *world) do(req *http.Request, err error) reply {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.browser.Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	location, _ := resp.Location()
	return reply{resp.StatusCode, string(body), resp.Header, location}
}

func (w *world) get(u string) reply {
	w.t.Helper()
	return w.do(http.NewRequest(http.MethodGet, u, nil))
}

func (w *world) post(path string, form url.Values, basic bool) reply {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.srv.Issuer()+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		req.SetBasicAuth("spa", url.QueryEscape(testSecret)) // RFC 6749, section 2.3.1
	}
	return w.do(req, err)
}

// authURL is an authorization request; more overrides its parameters, an empty value leaves one out.
func (w *world) authURL(more url.Values) string {
	sum := sha256.Sum256([]byte(testVerifier))
	q := url.Values{
		"client_id": {"spa"}, "response_type": {"code"}, "redirect_uri": {w.app + "/cb"}, "scope": {"openid profile email orders"},
		"state": {"the-state"}, "nonce": {testNonce}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for k, v := range more {
		if q[k] = v; v[0] == "" {
			delete(q, k)
		}
	}
	return w.srv.Issuer() + "/authorize?" + q.Encode()
}

var formAction = regexp.MustCompile(`action="([^"]+)"`)

// pick submits the page's form.
func (w *world) pick(page reply, form url.Values) reply {
	w.t.Helper()
	m := formAction.FindStringSubmatch(page.body)
	if m == nil {
		w.t.Fatalf("no form on the page, status %d:\n%s", page.status, page.body)
	}
	return w.post(m[1], form, false)
}

// callback checks the redirect back to the client, and returns its parameters.
func (w *world) callback(r reply) url.Values {
	w.t.Helper()
	if r.status != http.StatusSeeOther || r.location == nil || !strings.HasPrefix(r.location.String(), w.app+"/cb?") {
		w.t.Fatalf("answer = %d to %v, want 303 to the client's callback:\n%s", r.status, r.location, r.body)
	}
	q := r.location.Query()
	if q.Get("iss") != w.srv.Issuer() || q.Get("state") != "the-state" {
		w.t.Errorf("callback has iss %q and state %q, want %q and the-state", q.Get("iss"), q.Get("state"), w.srv.Issuer())
	}
	return q
}

type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	ID        string `json:"id_token"`
	ExpiresIn int    `json:"expires_in"`
	Error     string `json:"error"`
}

func (w *world) token(form url.Values) (tokens, int) {
	w.t.Helper()
	r := w.post("/token", form, true)
	var tk tokens
	if err := json.Unmarshal([]byte(r.body), &tk); err != nil {
		w.t.Fatalf("token answer %d %q: %v", r.status, r.body, err)
	}
	return tk, r.status
}

func (w *world) exchange(code string) (tokens, int) {
	w.t.Helper()
	return w.token(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {w.app + "/cb"}, "code_verifier": {testVerifier}})
}

func (w *world) refresh(token string) (tokens, int) {
	w.t.Helper()
	return w.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// signIn signs ada in, in this browser, and exchanges the code.
func (w *world) signIn(more url.Values) tokens {
	w.t.Helper()
	q := w.callback(w.pick(w.get(w.authURL(more)), url.Values{"user": {"ada"}}))
	tk, status := w.exchange(q.Get("code"))
	if status != http.StatusOK {
		w.t.Fatalf("exchange: %d %s", status, tk.Error)
	}
	return tk
}

// claims verifies a token with the published keys and returns header typ and claims.
func (w *world) claims(raw string) (typ any, claims map[string]any) {
	w.t.Helper()
	var set jose.JSONWebKeySet
	body := w.get(w.srv.Issuer() + "/jwks").body
	if err := json.Unmarshal([]byte(body), &set); err != nil || len(set.Keys) != 1 || !set.Keys[0].IsPublic() {
		w.t.Fatalf("jwks = %s, want one public key", body)
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		w.t.Fatalf("parse token: %v", err)
	}
	if err := parsed.Claims(set.Keys[0], &claims); err != nil {
		w.t.Fatalf("verify token: %v", err)
	}
	return parsed.Headers[0].ExtraHeaders[jose.HeaderType], claims
}

func (w *world) want(claims map[string]any, want map[string]any) {
	w.t.Helper()
	for k, v := range want {
		got, _ := json.Marshal(claims[k])
		expected, _ := json.Marshal(v)
		if string(got) != string(expected) {
			w.t.Errorf("claim %s = %s, want %s", k, got, expected)
		}
	}
}
