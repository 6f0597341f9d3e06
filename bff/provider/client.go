package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"time"
)

// maxBody bounds what is read of any answer of the provider, in bytes after decompression.
const maxBody = 1 << 20

// answerError is an answer that arrived and cannot be used. Its text is ours.
type answerError string

// Error is the text.
func (e answerError) Error() string { return string(e) }

const (
	errTooLarge  answerError = "answer is too large"
	errNotJSON   answerError = "answer is not JSON"
	errNotObject answerError = "answer is not a JSON object of the right shape with distinct members"
	errNoToken   answerError = "answer has no access token"
)

// newClient makes the only HTTP client that the provider is called with.
//
// It follows no redirect: a redirected token request carries the code, the verifier and the client secret to wherever the
// Location says (RFC 9700, section 4.12). It keeps no idle connection: a POST that meets a connection which the other side is just closing has
// an unknown outcome, and that would cost a session its refresh token. TLS sessions are resumed instead.
func newClient(timeout time.Duration, caFile string) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	if caFile != "" {
		pool, err := readCA(caFile)
		if err != nil {
			return nil, err
		}
		conf.RootCAs = pool
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    timeout,
		MaxConnsPerHost:        64,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
	}
	return &http.Client{
		Timeout:       timeout,
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func readCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca %q: no certificate in it", file)
	}
	return pool, nil
}

// bounded is a RoundTripper whose answers end with errTooLarge after maxBody bytes.
type bounded struct{ next http.RoundTripper }

// RoundTrip limits the body of the answer.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = &boundedBody{ReadCloser: res.Body, left: maxBody}
	return res, nil
}

type boundedBody struct {
	io.ReadCloser
	left int
}

// Read reads until one byte beyond the bound.
func (b *boundedBody) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if n > b.left {
		return b.left, errTooLarge
	}
	b.left -= n
	return n, err
}

// getJSON returns the JSON document at url, which must be answered with 200. A bearer is sent if there is one.
func (p *Provider) getJSON(ctx context.Context, url, bearer string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("malformed URL")
	}
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, cause(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, statusError(res.StatusCode)
	}
	if !isJSON(res.Header) {
		return nil, errNotJSON
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, cause(err)
	}
	return body, nil
}

// isJSON reports whether an answer says that it is JSON; key sets have a media type of their own (RFC 7517, section 8.5).
func isJSON(h http.Header) bool {
	mt, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (mt == "application/json" || mt == "application/jwk-set+json")
}

// unusable reports whether err is about an answer that arrived, rather than about one that did not.
func unusable(err error) bool {
	_, ok := errors.AsType[answerError](err)
	return ok
}

// statusError is an answer whose status is not the one that was hoped for.
type statusError int

// Error names the status.
func (s statusError) Error() string { return fmt.Sprintf("answered with status %d", int(s)) }

// broken reports whether a status says that the provider cannot work at the moment, rather than that it refuses.
func broken(status int) bool { return status >= 500 || status == http.StatusTooManyRequests }

// cause tells why a call failed in words that can be logged. The original is not wrapped: url.Error carries the URL with its query, net/http quotes
// bytes of malformed answers, oauth2.RetrieveError carries the whole body.
func cause(err error) error {
	var answer answerError
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.As(err, &answer):
		return answer
	case errors.As(err, &dns):
		return errors.New("host name not found")
	case errors.As(err, &cert):
		return errors.New("TLS certificate is not trusted")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("timed out")
	case errors.As(err, &op) && op.Op == "dial":
		return errors.New("connection refused or network unreachable")
	}
	return errors.New("connection broke")
}

// unavailable is ErrUnavailable with what was tried and why it failed, counted under kind.
func (p *Provider) unavailable(kind, doing string, err error) error {
	if !errors.Is(err, context.Canceled) { // a client that went away says nothing about the provider
		p.onError(kind)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}
