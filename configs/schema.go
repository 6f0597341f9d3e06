package configs

import _ "embed"

//go:generate go test -run "Broken|ReferenceIsUpToDate|SchemaIsUpToDate" -update .

//go:embed schema.json
var schemaJSON string

//go:embed reference.yaml
var referenceYAML string

// Schema is the JSON Schema of the configuration file, for editors. It is made from the Config types.
func Schema() string { return schemaJSON }

// Reference is a configuration with every key at its default and what it means. It is made from the Config types.
func Reference() string { return referenceYAML }
