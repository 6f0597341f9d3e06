package configs

import _ "embed"

// reference.yaml and schema.json are made from the Config types, their tags and comments.
//
//go:generate go test -run "Broken|ReferenceIsUpToDate|SchemaIsUpToDate" -update .

//go:embed schema.json
var schemaJSON string

// Schema is the JSON Schema of the configuration file, for editors. It is made from the Config types.
func Schema() string { return schemaJSON }
