package schema

import (
	"net/http"
	"strconv"
	"strings"
)

// Responses judges the answers of one route's upstream. It does not change and is safe for concurrent use.
type Responses struct {
	// Enforce is whether an answer that is not as described must not pass.
	Enforce   bool
	api       *api
	schema    *compiled
	limit     int64
	unchecked []string
}

// Responses compiles what c names, for a route that leads to at; nil where c names nothing.
func (d *Documents) Responses(c Response, at Place) (*Responses, *KeyError) {
	k := keys{c.OpenAPI, c.OpenAPIBase, c.Schema, c.UncheckedMedia, c.MaxChecked}
	a, s, err := d.rules(k, at, true)
	if err != nil || k.off() {
		return nil, err
	}
	return &Responses{Enforce: c.Mode == "enforce", api: a, schema: s, limit: k.limit(), unchecked: c.UncheckedMedia}, nil
}

// Limit is the largest body in bytes that is checked.
func (s *Responses) Limit() int64 { return s.limit }

// Answer is an answer whose head is as described.
type Answer struct{ media *media }

// Head judges an answer by its head, to a request by its method and the upstream's path. A nil Answer without a refusal passes without a look at its body; none
// is there, or the configuration says so.
func (s *Responses) Head(method, path string, status int, h http.Header, length int64) (*Answer, *Refusal) {
	if status == http.StatusNotModified {
		return nil, nil // it brings nothing, and what the client has was judged when it came
	}
	if s.api == nil {
		return s.bySchema(method, status, h)
	}
	op, _, _ := s.api.match(method, path)
	if op == nil {
		return nil, &Refusal{Reason: ReasonOperation}
	}
	want := op.answer(status)
	switch {
	case want == nil:
		return nil, &Refusal{Reason: ReasonStatus}
	case method == http.MethodHead || bodiless(status) || length == 0:
		return nil, nil
	}
	return s.content(want, h)
}

// bySchema is Head where there is a JSON Schema alone.
func (s *Responses) bySchema(method string, status int, h http.Header) (*Answer, *Refusal) {
	if method == http.MethodHead || status < 200 || status > 299 || bodiless(status) {
		return nil, nil
	}
	return s.content(&body{media: []media{{typ: "application/*", schema: s.schema}}}, h)
}

// content judges what an answer says of its body.
func (s *Responses) content(want *body, h http.Header) (*Answer, *Refusal) {
	typ, r := mediaType(h)
	if r != nil {
		return nil, r
	}
	if typ == "" && len(want.media) == 0 {
		return &Answer{}, nil // whether there is a body shows when it is read
	}
	m := want.find(typ, s.unchecked)
	switch {
	case m == nil && typ == "text/event-stream":
		return nil, &Refusal{Reason: ReasonStream}
	case m == nil:
		return nil, &Refusal{Reason: ReasonMediaType}
	case m.free:
		return nil, nil
	}
	if r := encoded(h); r != nil {
		return nil, r
	}
	return &Answer{media: m}, nil
}

// Body judges the body of an answer.
func (a *Answer) Body(data []byte) *Refusal {
	switch {
	case a.media == nil && len(data) > 0:
		return &Refusal{Reason: ReasonBodyUnwanted}
	case a.media == nil:
		return nil
	}
	return a.media.judge(data)
}

// TooLarge is the refusal of an answer whose body is larger than Limit.
func (s *Responses) TooLarge() *Refusal { return &Refusal{Reason: ReasonTooLarge} }

func bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified || status == http.StatusResetContent
}

// answer finds the description of a status: itself, its class, or the default.
func (o *operation) answer(status int) *body {
	text := strconv.Itoa(status)
	for _, name := range []string{text, text[:1] + "XX", strings.ToUpper("default")} {
		if b := o.answers[name]; b != nil {
			return b
		}
	}
	return nil
}
