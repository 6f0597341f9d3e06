package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"cloakroom/configs"
)

// healthTimeout bounds the question: a server that takes longer to say that it lives does not.
const healthTimeout = 3 * time.Second

func healthcheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running server whether it lives",
		Long: `Ask the admin listener of a server on this machine for /livez: exit code 0 if it lives, 1 if not.
For Docker's HEALTHCHECK, in images that have no other program. The address comes from the configuration,
or from --url.`,
		Args: none,
	}
	path := configFlag(c)
	url := c.Flags().String("url", "", "ask this URL and read no configuration")
	c.RunE = func(c *cobra.Command, _ []string) error {
		target := *url
		if target == "" {
			cfg, err := configs.Load(*path)
			if err != nil {
				return err
			}
			if target, err = livezURL(cfg.Server.AdminListen); err != nil {
				return err
			}
		}
		if err := alive(c.Context(), target); err != nil {
			return failure{err}
		}
		fmt.Fprintln(c.OutOrStdout(), "ok")
		return nil
	}
	return c
}

// livezURL is where a server on this machine that listens on addr can be asked.
func livezURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if addr == configs.AdminOff || err != nil || port == "0" {
		return "", fmt.Errorf("server.admin_listen is %s: there is no known address to ask\nname one with --url", addr)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && ip == netip.IPv6Unspecified():
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/livez", nil
}

// alive asks url, directly and once: through no proxy, and following no redirect.
func alive(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("the server answers " + resp.Status)
	}
	return nil
}
