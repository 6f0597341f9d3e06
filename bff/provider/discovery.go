package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	jose "github.com/go-jose/go-jose/v4/json"
)

// metadata is what this server needs of a provider's discovery document (OpenID Connect Discovery, section 3; RFC 8414, section 2).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Userinfo      string   `json:"userinfo_endpoint"`
	Revocation    string   `json:"revocation_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	ClientAuth    []string `json:"token_endpoint_auth_methods_supported"`
	SigningAlgs   []string `json:"id_token_signing_alg_values_supported"`
	// ResponseIssuer announces `iss` in every authorization response (RFC 9207).
	ResponseIssuer bool `json:"authorization_response_iss_parameter_supported"`
}

// discover fetches the metadata and judges it.
func (p *Provider) discover(ctx context.Context) (metadata, error) {
	body, err := p.getJSON(ctx, strings.TrimSuffix(p.cfg.Issuer, "/")+"/.well-known/openid-configuration", "")
	if err != nil {
		return metadata{}, fmt.Errorf("fetch metadata: %w", err)
	}
	return parseMetadata(body, p.cfg.Issuer, p.cfg.Userinfo)
}

// parseMetadata decides whether a discovery document is the issuer's own and can be worked with.
func parseMetadata(body []byte, issuer string, userinfo bool) (metadata, error) {
	var m metadata
	if err := jose.Unmarshal(body, &m); err != nil {
		return m, errors.New("metadata is not a JSON object of the right shape")
	}
	if m.Issuer != issuer { // Discovery, section 4.3: exactly the same, slash and case included
		return m, fmt.Errorf("metadata names another issuer than the configured %q; copy the one in the document, if it is the right provider", issuer)
	}
	for _, e := range []struct {
		name, url string
		required  bool
	}{
		{"authorization_endpoint", m.Authorization, true}, {"token_endpoint", m.Token, true}, {"jwks_uri", m.Keys, true},
		{"userinfo_endpoint", m.Userinfo, userinfo}, {"revocation_endpoint", m.Revocation, false}, {"end_session_endpoint", m.EndSession, false},
	} {
		if e.url == "" && !e.required {
			continue
		}
		if problem := badEndpoint(e.url, issuer); problem != "" {
			return m, fmt.Errorf("metadata: %s %s", e.name, problem)
		}
	}
	return m, nil
}

// badEndpoint says why a URL of the metadata is not used. Plain http is for a provider on this machine, and only if its issuer is one too.
func badEndpoint(text, issuer string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is missing"
	case err != nil || u.Hostname() == "" || u.User != nil || strings.Contains(text, "#"):
		return "is not a plain URL"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && loopback(u.Hostname()) && strings.HasPrefix(issuer, "http://"):
		return ""
	}
	return "must be https"
}

// warnings are weaknesses of the provider that its operator should know of. They do not stop a sign-in.
func (m metadata) warnings(cfg Config) []string {
	var w []string
	if !slices.Contains(m.Challenges, "S256") {
		w = append(w, "the provider does not announce PKCE with S256 (code_challenge_methods_supported): it may ignore the challenge, and injected codes are then stopped by the nonce alone")
	}
	// Without the list, the default is client_secret_basic alone (Discovery, section 3).
	methods := m.ClientAuth
	if len(methods) == 0 {
		methods = []string{"client_secret_basic"}
	}
	if !slices.Contains(methods, "client_secret_"+cfg.ClientAuth) {
		w = append(w, "the provider does not announce the configured client_auth (token_endpoint_auth_methods_supported)")
	}
	if len(m.SigningAlgs) > 0 && !slices.ContainsFunc(m.SigningAlgs, func(a string) bool { return slices.Contains(cfg.SigningAlgs, a) }) {
		w = append(w, "the provider announces none of the configured signing_algs (id_token_signing_alg_values_supported)")
	}
	return w
}
