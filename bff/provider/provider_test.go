package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDiscoveryDocument(t *testing.T) {
	hole := sinkhole(t)
	for _, tc := range []struct {
		name string
		edit func(map[string]any)
		ok   bool
	}{
		{"right", nil, true},
		{"https endpoints", with(map[string]any{"userinfo_endpoint": "https://id.example.com/u"}), true},
		{"BCP-29 another issuer", with(map[string]any{"issuer": "https://evil.example"}), false},
		{"BCP-29 issuer with a slash more", func(m map[string]any) { m["issuer"] = m["issuer"].(string) + "/" }, false},
		{"BCP-29 no issuer", without("issuer"), false},
		{"issuer under a name of another case", func(m map[string]any) { m["Issuer"] = m["issuer"]; delete(m, "issuer") }, false},
		{"BCP-16 token endpoint over plain http", with(map[string]any{"token_endpoint": "http://id.example.com/token"}), false},
		{"BCP-16 keys over plain http", with(map[string]any{"jwks_uri": "http://169.254.169.254/keys"}), false},
		{"keys from a file", with(map[string]any{"jwks_uri": "file:///etc/passwd"}), false},
		{"authorization endpoint that is a script", with(map[string]any{"authorization_endpoint": "javascript:alert(1)"}), false},
		{"an endpoint with a password", with(map[string]any{"revocation_endpoint": "https://a:b@id.example.com/"}), false},
		{"an endpoint with a fragment", with(map[string]any{"end_session_endpoint": "https://id.example.com/#x"}), false},
		{"no token endpoint", without("token_endpoint"), false},
		{"no keys", without("jwks_uri"), false},
		{"no optional endpoint", without("userinfo_endpoint", "revocation_endpoint", "end_session_endpoint"), true},
		{"members of the wrong type", with(map[string]any{"token_endpoint": 7}), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.metadata = tc.edit
			c := unknownClient(t, o, nil)
			err := c.learn(t.Context())
			if (err == nil) != tc.ok || (c.Ready() == nil) != tc.ok {
				t.Errorf("learn: %v, ready: %v", err, c.Ready())
			}
		})
	}
	for name, answer := range map[string]http.HandlerFunc{
		"BCP-13 a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, hole, http.StatusFound)
		},
		"a duplicate member": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"issuer":"http://` + r.Host + `","issuer":"x"}`))
		},
		"HTML": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<p>")) },
		"50 MB": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 50 {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
					return
				}
			}
		},
	} {
		o := newOP(t)
		o.answer["/.well-known/openid-configuration"] = answer
		if err := unknownClient(t, o, nil).learn(t.Context()); err == nil {
			t.Errorf("%s: learnt", name)
		}
	}
}

func TestPlainHTTPIsForALoopbackIssuerOnly(t *testing.T) { // BCP-16
	for _, tc := range []struct {
		endpoint, issuer string
		ok               bool
	}{
		{"https://id.example.com/t", "https://id.example.com", true},
		{"http://127.0.0.1/t", "http://127.0.0.1:9000", true},
		{"http://localhost/t", "http://localhost:9000", true},
		{"http://127.0.0.1/t", "https://id.example.com", false},
		{"http://10.0.0.1/t", "http://localhost:9000", false},
		{"https:///t", "https://id.example.com", false},
	} {
		if got := badEndpoint(tc.endpoint, tc.issuer); (got == "") != tc.ok {
			t.Errorf("endpoint %q of %q: %q", tc.endpoint, tc.issuer, got)
		}
	}
}

func TestNewRefusesWhatWouldBeUnsafe(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Config){
		"BCP-16 a plain http issuer": func(c *Config) { c.Issuer = "http://id.example.com" },
		"an HMAC algorithm":          func(c *Config) { c.SigningAlgs = []string{"HS256"} },
		"no signature":               func(c *Config) { c.SigningAlgs = []string{"none"} },
		"a leeway of an hour":        func(c *Config) { c.ClockSkew = time.Hour },
		"no timeout":                 func(c *Config) { c.Timeout = 0 },
		"a CA file without any":      func(c *Config) { c.CA = empty },
		"a CA file that is missing":  func(c *Config) { c.CA = empty + "x" },
	} {
		cfg := testConfig("https://id.example.com")
		edit(&cfg)
		if _, err := New("main", cfg, "https://app.example.com/bff/callback", Deps{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TLS-02: by its authority alone, and over TLS 1.2 or newer.
func TestOnlyTheConfiguredCAIsTrusted(t *testing.T) {
	for most, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		t.Run(tls.VersionName(most), func(t *testing.T) { trusts(t, most, ok) })
	}
}

// trusts asks a provider that speaks nothing newer than most.
func trusts(t *testing.T, most uint16, spoken bool) {
	var issuer string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			good := publicKey("rsa")
			writeJSON(w, map[string]any{"keys": []any{good}})
			return
		}
		writeJSON(w, map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/a", "token_endpoint": issuer + "/t", "jwks_uri": issuer + "/keys"})
	}))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: most}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	defer s.Close()
	issuer = s.URL
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for ca, ok := range map[string]bool{"": false, file: spoken} {
		cfg := testConfig(issuer)
		cfg.CA = ca
		p, err := New("main", cfg, "https://app.example.com/bff/callback", Deps{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.learn(t.Context()); (err == nil) != ok {
			t.Errorf("ca %q: %v", ca, err)
		}
	}
}

// records is a slog handler that hands its records over as text.
type records chan string

func (r records) Enabled(context.Context, slog.Level) bool { return true }
func (r records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r records) WithGroup(string) slog.Handler            { return r }
func (r records) Handle(_ context.Context, rec slog.Record) error {
	text := rec.Level.String() + " " + rec.Message
	rec.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	r <- text
	return nil
}

func TestRunStartsWhileTheProviderIsDown(t *testing.T) { // OIDC-17
	o := newOP(t)
	o.answer["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	c := unknownClient(t, o, nil)
	log := make(records, 1000)
	c.log, c.pace.first, c.pace.most, c.pace.refresh = slog.New(log), time.Millisecond, 4*time.Millisecond, time.Hour
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	for range 4 {
		if line := <-log; !strings.Contains(line, "WARN provider cannot be discovered") || !strings.Contains(line, "status 503") {
			t.Errorf("log %q", line)
		}
		if kind := <-c.errors; kind != "discovery" {
			t.Errorf("error kind %q", kind)
		}
	}
	if err := c.Ready(); err == nil || reasonName(err) != "ErrUnavailable" || !strings.Contains(err.Error(), "503") {
		t.Errorf("ready: %v", err)
	}
	if _, err := c.AuthURL(c.signIn); reasonName(err) != "ErrUnavailable" {
		t.Errorf("authorization URL: %v", err)
	}
	if _, err := c.callback(t); reasonName(err) != "ErrUnavailable" {
		t.Errorf("callback: %v", err)
	}
	if _, err := c.LogoutToken(t.Context(), "x"); reasonName(err) != "ErrUnavailable" {
		t.Errorf("logout token: %v", err)
	}
	o.set(func() { delete(o.answer, "/.well-known/openid-configuration") })
	for line := range log {
		if strings.Contains(line, "INFO provider discovered") {
			break
		}
	}
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
	stop()
	<-done
}

func TestRunKeepsMetadataFresh(t *testing.T) {
	o := newOP(t)
	c := unknownClient(t, o, nil)
	log := make(records, 1000)
	c.log, c.pace.refresh = slog.New(log), time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	if line := <-log; !strings.Contains(line, "discovered") {
		t.Fatalf("log %q", line)
	}
	o.set(func() { o.metadata = without("code_challenge_methods_supported") })
	if line := <-log; !strings.Contains(line, "WARN provider weakness") || !strings.Contains(line, "S256") { // BCP-30
		t.Errorf("log %q", line)
	}
	stop()
	<-done
}

func TestWeakProvidersAreReported(t *testing.T) {
	cfg := testConfig("https://id.example.com")
	for _, tc := range []struct {
		name string
		m    metadata
		want int
	}{
		{"nothing", metadata{Challenges: []string{"S256"}}, 0},
		{"BCP-30 no S256", metadata{Challenges: []string{"plain"}}, 1},
		{"BCP-30 no challenges at all", metadata{}, 1},
		{"another client authentication", metadata{Challenges: []string{"S256"}, ClientAuth: []string{"private_key_jwt"}}, 1},
		{"other algorithms", metadata{Challenges: []string{"S256"}, SigningAlgs: []string{"HS256"}}, 1},
	} {
		if got := tc.m.warnings(cfg); len(got) != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
}

func TestJitterStaysNearItsPause(t *testing.T) {
	for range 1000 {
		if d := jitter(time.Second); d < 750*time.Millisecond || d > 1250*time.Millisecond {
			t.Fatalf("pause %v", d)
		}
	}
}

func TestRevocation(t *testing.T) { // OAX-01 RPL-08
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
	}
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"OAX-01 done, or not known", nil, ""},
		{"OAX-01 refused", status(400), ReasonRevocation},
		{"BCP-13 a redirect", status(307), ReasonRevocation},
		{"RPL-08 broken", status(503), "ErrUnavailable"},
	} {
		for _, auth := range []string{"basic", "post"} {
			c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.ClientAuth = auth })
			if tc.answer != nil {
				c.op.answer["/revoke"] = tc.answer
			}
			err := c.Revoke(t.Context(), theRefresh, "refresh_token")
			if got := c.reasonOf(t, err); got != tc.want {
				t.Errorf("%s: reason %q, want %q", tc.name, got, tc.want)
			}
			form, r := c.op.forms[0], c.op.requests[len(c.op.requests)-1]
			_, pass, _ := r.BasicAuth()
			if form.Get("token") != theRefresh || form.Get("token_type_hint") != "refresh_token" || pass+form.Get("client_secret") != theSecret {
				t.Errorf("%s: form %v, password %q", tc.name, form, pass)
			}
		}
	}
	o := newOP(t)
	o.metadata = without("revocation_endpoint")
	if err := newClientOf(t, o, nil).Revoke(t.Context(), theRefresh, "refresh_token"); err != nil {
		t.Errorf("without an endpoint: %v", err)
	}
}

func TestEndSessionURL(t *testing.T) {
	const back = "https://app.example.com/bff/logout"
	for _, tc := range []struct {
		name    string
		hint    bool
		idToken string
		want    url.Values
	}{
		{"RPL-05 RPL-06 no ID token by default", false, "eyJ.token", url.Values{"theme": {"dark"}, "client_id": {"spa"}, "logout_hint": {"alice"}, "post_logout_redirect_uri": {back}, "state": {"s"}}},
		{"RPL-06 the ID token where configured", true, "eyJ.token", url.Values{"theme": {"dark"}, "client_id": {"spa"}, "id_token_hint": {"eyJ.token"}, "post_logout_redirect_uri": {back}, "state": {"s"}}},
		{"RPL-05 configured, and there is none", true, "", url.Values{"theme": {"dark"}, "client_id": {"spa"}, "logout_hint": {"alice"}, "post_logout_redirect_uri": {back}, "state": {"s"}}},
	} {
		c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.IDTokenHint = tc.hint })
		got, ok := c.EndSessionURL(tc.idToken, "alice", back, "s")
		u, err := url.Parse(got)
		if err != nil || !ok || u.Path != "/end" || u.Query().Encode() != tc.want.Encode() {
			t.Errorf("%s: %q %v", tc.name, got, ok)
		}
	}
	o := newOP(t)
	o.metadata = without("end_session_endpoint")
	if got, ok := newClientOf(t, o, nil).EndSessionURL("", "alice", back, "s"); ok {
		t.Errorf("without an endpoint: %q", got)
	}
}

func TestIDTokenIsKeptOnlyForTheLogoutHint(t *testing.T) { // RPL-06
	for _, hint := range []bool{false, true} {
		c := newClientOf(t, newOP(t), func(cfg *Config) { cfg.IDTokenHint = hint })
		id, err := c.callback(t)
		if err != nil || (id.Tokens.ID != "") != hint {
			t.Errorf("hint %v: ID token kept %v (%v)", hint, id != nil && id.Tokens.ID != "", err)
		}
	}
}
