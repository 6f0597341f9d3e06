package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// between takes least to most arguments. hint says what they are.
func between(least, most int, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return errors.New(hint)
		}
		return nil
	}
}

// none takes no argument. The one that people give is the configuration.
func none(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.Flags().Lookup("config") == nil {
		return fmt.Errorf("%s takes no argument %q", c.CommandPath(), args[0])
	}
	return fmt.Errorf("%s takes no argument %q; name a configuration with --config %s", c.CommandPath(), args[0], args[0])
}
