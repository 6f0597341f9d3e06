package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What an issuer answers that is not its metadata, or no keys.
func TestAnswersOfIssuersThatAreRefused(t *testing.T) {
	key := newSigner(t, "k", "ES256")
	for name, x := range map[string]struct {
		metadata, keys string
		says           string
	}{
		"metadata of another issuer":   {`{"issuer":"https://evil.example","jwks_uri":"URL/keys"}`, "", "another issuer"},
		"metadata with issuer twice":   {`{"issuer":"https://evil.example","issuer":"URL","jwks_uri":"URL/keys"}`, "", "not a JSON object"},
		"no keys' URL":                 {`{"issuer":"URL"}`, "", "jwks_uri is missing"},
		"keys over plain http":         {`{"issuer":"URL","jwks_uri":"http://keys.example/"}`, "", "must be https"},
		"keys with a password":         {`{"issuer":"URL","jwks_uri":"https://a:b@keys.example/"}`, "", "not a plain URL"},
		"metadata that is a page":      {`<html>`, "", "not a JSON object"},
		"keys that are none":           {"", `{"keys":[]}`, "no usable signing key"},
		"a secret as a key":            {"", `{"keys":[{"kty":"oct","k":"AAAA","kid":"k"}]}`, "no usable signing key"},
		"a private key":                {"", privateJWKS(t, key), "no usable signing key"},
		"a small RSA key":              {"", `{"keys":[{"kty":"RSA","n":"` + strings.Repeat("_", 171) + `","e":"AQAB"}]}`, "no usable signing key"},
		"a key for encryption":         {"", `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc"}]}`, "no usable signing key"},
		"keys that are no object":      {"", `[]`, "malformed"},
		"more than any key set is":     {"", `{"keys":[` + strings.Repeat(" ", maxBody) + `]}`, "too large"},
		"keys at another place":        {"", "redirect", "status 302"},
		"keys of another content type": {"", "text", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			var s *httptest.Server
			s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := x.keys
				if r.URL.Path != "/keys" {
					if body = x.metadata; body == "" {
						body = `{"issuer":"URL","jwks_uri":"URL/keys"}`
					}
				}
				switch body {
				case "redirect":
					http.Redirect(w, r, s.URL+"/.well-known/openid-configuration", http.StatusFound)
					return
				case "text":
					w.Header().Set("Content-Type", "text/plain")
				default:
					w.Header().Set("Content-Type", "application/json")
				}
				_, _ = w.Write([]byte(strings.ReplaceAll(body, "URL", s.URL)))
			}))
			defer s.Close()
			cfg := Bearer{Issuer: s.URL, Timeout: 5 * time.Second}
			client, err := newClient(cfg.Timeout, "")
			if err != nil {
				t.Fatal(err)
			}
			if keys, err := fetchKeys(t.Context(), client, cfg); err == nil || !strings.Contains(err.Error(), x.says) {
				t.Errorf("got %v, %v, want %q", keys, err, x.says)
			}
		})
	}
}

func privateJWKS(t *testing.T, s signer) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "kid": s.id})
	if err != nil {
		t.Fatal(err)
	}
	return `{"keys":[` + string(b) + `]}`
}

// One odd key, such as one with a certificate that cannot be read, does not spoil the others.
func TestOneOddKeyDoesNotSpoilTheOthers(t *testing.T) {
	keys, err := usableKeys([]byte(`{"keys":[{"kty":"FUTURE"},7,
		{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","x5c":["not base64 at all"]}]}`))
	if err != nil || len(keys) != 1 || keys[0].KeyID != "a" {
		t.Errorf("got %v, %v", keys, err)
	}
}

// Keys can be where no metadata says, and are then taken from there alone.
func TestKeysAtAConfiguredPlace(t *testing.T) {
	c, key := newClock(), newSigner(t, "k", "ES256")
	m := newMaker(t, key)
	cfg := trusting(m)
	cfg.JWKSURL, cfg.Issuer = m.URL+"/keys", "http://localhost/tenant"
	in := tokened(t, c, cfg)
	if _, err := by(t, in, key.sign(t, key.header(nil), m.claims(c.now(), map[string]any{"iss": cfg.Issuer}))); err != nil {
		t.Error(err)
	}
}

// Run has the keys before the first token comes, tries again while the issuer is down, and ends with its context.
func TestRunFetchesKeysBeforeTheyAreNeeded(t *testing.T) {
	key := newSigner(t, "k", "ES256")
	m := newMaker(t, key)
	m.down.Store(true)
	in := tokened(t, newClock(), trusting(m))
	in.issuers[0].pace.first, in.issuers[0].pace.most = time.Millisecond, time.Millisecond
	failed := make(chan struct{}, 100)
	in.issuers[0].deps.Count = func(string) {
		select {
		case failed <- struct{}{}:
		default:
		}
	}
	fetched := make(chan struct{})
	m.gate = fetched
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { in.Run(ctx); close(ended) }()
	<-failed
	<-failed
	m.down.Store(false)
	fetched <- struct{}{} // taken when the keys are asked for
	// What a request fetches now has to wait for Run's turn: when it is over, the keys are there.
	if err := in.issuers[0].fetch(t.Context(), false); err != nil {
		t.Error(err)
	}
	if err := in.Ready(); err != nil {
		t.Error(err)
	}
	stop()
	<-ended
}

// A server that is told to stop does not wait for an issuer that does not answer.
func TestRunStopsAmidAFetch(t *testing.T) {
	m := newMaker(t, newSigner(t, "k", "ES256"))
	m.gate = make(chan struct{})
	in := tokened(t, newClock(), trusting(m))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { in.Run(ctx); close(ended) }()
	<-m.began
	stop()
	<-ended
	close(m.gate)
}

// A request that goes away while it waits for another's fetch is not kept.
func TestAWaitForKeysEndsWithItsRequest(t *testing.T) {
	m := newMaker(t, newSigner(t, "k", "ES256"))
	in := tokened(t, newClock(), trusting(m))
	<-in.issuers[0].turn // somebody asks, and gets no answer
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if err := in.issuers[0].fetch(ctx, false); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
