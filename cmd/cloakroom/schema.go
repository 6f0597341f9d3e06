package main

import (
	"io"

	"github.com/spf13/cobra"

	"cloakroom/configs"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the configuration's JSON Schema",
		Long: `Print the configuration's JSON Schema. Editors complete and explain keys with it:
write it to a file, and name that in the first line of the configuration:

  # yaml-language-server: $schema=cloakroom.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := io.WriteString(c.OutOrStdout(), configs.Schema()); err != nil {
				return failure{err}
			}
			return nil
		},
	}
}
