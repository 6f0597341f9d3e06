package schema

import (
	"fmt"
	"net/http"
	"slices"
)

// Requests judges the requests of one route. It does not change and is safe for concurrent use.
type Requests struct {
	api       *api      // nil: schema alone
	schema    *compiled // of every body
	limit     int64
	unchecked []string
}

// Requests compiles what c names, for a route that leads to at; nil where c names nothing. The error says the key and, behind a #, the place in the file.
func (d *Documents) Requests(c Request, at Place) (*Requests, *KeyError) {
	k := keys{c.OpenAPI, c.OpenAPIBase, c.Schema, c.UncheckedMedia, c.MaxChecked}
	a, s, err := d.rules(k, at, false)
	if err != nil || k.off() {
		return nil, err
	}
	return &Requests{api: a, schema: s, limit: k.limit(), unchecked: c.UncheckedMedia}, nil
}

// KeyError is a description that cannot be used, and the key that names it.
type KeyError struct {
	Key string
	Err error
}

// Error names both.
func (e *KeyError) Error() string { return e.Key + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// rules compiles either kind of description.
func (d *Documents) rules(k keys, at Place, response bool) (*api, *compiled, *KeyError) {
	switch {
	case k.openapi != "":
		doc, err := d.open(k.openapi, true)
		if err == nil {
			var a *api
			if a, err = (builder{doc, response, k.unchecked, at.Foreign}).build(k.base, at); err == nil {
				return a, nil, nil
			}
		}
		return nil, nil, &KeyError{"openapi", err}
	case k.schema != "":
		doc, err := d.open(k.schema, false)
		if err == nil {
			var s *compiled
			if s, err = doc.compile("", response); err == nil {
				return nil, s, nil
			}
		}
		return nil, nil, &KeyError{"schema", err}
	}
	return nil, nil, nil
}

// Limit is the largest body in bytes that is checked.
func (q *Requests) Limit() int64 { return q.limit }

// Call is a request whose operation is known.
type Call struct {
	rules  *Requests
	op     *operation
	values []string // of the path's parameters
	media  *media   // of the body, as Head found it
}

// Match finds the operation of a request by its method and the upstream's path, decoded.
func (q *Requests) Match(method, path string) (*Call, *Refusal) {
	if q.api == nil {
		return &Call{rules: q}, nil
	}
	op, values, allow := q.api.match(method, path)
	switch {
	case op != nil:
		return &Call{rules: q, op: op, values: values}, nil
	case allow != nil:
		return nil, &Refusal{Status: http.StatusMethodNotAllowed, Reason: ReasonMethod, Allow: slices.Clone(allow)}
	}
	return nil, &Refusal{Status: http.StatusNotFound, Reason: ReasonOperation}
}

// Head judges everything but the body: the path's parameters, the query, headers, and what the headers say of the body. Read tells whether the body
// must be held against Body before it may go on. A length of -1 is unknown.
func (c *Call) Head(h http.Header, query string, length int64) (read bool, r *Refusal) {
	if r := c.Parameters(h, query); r != nil {
		return false, r
	}
	if length == 0 {
		return false, c.without(h)
	}
	return c.headOfBody(h)
}

// Parameters judges the path's parameters, the query and headers: what Head judges before it looks at what the headers say of the body.
func (c *Call) Parameters(h http.Header, query string) *Refusal {
	if c.op == nil {
		return nil
	}
	return c.op.parametersOf(c.values, h, query)
}

// TakesBody reports whether there is anything to say of a body.
func (c *Call) TakesBody() bool { return c.op == nil || c.op.body != nil }

// parametersOf judges all parameters, so that the client learns of every mistake at once.
func (o *operation) parametersOf(values []string, h http.Header, query string) (r *Refusal) {
	for i, p := range o.params {
		switch p.in {
		case "path":
			r = r.and(p.checkText(values[i]))
		case "header":
			r = r.and(p.checkHeader(h))
		}
	}
	return r.and(o.query(query))
}

// without judges a request that has no body.
func (c *Call) without(h http.Header) *Refusal {
	if c.op == nil || c.op.body == nil || !c.op.body.required {
		return nil
	}
	return badBody(http.StatusBadRequest, ReasonBodyMissing, "a body is missing")
}

func (c *Call) headOfBody(h http.Header) (read bool, r *Refusal) {
	if c.op != nil && c.op.body == nil {
		return false, badBody(http.StatusBadRequest, ReasonBodyUnwanted, "this operation takes no body")
	}
	if r := encoded(h); r != nil {
		return false, r
	}
	typ, r := mediaType(h)
	if r != nil {
		return false, r
	}
	if c.op == nil {
		c.media = &media{typ: typ, schema: c.rules.schema}
		if isJSON(typ) {
			return true, nil
		}
	} else if c.media = c.op.body.find(typ, c.rules.unchecked); c.media != nil {
		return !c.media.free, nil
	}
	return false, refuse(http.StatusUnsupportedMediaType, ReasonMediaType, Fault{In: "header", Name: "Content-Type", Detail: c.wanted()})
}

// wanted says which media types would be right.
func (c *Call) wanted() string {
	if c.op == nil {
		return "must be application/json"
	}
	names := make([]string, 0, len(c.op.body.media))
	for _, m := range c.op.body.media {
		names = append(names, m.typ)
	}
	return fmt.Sprintf("must be one of %v", names)
}

// Body judges the body, after Head. What passes is one JSON value that every parser reads in the same way.
func (c *Call) Body(data []byte) *Refusal {
	if len(data) == 0 { // of unknown length, and then empty
		if c.op == nil {
			return nil
		}
		return c.without(nil)
	}
	return c.media.judge(data)
}

// judge holds bytes against a media type that is JSON.
func (m *media) judge(data []byte) *Refusal {
	v, malformed := parse(data)
	if malformed != nil {
		return malformed.refusal()
	}
	if m.schema == nil {
		return nil
	}
	return m.schema.check(v, ReasonSchema)
}

// TooLarge is the refusal of a body that is larger than Limit.
func (q *Requests) TooLarge() *Refusal {
	return badBody(http.StatusRequestEntityTooLarge, ReasonTooLarge, fmt.Sprintf("is larger than %d bytes, which is the most that is checked", q.limit))
}
