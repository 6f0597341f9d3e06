package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"
)

// Provider is the OpenID provider as an http.Handler. It is safe for concurrent use.
type Provider struct {
	o       Options
	host    string // the issuer's, with port
	key     goidc.JSONWebKey
	store   *store
	sso     *sso
	handler http.Handler
	notices sync.WaitGroup // back-channel logout calls under way
	client  *http.Client   // for them
	clients map[string]Client
}

// New makes a provider. It refuses an issuer, or a client's URL, that is not on loopback.
func New(o Options) (*Provider, error) {
	o = o.withDefaults()
	if err := checkURL(o.Issuer); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Path != "" {
		return nil, fmt.Errorf("issuer %q: must have no path, not even a slash", o.Issuer)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	p := &Provider{
		o: o, host: issuer.Host, key: key, store: newStore(), sso: newSSO(), client: noticeClient(),
		clients: map[string]Client{},
	}
	for _, c := range o.Clients {
		c = c.withDefaults()
		if err := c.check(); err != nil {
			return nil, err
		}
		p.clients[c.ID] = c
	}
	op, err := provider.New(o.Issuer, p.store, p.keys, p.libraryOptions()...)
	if err != nil {
		return nil, fmt.Errorf("make provider: %w", err)
	}
	p.handler, err = p.routes(op.Handler())
	return p, err
}

// Issuer is the provider's issuer identifier.
func (p *Provider) Issuer() string { return p.o.Issuer }

// Close waits for the back-channel logout calls under way; each ends by its own timeout at the latest.
func (p *Provider) Close() { p.notices.Wait() }

// ServeHTTP answers requests that came over loopback and name the issuer's host. The second rule keeps out other
// sites whose name resolves to this machine (DNS rebinding).
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !loopbackHost(host) {
		http.Error(w, "loopback only", http.StatusForbidden)
		return
	}
	if !strings.EqualFold(r.Host, p.host) {
		http.Error(w, "this server is "+p.host, http.StatusMisdirectedRequest)
		return
	}
	decodeBasic(r)
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	p.handler.ServeHTTP(w, r)
}

// routes puts what the library lacks around it.
func (p *Provider) routes(library http.Handler) (http.Handler, error) {
	discovery, err := p.discovery(library)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", library)
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("POST /signout", p.signOut)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(discovery) // a client that went away is not an error
	})
	// The provider's own pages post to itself; other sites may only navigate here. The protocol's endpoints carry no cookie.
	guard := http.NewCrossOriginProtection()
	guard.AddInsecureBypassPattern("POST /authorize") // an authorization request by form post changes nothing yet
	guard.AddInsecureBypassPattern("POST /logout")    // and a sign-out request asks first
	return guard.Handler(mux), nil
}

// discovery is the library's document, and what it does not say about back-channel logout.
func (p *Provider) discovery(library http.Handler) ([]byte, error) {
	w := httptest.NewRecorder()
	library.ServeHTTP(w, httptest.NewRequest(http.MethodGet, p.o.Issuer+"/.well-known/openid-configuration", nil))
	var document map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil || w.Code != http.StatusOK {
		return nil, errors.Join(errors.New("discovery document: not what the library should say"), err)
	}
	document["backchannel_logout_supported"] = true
	document["backchannel_logout_session_supported"] = true
	return json.Marshal(document)
}

// newKey makes the key that signs every token of this run.
func newKey() (goidc.JSONWebKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return goidc.JSONWebKey{}, fmt.Errorf("make signing key: %w", err)
	}
	return goidc.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(goidc.ES256), Use: "sig"}, nil
}

// keys hands the library its key; it publishes the public half alone.
func (p *Provider) keys(context.Context) (goidc.JSONWebKeySet, error) {
	return goidc.JSONWebKeySet{Keys: []goidc.JSONWebKey{p.key}}, nil
}
