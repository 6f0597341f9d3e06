package configs

import _ "embed"

// reference.yaml and the schemas are made from the Config types, their tags and comments.
//
//go:generate go test -run "Broken|ReferenceIsUpToDate|SchemaIsUpToDate" -update .

var (
	//go:embed schema.json
	schemaJSON string
	//go:embed routes.schema.json
	routesJSON string
	//go:embed tests.schema.json
	testsJSON string
)

// Schema is the JSON Schema of the configuration file, for editors. It is made from the Config types.
func Schema() string { return schemaJSON }

// RoutesSchema is the JSON Schema of the files that a configuration includes.
func RoutesSchema() string { return routesJSON }

// TestsSchema is the JSON Schema of files of expectations, see [Expectations].
func TestsSchema() string { return testsJSON }
