package idp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Options say what the provider is called, whom it knows and how long its tokens live.
type Options struct {
	// Issuer is the provider's issuer identifier, such as http://127.0.0.1:9000, on loopback. Start sets it.
	Issuer string
	// Clients are the applications that may use the provider. At least one.
	Clients []Client
	// Users are the ready-made users on the sign-in page. Default: DefaultUsers.
	Users []User
	// Audience is the `aud` of access tokens. Default: "api".
	Audience string
	// Scopes are known beside openid, profile, email and offline_access.
	Scopes []string
	// AccessTokenLife is how long access tokens live, in whole seconds. Default: 5 minutes.
	AccessTokenLife time.Duration
	// RefreshTokenLife is how long an unused refresh token lives, in whole seconds. Default: 24 hours.
	RefreshTokenLife time.Duration
	// Log receives what went wrong, without tokens. Default: nothing is logged.
	Log *slog.Logger
}

// Client is one application. All its URLs are on loopback.
type Client struct {
	// ID and Secret are its credentials.
	ID, Secret string
	// Name is shown on the sign-in page. Default: the ID.
	Name string
	// AuthMethod is client_secret_basic (default) or client_secret_post; the other one is refused.
	AuthMethod string
	// RedirectURIs and PostLogoutRedirectURIs are compared character by character.
	RedirectURIs, PostLogoutRedirectURIs []string
	// BackchannelLogoutURI gets a logout token when a user of the client signs out here. Empty: nothing is sent.
	BackchannelLogoutURI string
}

// User is someone who can sign in.
type User struct {
	// Subject is the stable identifier, the claim `sub`.
	Subject string
	// Name and Email are shown on the page and become claims.
	Name, Email string
	// Roles become the claim `groups`.
	Roles []string
}

// DefaultUsers are three ready-made users with different roles.
func DefaultUsers() []User {
	return []User{
		{Subject: "ada", Name: "Ada Lovelace", Email: "ada@example.test", Roles: []string{"admin", "customer"}},
		{Subject: "grace", Name: "Grace Hopper", Email: "grace@example.test", Roles: []string{"support"}},
		{Subject: "alan", Name: "Alan Turing", Email: "alan@example.test", Roles: []string{"customer"}},
	}
}

// ErrNotLoopback is the refusal of an address or URL that other machines could reach.
var ErrNotLoopback = errors.New("the demo provider has no passwords and serves loopback only; use 127.0.0.1, [::1] or localhost")

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Users == nil {
		o.Users = DefaultUsers()
	}
	if o.Audience == "" {
		o.Audience = "api"
	}
	if o.AccessTokenLife <= 0 {
		o.AccessTokenLife = 5 * time.Minute
	}
	if o.RefreshTokenLife <= 0 {
		o.RefreshTokenLife = 24 * time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (c Client) withDefaults() Client {
	if c.Name == "" {
		c.Name = c.ID
	}
	if c.AuthMethod == "" {
		c.AuthMethod = "client_secret_basic"
	}
	return c
}

// check reports the first URL of c that is not on loopback, or what else makes c unusable.
func (c Client) check() error {
	if c.ID == "" || c.Secret == "" || len(c.RedirectURIs) == 0 {
		return fmt.Errorf("client %q: ID, Secret and RedirectURIs are needed", c.ID)
	}
	if c.AuthMethod != "client_secret_basic" && c.AuthMethod != "client_secret_post" {
		return fmt.Errorf("client %q: AuthMethod %q: must be client_secret_basic or client_secret_post", c.ID, c.AuthMethod)
	}
	urls := append(append([]string{}, c.RedirectURIs...), c.PostLogoutRedirectURIs...)
	if c.BackchannelLogoutURI != "" {
		urls = append(urls, c.BackchannelLogoutURI)
	}
	for _, u := range urls {
		if err := checkURL(u); err != nil {
			return fmt.Errorf("client %q: %w", c.ID, err)
		}
	}
	return nil
}

// checkURL refuses a URL whose host is not loopback.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("URL %q: must be http or https", raw)
	}
	if !loopbackHost(u.Hostname()) {
		return fmt.Errorf("URL %q: %w", raw, ErrNotLoopback)
	}
	return nil
}

// checkAddr refuses a listen address that is not loopback: a missing host would listen everywhere.
func checkAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if !loopbackHost(host) {
		return fmt.Errorf("address %q: %w", addr, ErrNotLoopback)
	}
	return nil
}

// loopbackHost reports whether host is a loopback address or localhost. Other names are not resolved: what
// they mean could change after the check.
func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
