package schema

import (
	"maps"
	"slices"
)

// Views, the rule: a description is compiled in two copies, one for what comes in and one for what goes out. In the first what is readOnly may not be
// there, in the second what is writeOnly; neither is required there. On the way the schemas of OpenAPI 3.0 become those of JSON Schema: nullable,
// exclusive bounds that are true or false, and references whose neighbours count for nothing. Every schema stays at its place.

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// view makes one of the two copies.
func (d *description) view(response bool) any {
	c := converter{d: d, old: d.old, hidden: "readOnly"}
	switch {
	case !d.openapi && d.meters == nil:
		return d.whole
	case !d.openapi:
		c.hidden = "" // nothing is: a JSON Schema says nothing about directions
		return c.schema(d.whole)
	}
	if response {
		c.hidden = "writeOnly"
	}
	return c.tree(d.root, false)
}

type converter struct {
	d      *description
	old    bool
	hidden string // readOnly or writeOnly
}

// The keys of OpenAPI below which the next key is a name that people choose.
var named = map[string]bool{"paths": true, "responses": true, "headers": true, "content": true, "requestBodies": true, "callbacks": true,
	"pathItems": true, "links": true, "securitySchemes": true, "encoding": true, "webhooks": true, "variables": true, "scopes": true, "mapping": true}

// tree copies what is no schema, and converts the schemas in it. Below names no key means anything.
func (c converter) tree(v any, names bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			switch object, isObject := item.(map[string]any); {
			case names:
				out[key] = c.tree(item, false)
			case key == "schema":
				out[key] = c.schema(item)
			case key == "schemas" && isObject:
				out[key] = c.schemas(object)
			case key == "example", key == "examples", key == "default":
				out[key] = item
			default:
				out[key] = c.tree(item, named[key] || key == "parameters" && isObject)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = c.tree(item, false)
		}
		return out
	}
	return v
}

func (c converter) schemas(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for name, s := range m {
		out[name] = c.schema(s)
	}
	return out
}

// schema converts one, and those inside it.
func (c converter) schema(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v // true or false
	}
	if ref, ok := m["$ref"].(string); ok && c.old {
		return map[string]any{"$ref": ref}
	}
	out := make(map[string]any, len(m))
	for key, item := range m {
		out[key] = c.keyword(key, item)
	}
	if out["$schema"] == baseDialect {
		delete(out, "$schema")
	}
	c.hide(m, out)
	if c.old {
		modernize(out)
	}
	if c.d.meters != nil {
		metered(out)
	}
	return out
}

func (c converter) keyword(key string, v any) any {
	object, isObject := v.(map[string]any)
	items, isList := v.([]any)
	if isList && key == "items" { // before 2020-12
		key = "prefixItems"
	}
	switch key {
	case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies":
		if isObject {
			return c.schemas(object)
		}
	case "items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties", "contentSchema":
		return c.schema(v)
	case "allOf", "anyOf", "oneOf", "prefixItems":
		if isList {
			out := make([]any, len(items))
			for i, s := range items {
				out[i] = c.schema(s)
			}
			return out
		}
	}
	return v
}

// hide takes out the properties of an object that do not belong into this direction.
func (c converter) hide(m, out map[string]any) {
	properties, ok := out["properties"].(map[string]any)
	if !ok {
		return
	}
	original, _ := m["properties"].(map[string]any)
	hidden := map[string]bool{}
	for name, p := range original {
		if c.hides(p) {
			hidden[name] = true
			properties[name] = false
		}
	}
	required, ok := out["required"].([]any)
	if !ok || len(hidden) == 0 {
		return
	}
	out["required"] = slices.DeleteFunc(slices.Clone(required), func(name any) bool { s, _ := name.(string); return hidden[s] })
}

// hides reports whether a property's schema says that it does not belong here. In OpenAPI 3.0 only what a reference leads to counts.
func (c converter) hides(property any) bool {
	if m, ok := property.(map[string]any); ok && !c.old && m[c.hidden] == true {
		return true
	}
	s, _, err := c.d.follow(property, "")
	return err == nil && s[c.hidden] == true
}

// modernize turns the keywords of OpenAPI 3.0 into those of JSON Schema 2020-12.
func modernize(out map[string]any) {
	if typ, ok := out["type"].(string); ok && out["nullable"] == true {
		out["type"] = []any{typ, "null"}
	}
	for _, bound := range []struct{ exclusive, inclusive string }{{"exclusiveMinimum", "minimum"}, {"exclusiveMaximum", "maximum"}} {
		exclusive, ok := out[bound.exclusive].(bool)
		if !ok {
			continue
		}
		delete(out, bound.exclusive)
		if limit, has := out[bound.inclusive]; has && exclusive {
			out[bound.exclusive] = limit
			delete(out, bound.inclusive)
		}
	}
	for _, later := range []string{"$schema", "$id", "$anchor", "const", "if", "then", "else", "nullable", "example", "discriminator", "xml"} {
		delete(out, later) // means nothing in 3.0, or nothing here
	}
}
