package schema

import (
	"errors"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"
)

// api is the part of a description that a route can reach.
type api struct {
	base  []string
	paths map[int][]*path // by the number of segments, the most specific first
}

type path struct {
	template template
	ops      map[string]*operation
	allow    []string
}

// operation is a path and a method.
type operation struct {
	params  []*parameter
	body    *body
	answers map[string]*body // by status: 200, 2XX, default
}

// body is what a message may carry.
type body struct {
	required bool
	media    []media
}

// media is one type of body. Without JSON nothing is looked at.
type media struct {
	typ    string
	schema *compiled // nil: any JSON
	free   bool      // passes without a look
}

// Place is where a route leads.
type Place struct {
	// Area is what its requests ask of the upstream.
	Area Area
	// Foreign reports whether a request header is not the client's: it does not cross, or is set here. nil: none is.
	Foreign func(header string) bool
}

// builder makes an api of a description.
type builder struct {
	doc       *description
	response  bool
	unchecked []string
	foreign   func(string) bool
}

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch"}

func (b builder) build(base string, at Place) (*api, error) {
	if base == "" {
		var err error
		if base, err = b.serverPath(); err != nil {
			return nil, err
		}
	}
	a := &api{base: split(base), paths: map[int][]*path{}}
	paths, _ := b.doc.root["paths"].(map[string]any)
	count := 0
	for _, text := range sorted(paths) {
		t, err := parseTemplate(text)
		if strings.HasPrefix(text, "x-") || err == nil && !at.Area.reaches(a.base, t) {
			continue
		}
		if err == nil {
			err = b.path(a, t, paths[text], "/paths/"+escapeToken(text))
		}
		if err != nil {
			return nil, err
		}
		count++
	}
	if count == 0 {
		return nil, fmt.Errorf("#/paths: none of its paths lies where this route leads: the upstream is asked for %s, and the description's paths lie under %s; openapi_base says where they lie on the upstream",
			at.Area, "/"+strings.Join(a.base, "/"))
	}
	for _, p := range a.paths {
		slices.SortFunc(p, func(x, y *path) int { return specific(x.template, y.template) })
	}
	return a, nil
}

func split(base string) []string {
	if base = strings.Trim(base, "/"); base == "" {
		return nil
	}
	return strings.Split(base, "/")
}

// serverPath is the base path that the description's servers have in common.
func (b builder) serverPath() (string, error) {
	servers, _ := b.doc.root["servers"].([]any)
	found := ""
	for i, s := range servers {
		server, _ := s.(map[string]any)
		text, _ := server["url"].(string)
		variables, _ := server["variables"].(map[string]any)
		for name, v := range variables {
			v, _ := v.(map[string]any)
			text = strings.ReplaceAll(text, "{"+name+"}", fmt.Sprint(v["default"]))
		}
		u, err := url.Parse(text)
		if err != nil || badBase(strings.TrimSuffix(u.Path, "/")) != "" {
			return "", fmt.Errorf("#/servers/%d/url: has no plain path; write openapi_base", i)
		}
		base := strings.TrimSuffix(u.Path, "/")
		if i > 0 && base != found {
			return "", fmt.Errorf("#/servers: have different paths (%q and %q); write openapi_base: the path on the upstream under which the description's paths lie", found, base)
		}
		found = base
	}
	return found, nil
}

// path reads the operations of one path.
func (b builder) path(a *api, t template, node any, at string) error {
	item, at, err := b.doc.follow(node, at)
	if err != nil {
		return err
	}
	p := &path{template: t, ops: map[string]*operation{}}
	for _, m := range methods {
		if item[m] == nil {
			continue
		}
		op, err := b.operation(t, item, m, at)
		if err != nil {
			return err
		}
		p.ops[strings.ToUpper(m)] = op
		p.allow = append(p.allow, strings.ToUpper(m))
	}
	if get := p.ops["GET"]; get != nil && p.ops["HEAD"] == nil {
		p.ops["HEAD"] = get
		p.allow = append(p.allow, "HEAD")
	}
	slices.Sort(p.allow)
	n := len(t.segments)
	a.paths[n] = append(a.paths[n], p)
	return nil
}

func (b builder) operation(t template, item map[string]any, method, at string) (*operation, error) {
	node, where, err := b.doc.follow(item[method], at+"/"+method)
	if err != nil {
		return nil, err
	}
	op := &operation{}
	if b.response {
		op.answers, err = b.answers(node["responses"], where+"/responses")
		return op, err
	}
	if err = b.parameters(op, item, at); err != nil {
		return nil, err
	}
	if err = b.parameters(op, node, where); err != nil {
		return nil, err
	}
	if node["requestBody"] != nil {
		op.body, err = b.body(node["requestBody"], where+"/requestBody")
	}
	op.inOrder(t)
	return op, err
}

// inOrder puts the parameters of the path first, in the order of its template. One that the description forgot takes any text.
func (o *operation) inOrder(t template) {
	var all []*parameter
	for _, name := range t.names() {
		i := slices.IndexFunc(o.params, func(p *parameter) bool { return p.in == "path" && p.name == name })
		if i < 0 {
			all = append(all, &parameter{in: "path", name: name})
			continue
		}
		all = append(all, o.params[i])
	}
	for _, p := range o.params {
		if p.in != "path" {
			all = append(all, p)
		}
	}
	o.params = all
}

// body reads a request's body, or an answer's.
func (b builder) body(node any, at string) (*body, error) {
	m, at, err := b.doc.follow(node, at)
	if err != nil {
		return nil, err
	}
	out := &body{required: m["required"] == true}
	content, _ := m["content"].(map[string]any)
	for _, name := range sorted(content) {
		one, err := b.media(name, content[name], at+"/content/"+escapeToken(name))
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out.media, func(o media) bool { return o.typ == one.typ }) {
			return nil, fmt.Errorf("%s/content: has %s twice", place(at), one.typ)
		}
		out.media = append(out.media, one)
	}
	slices.SortStableFunc(out.media, func(x, y media) int { return strings.Count(x.typ, "*") - strings.Count(y.typ, "*") }) // ranges last
	return out, nil
}

func (b builder) media(name string, node any, at string) (media, error) {
	typ, _, err := mime.ParseMediaType(name)
	if err != nil {
		return media{}, fmt.Errorf("%s: is no media type", place(at))
	}
	one := media{typ: typ, free: slices.Contains(b.unchecked, typ)}
	if one.free {
		return one, nil
	}
	if !isJSON(typ) && typ != "*/*" && typ != "application/*" {
		return one, fmt.Errorf("%s: bodies of %s cannot be checked; unchecked_media: [%s] lets them pass without a look", place(at), typ, typ)
	}
	m, at, err := b.doc.follow(node, at)
	if err != nil {
		return one, err
	}
	if m["schema"] != nil {
		one.schema, err = b.doc.compile(at+"/schema", b.response)
	}
	return one, err
}

// find is the media type of a body, or nil.
func (b *body) find(typ string, unchecked []string) *media {
	if b == nil || typ == "" {
		return nil
	}
	for i := range b.media {
		m := &b.media[i]
		if !covers(m.typ, typ) {
			continue
		}
		if m.free || isJSON(typ) {
			return m
		}
		if slices.Contains(unchecked, typ) {
			return &media{typ: typ, free: true}
		}
	}
	return nil
}

// answers reads the answers of an operation.
func (b builder) answers(node any, at string) (map[string]*body, error) {
	all, ok := node.(map[string]any)
	if !ok {
		return nil, errors.New(place(at) + ": is missing")
	}
	out := map[string]*body{}
	for _, status := range sorted(all) {
		if strings.HasPrefix(status, "x-") {
			continue
		}
		one, err := b.body(all[status], at+"/"+escapeToken(status))
		if err != nil {
			return nil, err
		}
		out[strings.ToUpper(status)] = one
	}
	return out, nil
}

// match finds the operation of a request to the upstream. Without one, allow holds the methods of the path.
func (a *api) match(method, at string) (op *operation, values []string, allow []string) {
	segments := strings.Split(strings.TrimPrefix(at, "/"), "/")
	if len(segments) < len(a.base) || !slices.Equal(segments[:len(a.base)], a.base) {
		return nil, nil, nil
	}
	segments = segments[len(a.base):]
	if len(segments) == 0 { // the base itself, which is / of the description
		segments = []string{""}
	}
	for _, p := range a.paths[len(segments)] {
		if values, ok := p.template.match(segments); ok {
			return p.ops[method], values, p.allow
		}
	}
	return nil, nil, nil
}
