package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"cloakroom/configs"
)

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether a configuration is right",
		Long: `Read a configuration as serve would, with its environment and files, and say all that is wrong with it.
Nothing is started and nobody is called.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := configs.Load(*path)
		if list, ok := errors.AsType[*configs.Errors](err); ok {
			return fmt.Errorf("%w\n%s: %s", err, filepath.Base(*path), count(len(list.Mistakes), "mistake"))
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", filepath.Base(*path))
		summarize(c.OutOrStdout(), cfg)
		return nil
	}
	return c
}

// summarize says in a few lines what the configuration does. It names no URL that may hold a password.
func summarize(w io.Writer, cfg *configs.Config) {
	s := cfg.Server
	fmt.Fprintf(w, "  %s on %s, admin on %s\n", s.PublicURL, s.Listen, s.AdminListen)
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		fmt.Fprintf(w, "  provider %s: %s\n", name, cfg.Providers[name].Issuer)
	}
	fmt.Fprintf(w, "  sessions in %s, cookie %s\n", cfg.Session.Store, cfg.Session.Cookie.Name)
	fmt.Fprintf(w, "  %s\n", count(len(cfg.Routes), "route"))
	for _, r := range cfg.Routes {
		fmt.Fprintf(w, "    %s -> %s (auth %s)\n", r.Path, r.Upstream, r.Auth)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
