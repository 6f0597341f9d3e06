package schema

import (
	"fmt"
	"net/http"
	"slices"
)

// parameters reads those of a path or of an operation, which replaces the path's. Cookies are left out: none reaches an upstream.
func (b builder) parameters(op *operation, owner map[string]any, at string) error {
	all, _ := owner["parameters"].([]any)
	for i, node := range all {
		m, where, err := b.doc.follow(node, fmt.Sprintf("%s/parameters/%d", at, i))
		if err != nil {
			return err
		}
		p, err := b.parameter(m, where)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		op.params = slices.DeleteFunc(op.params, func(o *parameter) bool { return o.in == p.in && o.name == p.name })
		op.params = append(op.params, p)
	}
	return nil
}

// parameter reads one; nil for one that is not the client's.
func (b builder) parameter(m map[string]any, at string) (*parameter, error) {
	p := &parameter{required: m["required"] == true, allowEmpty: m["allowEmptyValue"] == true}
	p.in, _ = m["in"].(string)
	p.name, _ = m["name"].(string)
	if p.in == "cookie" || p.in == "header" && b.notTheClients(p.name) {
		return nil, nil
	}
	if content, ok := m["content"].(map[string]any); ok {
		return p, b.contentOf(p, content, at)
	}
	if m["schema"] == nil {
		return p, nil
	}
	style, _ := m["style"].(string)
	if problem := p.styled(style, m["explode"]); problem != "" {
		return nil, fmt.Errorf("%s: %s", place(at), problem)
	}
	if err := b.shaped(p, m["schema"], at, style); err != nil {
		return nil, err
	}
	var err error
	p.schema, err = b.doc.compile(at+"/schema", false)
	return p, err
}

// notTheClients names headers that are not judged: those that the specification leaves out, and those that never come from the client.
func (b builder) notTheClients(name string) bool {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Accept", "Content-Type", "Authorization":
		return true
	}
	return b.foreign != nil && b.foreign(name)
}

// contentOf is a parameter whose value has a media type.
func (b builder) contentOf(p *parameter, content map[string]any, at string) error {
	p.shape = asString
	for name, node := range content { // the specification has exactly one
		if !isJSON(name) {
			continue
		}
		p.shape = asJSON
		m, where, err := b.doc.follow(node, at+"/content/"+escapeToken(name))
		if err != nil || m["schema"] == nil {
			return err
		}
		p.schema, err = b.doc.compile(where+"/schema", false)
		return err
	}
	return nil
}

// styled reads how the values of a list stand in one text.
func (p *parameter) styled(style string, explode any) string {
	p.separator, p.explode = ",", explode == true
	switch {
	case p.in != "query" && (style == "" || style == "simple"):
		p.explode = false
	case p.in == "query" && (style == "" || style == "form"):
		p.explode = explode != false
	case p.in == "query" && style == "spaceDelimited":
		p.separator = " "
	case p.in == "query" && style == "pipeDelimited":
		p.separator = "|"
	case p.in == "query" && style == "deepObject":
	default:
		return fmt.Sprintf("style %q in %s is not supported", cut(style, 40), p.in)
	}
	return ""
}

// shaped reads from the schema how a text becomes a value.
func (b builder) shaped(p *parameter, schema any, at, style string) error {
	p.types = b.types(schema, 0)
	switch isList, isObject := slices.Contains(p.types, "array"), slices.Contains(p.types, "object"); {
	case isList && slices.ContainsFunc(p.types, func(t string) bool { return t != "array" && t != "null" }):
		return fmt.Errorf("%s/schema: may be a list or something else, which cannot be told apart in a text; choose one", place(at))
	case isList:
		p.shape = list
		p.types = b.types(b.inside(schema, "items"), 0)
	case style == "deepObject":
		p.shape, p.fields = deep, map[string][]string{}
		properties, _ := b.inside(schema, "properties").(map[string]any)
		for name, s := range properties {
			p.fields[name] = b.types(s, 0)
		}
	case isObject:
		return fmt.Errorf("%s: an object is only supported in a query, with style: deepObject, or as content: application/json", place(at))
	}
	return nil
}

// inside is a keyword of the schema itself, behind references, or of one of its allOf.
func (b builder) inside(schema any, keyword string) any {
	m, _, err := b.doc.follow(schema, "")
	if err != nil {
		return nil
	}
	if m[keyword] != nil {
		return m[keyword]
	}
	all, _ := m["allOf"].([]any)
	for _, s := range all {
		if sub, _, err := b.doc.follow(s, ""); err == nil && sub[keyword] != nil {
			return sub[keyword]
		}
	}
	return nil
}

// types are what a schema lets a value be, as far as it says.
func (b builder) types(schema any, depth int) (all []string) {
	m, _, err := b.doc.follow(schema, "")
	if err != nil || depth > 8 {
		return nil
	}
	switch t := m["type"].(type) {
	case string:
		return []string{t}
	case []any:
		for _, one := range t {
			name, _ := one.(string)
			all = append(all, name)
		}
		return all
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		some, _ := m[keyword].([]any)
		for _, s := range some {
			all = append(all, b.types(s, depth+1)...)
		}
	}
	values, _ := m["enum"].([]any)
	for _, v := range append(values, m["const"]) {
		all = append(all, typeOf(v))
	}
	return slices.DeleteFunc(all, func(t string) bool { return t == "" })
}

// typeOf is the JSON type of a value in a description.
func typeOf(v any) string {
	switch v.(type) {
	case nil, string:
		return ""
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "number" // integers are numbers too
}
