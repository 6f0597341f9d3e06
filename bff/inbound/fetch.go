package inbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"
)

const (
	// maxBody bounds what is read of an issuer's answer, in bytes after decompression.
	maxBody = 1 << 20
	// maxKeys bounds how many keys of an issuer are used.
	maxKeys = 64
	// minRSA is the size of the smallest RSA key that is used, in bits (RFC 7518, section 3.3).
	minRSA = 2048
)

// newClient makes the only HTTP client that an issuer is called with. It follows no redirect: metadata and keys are where the configuration says.
func newClient(timeout time.Duration, caFile string) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", plainCause(err))
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ca: no certificate in it")
		}
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: timeout}).DialContext, TLSClientConfig: conf,
			TLSHandshakeTimeout: timeout, MaxConnsPerHost: 4, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// fetchKeys asks an issuer where its keys are, unless that is configured, and for the keys. An error has nothing of what was answered.
func fetchKeys(ctx context.Context, client *http.Client, cfg Bearer) ([]jose.JSONWebKey, error) {
	at := cfg.JWKSURL
	if at == "" {
		body, err := getJSON(ctx, client, strings.TrimSuffix(cfg.Issuer, "/")+"/.well-known/openid-configuration")
		if err != nil {
			return nil, fmt.Errorf("fetch metadata: %w", err)
		}
		if at, err = keysURL(body, cfg.Issuer); err != nil {
			return nil, err
		}
	}
	body, err := getJSON(ctx, client, at)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w", err)
	}
	return usableKeys(body)
}

// keysURL decides whether metadata is the issuer's own, and says where its keys are (RFC 8414, section 3.3).
func keysURL(body []byte, issuer string) (string, error) {
	var m struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := josejson.Unmarshal(body, &m); err != nil {
		return "", errors.New("metadata is not a JSON object of the right shape")
	}
	if m.Issuer != issuer { // exactly the same, slash and case included
		return "", fmt.Errorf("metadata names another issuer than the configured %q; copy the one in the document, if it is the right one", issuer)
	}
	if problem := badEndpoint(m.Keys, issuer); problem != "" {
		return "", errors.New("metadata: jwks_uri " + problem)
	}
	return m.Keys, nil
}

func getJSON(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("malformed URL")
	}
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return nil, cause(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered with status %d", res.StatusCode)
	}
	if mt, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || mt != "application/json" && mt != "application/jwk-set+json" {
		return nil, errors.New("answer is not JSON")
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(body) > maxBody {
		return nil, errors.New("answer is too large")
	}
	return body, nil
}

// cause tells why a call failed in words that can be logged: the libraries' own may have the URL, or bytes of the answer.
func cause(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &dns):
		return errors.New("host name not found")
	case errors.As(err, &cert):
		return errors.New("TLS certificate is not trusted")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("timed out")
	case errors.As(err, &op) && op.Op == "dial":
		return errors.New("connection refused or network unreachable")
	}
	return errors.New("connection broke")
}

// usableKeys are the keys of a set that sign, are public, strong enough and understood. One odd key does not spoil the others.
func usableKeys(body []byte) ([]jose.JSONWebKey, error) {
	var all struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, errors.New("key set is malformed")
	}
	var usable []jose.JSONWebKey
	for _, raw := range all.Keys {
		key, err := bareKey(raw)
		if err == nil && len(usable) < maxKeys && (key.Use == "" || key.Use == "sig") && key.Valid() && key.IsPublic() && strong(key.Key) {
			usable = append(usable, jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm})
		}
	}
	if len(usable) == 0 {
		return nil, errors.New("key set has no usable signing key")
	}
	return usable, nil
}

// bareKey reads a key without the certificates that may come with it (RFC 7517, sections 4.6 to 4.9). Nothing here looks at them.
func bareKey(raw []byte) (key jose.JSONWebKey, err error) {
	var members map[string]json.RawMessage
	if err = json.Unmarshal(raw, &members); err != nil {
		return key, err
	}
	for _, name := range []string{"x5u", "x5c", "x5t", "x5t#S256"} {
		delete(members, name)
	}
	bare, err := json.Marshal(members)
	if err != nil {
		return key, err
	}
	err = json.Unmarshal(bare, &key)
	return key, err
}
