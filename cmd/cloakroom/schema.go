package main

import (
	"io"

	"github.com/spf13/cobra"

	"cloakroom/configs"
)

func schemaCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the configuration's JSON Schema",
		Long: `Print the configuration's JSON Schema. Editors complete and explain keys with it:
write it to a file, and name that in the first line of the configuration:

  # yaml-language-server: $schema=cloakroom.schema.json

The files that it includes have a schema of their own: --routes. So have those of cloakroom test: --tests.`,
		Args: none,
	}
	routes := c.Flags().Bool("routes", false, "print the schema of included files")
	tests := c.Flags().Bool("tests", false, "print the schema of files of expectations")
	c.MarkFlagsMutuallyExclusive("routes", "tests")
	c.RunE = func(c *cobra.Command, _ []string) error {
		text := configs.Schema()
		switch {
		case *routes:
			text = configs.RoutesSchema()
		case *tests:
			text = configs.TestsSchema()
		}
		if _, err := io.WriteString(c.OutOrStdout(), text); err != nil {
			return failure{err}
		}
		return nil
	}
	return c
}
