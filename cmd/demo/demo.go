package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"cloakroom/bff"
	"cloakroom/bff/idp"
	"cloakroom/configs"
	"cloakroom/web"
)

// audience names the sample API in access tokens.
const audience = "orders-api"

// loopback returns the address to listen on, with a free port in place of 0. It refuses what other machines could reach.
func loopback(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("--listen %q: want host:port, such as localhost:8080", address)
	}
	ip, err := netip.ParseAddr(host)
	if !strings.EqualFold(host, "localhost") && (err != nil || !ip.Unmap().IsLoopback()) {
		return "", fmt.Errorf("--listen %q: the demo has no passwords and listens on loopback only, such as localhost:8080", address)
	}
	if port != "0" {
		return address, nil
	}
	// The app's URL is part of the configuration, so the port must be known first. Somebody else
	// could take it in between; then the demo says so and ends.
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	_, port, _ = net.SplitHostPort(ln.Addr().String()) // a listener's own address
	return net.JoinHostPort(host, port), ln.Close()
}

// serve runs provider, API and Cloakroom until ctx ends.
func serve(ctx context.Context, address string, verbose bool, stdout, stderr io.Writer) (err error) {
	_, port, _ := net.SplitHostPort(address) // loopback checked it
	public := "http://localhost:" + port
	secret := rand.Text() + rand.Text()
	level := slog.LevelError
	if verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))

	provider, err := idp.Start("127.0.0.1:0", idp.Options{
		Audience: audience, Scopes: []string{"orders"}, AccessTokenLife: tokenLife, Log: log,
		Clients: []idp.Client{{
			ID: "demo", Secret: secret, Name: "Cloakroom demo", RedirectURIs: []string{public + "/bff/callback"},
			PostLogoutRedirectURIs: []string{public + "/bff/logout"}, BackchannelLogoutURI: public + "/bff/backchannel",
		}},
	})
	if err != nil {
		return fmt.Errorf("start provider: %w", err)
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	api, err := startAPI(provider.Issuer())
	if err != nil {
		return fmt.Errorf("start sample API: %w", err)
	}
	defer func() { err = errors.Join(err, api.close()) }()

	cfg, err := configs.Parse("demo.yaml", configuration(address, public, provider.Issuer(), api.url, secret), func(string) (string, bool) { return "", false })
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	server, err := bff.New(cfg, bff.Options{Log: log, Version: "demo", SPA: web.Demo()})
	if err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- server.Run(context.WithoutCancel(ctx), stop.Done()) }()
	select {
	case <-ready(stop, public, server.AdminHandler()):
		fmt.Fprintf(stdout, "Cloakroom demo: open %s (Ctrl-C stops it)\n", public)
		return <-ran
	case err := <-ran:
		return err
	}
}

// configuration is the demo's own cloakroom.yaml.
func configuration(address, public, issuer, api, clientSecret string) []byte {
	return fmt.Appendf(nil, `
server:
  listen: %q
  public_url: %q
  admin_listen: "off"
  shutdown_grace: 2s
providers:
  demo:
    issuer: %q
    client_id: demo
    client_secret: %q
    scopes: [openid, profile, email, orders]
    claims: [name, email, sub, iss]
    roles_claim: groups
session:
  store: memory
  idle_timeout: 10m
  lifetime: 8h
  secrets: [%q]
routes:
  - path: /api/
    strip_prefix: /api
    upstream: %q
`, address, public, issuer, clientSecret, rand.Text()+rand.Text(), api)
}
