package proxy

import (
	"fmt"
	"strings"

	"cloakroom/proxy/schema"
)

// Descriptions judges the files that routes name as descriptions of their API, as Compile does, and reports what is wrong by the route's number and the key below it.
// Routes and upstreams that Validate finds wrong are left out.
func Descriptions(routes []Config, upstreams map[string]Upstream, report func(route int, key, problem string)) {
	docs := schema.NewDocuments(schema.ReadFile)
	for i, c := range routes {
		valid := true
		c.Validate(func(string, string) { valid = false })
		c.Request.Validate(func(string, string) { valid = false })
		c.Response.Validate(func(string, string) { valid = false })
		config, err := c.Resolve(upstreams)
		if !valid || err != nil {
			continue
		}
		all, err := config.addresses()
		if err != nil || len(all) == 0 {
			continue
		}
		rt := &Route{Config: c, headers: newHeaders(c.Headers, nil), target: newTarget(all[0].base, c.StripPrefix)}
		if err := rt.describe(docs); err != nil {
			report(i, err.Key, err.Err.Error())
		}
	}
}

// describe compiles what the route's requests and answers are held against.
func (rt *Route) describe(docs *schema.Documents) (err *schema.KeyError) {
	at := schema.Place{Area: rt.area(), Foreign: rt.foreign}
	c := &rt.Config
	if rt.requests, err = docs.Requests(c.Request.Request, at); err != nil {
		return &schema.KeyError{Key: "request." + err.Key, Err: err.Err}
	}
	if rt.responses, err = docs.Responses(c.Response.Response, at); err != nil {
		return &schema.KeyError{Key: "response." + err.Key, Err: err.Err}
	}
	return nil
}

// area is the paths of the upstream that the route leads to: the pattern's, without the prefix, behind the base path.
func (rt *Route) area() schema.Area {
	var a schema.Area
	if rt.target.base != "" {
		a.Segments = strings.Split(rt.target.base[1:], "/")
	}
	rest, _ := cutSegments(rt.Config.Path, rt.target.strip)
	for s := range strings.SplitSeq(strings.TrimPrefix(rest, "/"), "/") {
		switch {
		case s == "", s == "{$}", strings.HasSuffix(s, "...}"):
			a.Open = s != "" || strings.HasSuffix(rt.Config.Path, "/")
			return a
		case strings.HasPrefix(s, "{"):
			s = ""
		}
		a.Segments = append(a.Segments, s)
	}
	return a
}

// describedError wraps what describe says, for Compile.
func describedError(err *schema.KeyError) error {
	if err == nil {
		return nil // not a nil pointer in an interface
	}
	return fmt.Errorf("%s: %w", err.Key, err.Err)
}
