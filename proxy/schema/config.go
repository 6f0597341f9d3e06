package schema

import (
	"fmt"
	"mime"
	"strings"

	"github.com/alecthomas/units"
)

// Request is how a route's requests are checked before they go to the upstream. Without openapi and schema they are not.
type Request struct {
	// OpenAPI is a file with the API's description, OpenAPI 3.0 or 3.1 in YAML or JSON. Only its operations and query parameters pass; path, query, headers and JSON bodies must be as it says.
	// Its paths are the upstream's, behind the base path of its `servers`.
	OpenAPI string `yaml:"openapi" default:"" file:"true"`
	// OpenAPIBase is the path on the upstream under which the description's paths lie, such as /v2. Default: the path of the description's `servers`.
	OpenAPIBase string `yaml:"openapi_base" default:""`
	// Schema is a file with a JSON Schema for the bodies, which must be JSON. Not together with openapi.
	Schema string `yaml:"schema" default:"" file:"true"`
	// UncheckedMedia are media types, such as multipart/form-data, whose bodies pass without a look where the description has them. All others must be JSON.
	UncheckedMedia []string `yaml:"unchecked_media" default:"[]"`
	// MaxChecked is the largest body that is checked, because it is held in memory as a whole; a larger one is answered 413. Between 1B and 64MiB.
	MaxChecked units.Base2Bytes `yaml:"max_checked" default:"1MiB"`
}

// Response is how an upstream's answers are checked. Without openapi and schema they are not.
type Response struct {
	// OpenAPI is a file with the API's description: status, media type and JSON body must be as it says. It may be the same file as the request's.
	OpenAPI string `yaml:"openapi" default:"" file:"true"`
	// OpenAPIBase is the path on the upstream under which the description's paths lie. Default: the path of the description's `servers`.
	OpenAPIBase string `yaml:"openapi_base" default:""`
	// Schema is a file with a JSON Schema for the bodies of 2xx answers, which must be JSON. Other answers are not checked. Not together with openapi.
	Schema string `yaml:"schema" default:"" file:"true"`
	// Mode is what happens to an answer that is not as described: `report` counts and logs it, and lets it pass; `enforce` answers 502 instead.
	Mode string `yaml:"mode" default:"report" enum:"report,enforce"`
	// UncheckedMedia are media types, such as text/event-stream, whose bodies pass without a look where the description has them. All others must be JSON.
	UncheckedMedia []string `yaml:"unchecked_media" default:"[]"`
	// MaxChecked is the largest body that is checked, because it is held in memory as a whole. With `enforce` a larger one is answered 502. Between 1B and 64MiB.
	MaxChecked units.Base2Bytes `yaml:"max_checked" default:"1MiB"`
}

// Validate reports what is wrong with c, key by key.
func (c Request) Validate(report func(key, problem string)) {
	keys{c.OpenAPI, c.OpenAPIBase, c.Schema, c.UncheckedMedia, c.MaxChecked}.validate(report)
}

// Validate reports what is wrong with c, key by key.
func (c Response) Validate(report func(key, problem string)) {
	keys{c.OpenAPI, c.OpenAPIBase, c.Schema, c.UncheckedMedia, c.MaxChecked}.validate(report)
}

// keys are those that both directions have.
type keys struct {
	openapi, base, schema string
	unchecked             []string
	most                  units.Base2Bytes
}

func (k keys) off() bool { return k.openapi == "" && k.schema == "" }

// most is how many bytes are checked; 0, as in a Config that no loader made, is the default.
func (k keys) limit() int64 {
	if k.most == 0 {
		return 1 << 20
	}
	return int64(k.most)
}

func (k keys) validate(report func(key, problem string)) {
	if k.openapi != "" && k.schema != "" {
		report("schema", "and openapi describe the same bodies; keep one of them")
	}
	if problem := badBase(k.base); problem != "" {
		report("openapi_base", problem)
	}
	if k.base != "" && k.openapi == "" {
		report("openapi_base", "means nothing without openapi")
	}
	for i, m := range k.unchecked {
		if problem := badMedia(m); problem != "" {
			report(fmt.Sprintf("unchecked_media[%d]", i), problem)
		}
	}
	if len(k.unchecked) > 0 && k.openapi == "" {
		report("unchecked_media", "means nothing without openapi")
	}
	if k.most < 0 || k.most > 64*units.MiB || k.most == 0 && !k.off() {
		report("max_checked", fmt.Sprintf("%v is not between 1B and 64MiB", k.most))
	}
}

func badBase(base string) string {
	switch {
	case base == "" || base == "/":
		return ""
	case base[0] != '/' || strings.HasSuffix(base, "/"):
		return fmt.Sprintf("%q must start with / and not end with it, such as /v2; / alone is the root", base)
	case strings.ContainsAny(base, "{}?#%\\") || strings.Contains(base, "//") || strings.Contains(base+"/", "/../") || strings.Contains(base+"/", "/./"):
		return fmt.Sprintf("%q is no plain path", base)
	}
	return ""
}

func badMedia(m string) string {
	typ, params, err := mime.ParseMediaType(m)
	switch {
	case err != nil || len(params) > 0 || typ != m || strings.Count(m, "/") != 1 || strings.Contains(m, "*"):
		return fmt.Sprintf("%q is no media type; write one such as multipart/form-data", m)
	case isJSON(typ):
		return fmt.Sprintf("%q is JSON, which is always checked", m)
	}
	return ""
}
