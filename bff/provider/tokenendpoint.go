package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4/json"
	"golang.org/x/oauth2"
)

const (
	// defaultLifetime is how long an access token counts as good whose expires_in is missing or makes no sense.
	defaultLifetime = 5 * time.Minute
	// maxLifetime bounds what expires_in can say, in seconds.
	maxLifetime = 365 * 24 * 60 * 60
	// maxOpaque bounds access and refresh tokens, in bytes. They travel in headers.
	maxOpaque = 16 << 10
)

// newTokenClient is the client for the token endpoint.
func newTokenClient(c *http.Client) *http.Client {
	strict := *c
	strict.Transport = canonical{c.Transport}
	return &strict
}

// canonical is a RoundTripper that passes on only those answers of a token endpoint that x/oauth2 reads as they are meant, and of those only
// what is needed: a grant is JSON with distinct members of the right types and an expires_in that is a whole number of
// seconds, or absent; of an error nothing but its code is left, because the library's errors print the whole answer.
type canonical struct{ next http.RoundTripper }

// RoundTrip replaces the body.
func (c canonical) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	granted := res.StatusCode >= 200 && res.StatusCode <= 299
	switch {
	case err != nil && granted:
		return nil, err
	case granted && !isJSON(res.Header):
		return nil, errNotJSON
	}
	v, err := decodeObject(body)
	switch {
	case err != nil && granted:
		return nil, err
	case err != nil:
		v = nil // an answer that is no grant is one whatever its body
	}
	if v, err = tokenMembers(v, granted); err != nil {
		return nil, err
	}
	return withBody(res, v)
}

func withBody(res *http.Response, v map[string]any) (*http.Response, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, errNotObject
	}
	out := *res
	out.Header = http.Header{"Content-Type": {"application/json"}}
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return &out, nil
}

// tokenMembers returns the members of a token endpoint's answer that are used (RFC 6749, sections 5.1 and 5.2; OpenID Connect Core, section 3.1.3.3).
func tokenMembers(v map[string]any, granted bool) (map[string]any, error) {
	out := make(map[string]any)
	if code, ok := v["error"].(string); ok {
		out["error"] = knownError(code)
		return out, nil
	}
	if !granted {
		return out, nil
	}
	for _, name := range []string{"access_token", "token_type", "refresh_token", "id_token", "scope", "issued_token_type"} {
		switch s := v[name].(type) {
		case nil: // absent, or null, which some write for absent
		case string:
			out[name] = s
		default:
			return nil, errNotObject
		}
	}
	if out["access_token"] == nil || out["access_token"] == "" {
		return nil, errNoToken
	}
	if seconds := lifetime(v["expires_in"]); seconds > 0 {
		out["expires_in"] = seconds
	}
	return out, nil
}

// lifetime reads expires_in, which comes as a number, a string or a fraction; 0 is "no sense in it".
func lifetime(v any) int64 {
	var text string
	switch v := v.(type) {
	case jose.Number:
		text = v.String()
	case string:
		text = v
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case f > maxLifetime: // also when it overflows
		return maxLifetime
	case err != nil || !(f >= 1):
		return 0
	}
	return int64(f)
}

// grant is what the token endpoint gave.
type grant struct {
	tokens     Tokens
	idToken    string
	issuedType string // of a token exchange
}

// callError is how a call to the token endpoint failed.
type callError struct {
	status int    // of the answer, 0 if there was none that could be read
	code   string // the answer's error code, one of errorCodes
	sent   bool   // a connection was there, so that the request may have arrived
	err    error  // in words of ours
}

// Error tells the cause.
func (e *callError) Error() string {
	if e.code != "" {
		return "token endpoint: " + e.err.Error() + " (" + e.code + ")"
	}
	return "token endpoint: " + e.err.Error()
}

// Unwrap returns the cause.
func (e *callError) Unwrap() error { return e.err }

// callToken makes one token request. Its errors are *callError, or a Refusal of the answer.
func (p *Provider) callToken(ctx context.Context, request func(context.Context) (*oauth2.Token, error)) (grant, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	begun := p.now() // the token's life began after this; counting from here errs on the safe side
	tok, err := request(context.WithValue(ctx, oauth2.HTTPClient, p.tokenClient))
	if err == nil {
		return readGrant(tok, begun)
	}
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status := answer.Response.StatusCode
		return grant{}, &callError{status: status, code: answer.ErrorCode, sent: true, err: statusError(status)}
	}
	return grant{}, &callError{sent: connected.Load(), err: cause(err)}
}

// readGrant decides whether the answer can be used: a bearer token whose characters fit into a header.
func readGrant(tok *oauth2.Token, begun time.Time) (grant, error) {
	if !isBearer(tok.TokenType) {
		return grant{}, refuse(ReasonTokenResponseType, "")
	}
	if !isOpaque(tok.AccessToken) || tok.RefreshToken != "" && !isOpaque(tok.RefreshToken) {
		return grant{}, refuse(ReasonTokenResponse, "access or refresh token is too long or has characters that no token has")
	}
	life := defaultLifetime
	if tok.ExpiresIn > 0 {
		life = time.Duration(tok.ExpiresIn) * time.Second
	}
	scope, _ := tok.Extra("scope").(string)
	id, _ := tok.Extra("id_token").(string)
	issued, _ := tok.Extra("issued_token_type").(string)
	if len(scope) > maxOpaque {
		return grant{}, refuse(ReasonTokenResponse, "scope is too long")
	}
	return grant{idToken: id, issuedType: issued, tokens: Tokens{
		Access: tok.AccessToken, Refresh: tok.RefreshToken, Scope: scope, Issued: begun, Expires: begun.Add(life),
	}}, nil
}
