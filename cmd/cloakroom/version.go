package main

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is set by the linker in released binaries: -ldflags "-X main.release=v1.2.3". Nothing else writes it.
var release string

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  none,
		Run: func(c *cobra.Command, _ []string) {
			fmt.Fprintln(c.OutOrStdout(), "cloakroom", version())
		},
	}
}

// version is the release, or what the Go toolchain recorded about the build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(release, "unknown")
	}
	built := map[string]string{}
	for _, s := range info.Settings {
		built[s.Key] = s.Value
	}
	text := cmp.Or(release, info.Main.Version, "(devel)")
	if commit := built["vcs.revision"]; len(commit) >= 12 {
		text += " " + commit[:12]
	}
	if built["vcs.modified"] == "true" {
		text += " modified"
	}
	return text + " " + info.GoVersion
}
