package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"cloakroom/e2e/tokscan"
)

// Provider is a running npm oidc-provider (e2e/op) and its control endpoints.
type Provider struct {
	*Process
	// Issuer is its issuer identifier, http://127.0.0.1:port.
	Issuer string
	// Link is what everybody but the tests' own control dials, where it was started with one; else nil.
	Link *Switch

	direct string // the URL behind Link
}

// Client is one relying party of the provider.
type Client struct {
	ID                     string   `json:"client_id"`
	Secret                 string   `json:"client_secret"`
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
	BackchannelLogoutURI   string   `json:"backchannel_logout_uri,omitempty"`
	AuthMethod             string   `json:"token_endpoint_auth_method,omitempty"`
}

// Fault makes the provider misbehave; e2e/op/faults.mjs says how.
type Fault struct {
	Path   string `json:"path"`
	Times  int    `json:"times,omitempty"`
	Status int    `json:"status,omitempty"`
	Body   string `json:"body,omitempty"`
	Drop   bool   `json:"drop,omitempty"`
	Hold   string `json:"hold,omitempty"` // before or after
	// Only are the thumbprints that the request's form must have, by field.
	Only map[string]string `json:"only,omitempty"`
}

// Asked is one request that the provider answered. Credentials are thumbprints.
type Asked struct {
	Method              string `json:"method"`
	Path                string `json:"path"`
	Status              int    `json:"status"`
	GrantType           string `json:"grant_type"`
	Refresh             string `json:"refresh"`
	Code                string `json:"code"`
	Token               string `json:"token"`
	TokenTypeHint       string `json:"token_type_hint"`
	GivenAccess         string `json:"given_access"`
	GivenRefresh        string `json:"given_refresh"`
	ExpiresAt           int64  `json:"expires_at"` // Unix milliseconds
	Sub                 string `json:"sub"`        // whom GivenAccess is about
	Error               string `json:"error"`
	Detail              string `json:"detail"`
	CodeChallenge       string `json:"code_challenge"`
	CodeChallengeMethod string `json:"code_challenge_method"`
	VerifierChallenge   string `json:"verifier_challenge"`
	RedirectURI         string `json:"redirect_uri"`
	Prompt              string `json:"prompt"`
	Scope               string `json:"scope"`
	// Resource are the resources that were named (RFC 8707).
	Resource []string `json:"resource"`
}

// StartProvider starts a provider with these clients on port, 0 for a free one. ttl are lifetimes in seconds by kind, such as AccessToken.
func StartProvider(ctx context.Context, port int, clients []Client, ttl map[string]int) (*Provider, error) {
	return startProvider(ctx, port, clients, ttl, nil)
}

// StartProviderBehind is StartProvider on a free port behind a link, whose address is in the issuer.
func StartProviderBehind(ctx context.Context, link *Switch, clients []Client, ttl map[string]int) (*Provider, error) {
	p, err := startProvider(ctx, 0, clients, ttl, link)
	if err == nil {
		link.Use(strings.TrimPrefix(p.direct, "http://"))
	}
	return p, err
}

func startProvider(ctx context.Context, port int, clients []Client, ttl map[string]int, link *Switch) (*Provider, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "e2e/node_modules/oidc-provider")); err != nil {
		return nil, fmt.Errorf("the npm packages are missing: run `make setup`: %w", err)
	}
	given, err := json.Marshal(clients)
	if err != nil {
		return nil, fmt.Errorf("start provider: %w", err)
	}
	lifetimes, err := json.Marshal(ttl)
	if err != nil {
		return nil, fmt.Errorf("start provider: %w", err)
	}
	cmd := exec.Command("node", filepath.Join(root, "e2e/op/server.mjs"))
	cmd.Env = append(os.Environ(), "OP_CLIENTS="+string(given), "OP_TTL="+string(lifetimes), fmt.Sprint("OP_PORT=", port))
	if link != nil {
		cmd.Env = append(cmd.Env, "OP_ISSUER=http://"+link.Address)
	}
	p, err := launch("provider", cmd, nil)
	if err != nil {
		return nil, err
	}
	ready, err := p.Await(ctx, "ready line", func(l Line) bool { return l.Fields["ready"] == true })
	if err != nil {
		_ = p.Kill()
		return nil, err
	}
	return &Provider{
		Process: p, Issuer: ready.Fields["issuer"].(string), Link: link,
		direct: fmt.Sprintf("http://127.0.0.1:%.0f", ready.Fields["port"]),
	}, nil
}

// Direct is the address behind Link, host:port.
func (p *Provider) Direct() string { return strings.TrimPrefix(p.direct, "http://") }

// Restore ends an outage that Link.Refuse began.
func (p *Provider) Restore() error { return p.Link.Accept(p.Direct()) }

// control calls one control endpoint and decodes its answer into out, which may be nil.
func (p *Provider) control(ctx context.Context, method, name string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("provider control %s: %w", name, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.direct+"/control/"+name, body)
	if err != nil {
		return fmt.Errorf("provider control %s: %w", name, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("provider control %s: %w", name, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("provider control %s: %s", name, res.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// Asked returns what was asked at a path, and with a grant type if one is given.
func (p *Provider) Asked(ctx context.Context, path, grantType string) ([]Asked, error) {
	q := url.Values{"path": {path}}
	if grantType != "" {
		q.Set("grant_type", grantType)
	}
	var asked []Asked
	return asked, p.control(ctx, http.MethodGet, "requests?"+q.Encode(), nil, &asked)
}

// Reuses counts the refresh tokens that were seen twice.
func (p *Provider) Reuses(ctx context.Context) (int, error) {
	var answer struct{ Count int }
	err := p.control(ctx, http.MethodGet, "reuses", nil, &answer)
	return answer.Count, err
}

// Held is a fault that holds requests.
type Held struct {
	p  *Provider
	id string
}

// Break adds a fault.
func (p *Provider) Break(ctx context.Context, f Fault) (*Held, error) {
	var answer struct{ ID string }
	err := p.control(ctx, http.MethodPost, "faults", f, &answer)
	return &Held{p, answer.ID}, err
}

// Arrived returns when a request is held.
func (h *Held) Arrived(ctx context.Context) error {
	return h.p.control(ctx, http.MethodGet, "faults/"+h.id+"/arrived", nil, nil)
}

// Release lets the held requests go on.
func (h *Held) Release(ctx context.Context) error {
	return h.p.control(ctx, http.MethodPost, "faults/"+h.id+"/release", nil, nil)
}

// Mend ends all faults.
func (p *Provider) Mend(ctx context.Context) error {
	return p.control(ctx, http.MethodDelete, "faults", nil, nil)
}

// SetTTL changes how many seconds a kind of token lives, from the next one on.
func (p *Provider) SetTTL(ctx context.Context, kind string, seconds int) error {
	return p.control(ctx, http.MethodPost, "settings", map[string]any{"ttl": map[string]int{kind: seconds}}, nil)
}

// SetClaims gives a user other claims, from the next ID token on.
func (p *Provider) SetClaims(ctx context.Context, sub string, claims map[string]any) error {
	return p.control(ctx, http.MethodPost, "settings", map[string]any{"users": map[string]any{sub: claims}}, nil)
}

// SetResources makes resources known (RFC 8707), each with its scopes; without scopes it is not known any more.
func (p *Provider) SetResources(ctx context.Context, scopes map[string]string) error {
	return p.control(ctx, http.MethodPost, "settings", map[string]any{"resources": scopes}, nil)
}

// IgnoreACR has the provider sign users in however it likes, whatever acr_values say.
func (p *Provider) IgnoreACR(ctx context.Context) error {
	return p.control(ctx, http.MethodPost, "settings", map[string]any{"acr": map[string]bool{"ignored": true}}, nil)
}

// RotateKeys signs with a new key from now on.
func (p *Provider) RotateKeys(ctx context.Context) error {
	return p.control(ctx, http.MethodPost, "rotate", nil, nil)
}

// Told is what a client said to a back-channel logout: "ok" or what went wrong.
type Told struct{ Client, SID, Said string }

// Logout signs the user out at the provider, which tells its clients.
func (p *Provider) Logout(ctx context.Context, sub string) ([]Told, error) {
	var told []Told
	return told, p.control(ctx, http.MethodPost, "logout", map[string]string{"sub": sub}, &told)
}

// Confess tells the corpus every credential that the provider knows. A state may be seen by its browser; nothing else may.
func (p *Provider) Confess(ctx context.Context, corpus *tokscan.Corpus) error {
	var secrets []struct{ Kind, Value string }
	if err := p.control(ctx, http.MethodGet, "secrets", nil, &secrets); err != nil {
		return err
	}
	for _, s := range secrets {
		if s.Kind == "state" {
			corpus.Learn(s.Kind, s.Value, tokscan.Answer, tokscan.Page)
			continue
		}
		corpus.Learn(s.Kind, s.Value)
	}
	return nil
}

// Close ends the provider.
func (p *Provider) Close() error {
	if p.Link != nil {
		defer p.Link.Close()
	}
	_ = p.stdin.Close() // it ends with its input
	select {
	case <-p.Done():
		return nil
	case <-time.After(5 * time.Second):
		return p.Kill()
	}
}
