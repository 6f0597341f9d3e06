package configs

import (
	"reflect"
	"slices"

	"github.com/invopop/jsonschema"

	"cloakroom/proxy"
)

// orShort lets the value of one key stand for a whole section.
func orShort(p *jsonschema.Schema, section reflect.Type, key string) {
	for i := range section.NumField() {
		if f := fieldOf(i, section.Field(i)); f.key == key {
			one := &jsonschema.Schema{Type: "string"}
			enumerate(one, f)
			p.AnyOf, p.Ref = []*jsonschema.Schema{{Ref: p.Ref}, one}, ""
		}
	}
}

// orOne lets one item stand for a list of one.
func orOne(p *jsonschema.Schema) {
	list := *p
	list.Description, list.Default = "", nil
	*p = jsonschema.Schema{Description: p.Description, Default: p.Default, AnyOf: []*jsonschema.Schema{p.Items, &list}}
}

// inheritable tells whether a key of a route may come from the defaults of its file.
func inheritable(t reflect.Type, f field) bool {
	return t == reflect.TypeFor[proxy.Config]() && slices.Contains(known(reflect.TypeFor[Defaults]()), f.key)
}
