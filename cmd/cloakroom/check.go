package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloakroom/bff"
	"cloakroom/configs"
)

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether a configuration is right",
		Long: `Read a configuration as serve would, with its environment and files, and say all that is wrong with it.
Nothing is started and nobody is called, but with --online: then each provider is asked for its metadata, Redis is read and written, and
each upstream is called, with its health check where it has one. The exit code is 1 if one of them fails.`,
		Args: none,
	}
	path := configFlag(c)
	online := c.Flags().Bool("online", false, "also call providers, Redis and upstreams")
	timeout := c.Flags().Duration("timeout", 15*time.Second, "how long --online waits for all of them together")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := configs.Load(*path)
		if list, ok := errors.AsType[*configs.Errors](err); ok {
			return fmt.Errorf("%w\n%s: %s", err, filepath.Base(*path), count(len(list.Mistakes), "mistake"))
		}
		if err != nil {
			return err
		}
		if err := bff.Check(cfg); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(*path), err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", filepath.Base(*path))
		summarize(c.OutOrStdout(), cfg)
		if !*online {
			return nil
		}
		ctx, cancel := context.WithTimeout(c.Context(), *timeout)
		defer cancel()
		return reach(ctx, c.OutOrStdout(), cfg)
	}
	return c
}

// summarize says in a few lines what the configuration does. It names no URL that may hold a password.
func summarize(w io.Writer, cfg *configs.Config) {
	s := cfg.Server
	admin := "admin on " + s.AdminListen
	if s.AdminListen == "off" {
		admin = "no admin listener"
	}
	fmt.Fprintf(w, "  %s on %s%s, %s\n", s.PublicURL, s.Listen, tlsOf(s), admin)
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		fmt.Fprintf(w, "  provider %s: %s\n", name, cfg.Providers[name].Issuer)
	}
	fmt.Fprintf(w, "  sessions in %s, cookie %s\n", cfg.Session.Store, cfg.Session.Cookie.Name)
	fmt.Fprintf(w, "  %s\n", count(len(cfg.Routes), "route"))
	for _, r := range bff.ListRoutes(cfg) {
		fmt.Fprintf(w, "    %s -> %s (auth %s)\n", r.Path, strings.Join(r.Upstream, ", "), r.Auth)
	}
}

// reach calls what the configuration names, and prints how that went. A failure of one is a failure of all.
func reach(ctx context.Context, w io.Writer, cfg *configs.Config) error {
	all, err := bff.Reach(ctx, cfg)
	if err != nil {
		return err
	}
	failed := 0
	for _, r := range all {
		line, mark := r.What, "ok  "
		if r.Where != "" {
			line += " at " + r.Where
		}
		line += ": " + r.How
		if r.Err != nil {
			failed++
			mark, line = "FAIL", line+": "+r.Err.Error()
		}
		fmt.Fprintf(w, "%s  %6s  %s\n", mark, r.Took.Round(time.Millisecond), line)
	}
	if failed > 0 {
		return failure{fmt.Errorf("%d of %d could not be reached", failed, len(all))}
	}
	return nil
}

// tlsOf says who speaks TLS, and by which certificate.
func tlsOf(s configs.Server) string {
	text := ""
	switch {
	case s.TLS.ByACME():
		text = " with TLS by ACME"
	case s.TLS.Enabled():
		text = " with TLS by " + filepath.Base(s.TLS.Cert)
	}
	if s.HTTPListen != "" {
		text += ", http on " + s.HTTPListen
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
