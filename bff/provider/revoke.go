package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Revoke revokes a token at the provider (RFC 7009). The hint is refresh_token or access_token. A token that the provider does not know is a
// success, and so is a provider without a revocation endpoint, where there is nothing to do. An error that wraps
// ErrUnavailable is worth another try, a Refusal is not.
func (p *Provider) Revoke(ctx context.Context, token, hint string) error {
	k, err := p.current()
	if err != nil {
		return err
	}
	if k.Revocation == "" || token == "" {
		return nil
	}
	req, err := p.formRequest(ctx, k.Revocation, url.Values{"token": {token}, "token_type_hint": {hint}})
	if err != nil {
		return refuse(ReasonRevocation, "malformed endpoint")
	}
	res, err := p.client.Do(req)
	if err != nil {
		return p.unavailable("revocation", "revoke", cause(err))
	}
	res.Body.Close()
	switch {
	case res.StatusCode == http.StatusOK, res.StatusCode == http.StatusNoContent:
		return nil
	case broken(res.StatusCode):
		return p.unavailable("revocation", "revoke", statusError(res.StatusCode))
	}
	p.onError("revocation")
	return &Refusal{ReasonRevocation, statusError(res.StatusCode)}
}

// formRequest is a POST of a form with the client authentication that is configured (RFC 6749, section 2.3.1).
func (p *Provider) formRequest(ctx context.Context, endpoint string, form url.Values) (*http.Request, error) {
	post := p.cfg.ClientAuth == "post"
	if post {
		form.Set("client_id", p.cfg.ClientID)
		form.Set("client_secret", p.cfg.ClientSecret.Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("malformed URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !post {
		req.SetBasicAuth(url.QueryEscape(p.cfg.ClientID), url.QueryEscape(p.cfg.ClientSecret.Reveal()))
	}
	return req, nil
}
