package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// failure is an error of something that was configured and called well, and failed while running.
type failure struct{ error }

// Unwrap is the error itself.
func (f failure) Unwrap() error { return f.error }

// run executes one command line and answers the exit code. Whatever is not a failure is
// bad usage or a bad configuration.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, err)
	if _, failed := errors.AsType[failure](err); failed {
		return 1
	}
	return 2
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:               "cloakroom",
		Short:             "A session server: it keeps your single-page app's tokens and hands its browser a cookie",
		SilenceErrors:     true, // run prints them, once
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w\nsee %s --help", err, c.CommandPath())
	})
	root.AddCommand(serveCommand(), checkCommand(), explainCommand(), testCommand(), routesCommand(), schemaCommand(), keysCommand(), healthcheckCommand(), versionCommand())
	return root
}

// configFlag adds the flag that all commands share which read the configuration.
func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("config", "c", "cloakroom.yaml", "the configuration file")
}
