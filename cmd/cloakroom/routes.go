package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"cloakroom/bff"
	"cloakroom/configs"
)

func routesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "routes",
		Short: "List the routes of all files",
		Long:  `List every route, with the file and line that it stands in.`,
		Args:  none,
	}
	path := configFlag(c)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := configs.Load(*path)
		if err != nil {
			return err
		}
		list := bff.ListRoutes(cfg)
		if *asJSON {
			return printJSON(c.OutOrStdout(), list)
		}
		printRoutes(c.OutOrStdout(), list)
		return nil
	}
	return c
}

func printRoutes(w io.Writer, list []bff.ListedRoute) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PATH\tMETHODS\tAUTH\tTOKEN\tUPSTREAM\tWHERE")
	for _, r := range list {
		methods := "all"
		if len(r.Methods) > 0 {
			methods = strings.Join(r.Methods, ",")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s:%d\n", r.Path, methods, r.Auth, r.Token, strings.Join(r.Upstream, ","), r.File, r.Line)
	}
	t.Flush() // a terminal that went away is nobody to tell
}
