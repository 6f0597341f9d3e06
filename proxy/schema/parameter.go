package schema

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// shape is how a parameter's text becomes a value.
type shape int

const (
	scalar   shape = iota
	list           // several values
	deep           // an object: filter[status]=open
	asJSON         // `content: application/json`
	asString       // `content` of any other type: text
)

// parameter is one that an operation takes.
type parameter struct {
	in, name   string
	required   bool
	allowEmpty bool
	explode    bool
	separator  string // between the values of a list in one text
	shape      shape
	types      []string            // what the value, or the items of a list, may be
	fields     map[string][]string // the same for each property of a deep object
	schema     *compiled
}

func (p *parameter) fault(detail string) Fault {
	return Fault{In: p.in, Name: p.name, Detail: detail}
}

func (p *parameter) refuse(reason, detail string) *Refusal {
	return refuse(http.StatusBadRequest, reason, p.fault(detail))
}

// checkQuery judges all occurrences of a parameter in a query.
func (p *parameter) checkQuery(given []pair) *Refusal {
	switch {
	case len(given) == 0:
		return p.absent()
	case p.shape == deep:
		return p.checkDeep(given)
	case len(given) > 1 && !(p.shape == list && p.explode):
		return p.refuse(ReasonRepeated, "is there more than once")
	case p.shape == list && !p.explode:
		return p.checkJoined(p.unify(given[0].raw))
	}
	texts := make([]string, len(given))
	for i, g := range given {
		texts[i] = g.raw
	}
	return p.checkTexts(texts)
}

// checkJoined judges a list in one text. A comma in an item is written %2C (RFC 6570, section 3.2.1); but many servers decode first and split then, and see two items. So
// what passes is as described in both ways.
func (p *parameter) checkJoined(raw string) *Refusal {
	if r := p.checkTexts(strings.Split(raw, p.separator)); r != nil || p.separator != "," {
		return r
	}
	if loose := commas.Replace(raw); loose != raw {
		return p.checkTexts(strings.Split(loose, ","))
	}
	return nil
}

var commas = strings.NewReplacer("%2C", ",", "%2c", ",")

// unify writes the separator of a list in one way.
func (p *parameter) unify(raw string) string {
	switch p.separator {
	case " ":
		return strings.NewReplacer("%20", " ", "+", " ").Replace(raw)
	case "|":
		return strings.NewReplacer("%7C", "|", "%7c", "|").Replace(raw)
	}
	return raw
}

// checkTexts judges values as they stand in a query.
func (p *parameter) checkTexts(raws []string) *Refusal {
	values := make([]any, len(raws))
	for i, raw := range raws {
		text, ok := unescape(raw)
		if !ok {
			return p.refuse(ReasonQuery, "is not UTF-8")
		}
		if text == "" && p.allowEmpty && len(raws) == 1 {
			return nil // allowEmptyValue: a flag without a value
		}
		v, malformed := p.value(text)
		if malformed != nil {
			return p.refuse(malformed.reason, malformed.detail)
		}
		values[i] = v
	}
	if p.shape == list {
		return p.check(values)
	}
	return p.check(values[0])
}

func unescape(raw string) (string, bool) {
	text, err := url.QueryUnescape(raw)
	return text, err == nil && utf8.ValidString(text)
}

func (p *parameter) checkDeep(given []pair) *Refusal {
	object := make(map[string]any, len(given))
	for _, g := range given {
		field := g.name[len(p.name)+1 : len(g.name)-1]
		text, ok := unescape(g.raw)
		if _, twice := object[field]; twice || !ok {
			return p.refuse(ReasonRepeated, "has a field that is there more than once, or is not UTF-8")
		}
		object[field] = read(text, p.fields[field])
	}
	return p.check(object)
}

// checkText judges a parameter of the path, or a header.
func (p *parameter) checkText(text string) *Refusal {
	if !utf8.ValidString(text) {
		return p.refuse(ReasonParameter, "is not UTF-8")
	}
	if p.shape != list {
		v, malformed := p.value(text)
		if malformed != nil {
			return p.refuse(malformed.reason, malformed.detail)
		}
		return p.check(v)
	}
	values := []any{}
	for item := range strings.SplitSeq(text, ",") {
		if p.in == "header" {
			item = strings.TrimSpace(item)
		}
		values = append(values, read(item, p.types))
	}
	return p.check(values)
}

// checkHeader judges a header. Several lines are one list (RFC 9110, section 5.3), but two of what is no list are two answers to one question.
func (p *parameter) checkHeader(h http.Header) *Refusal {
	lines := h[http.CanonicalHeaderKey(p.name)]
	switch {
	case len(lines) == 0:
		return p.absent()
	case len(lines) > 1 && p.shape != list:
		return p.refuse(ReasonRepeated, "is there more than once")
	}
	return p.checkText(strings.Join(lines, ","))
}

func (p *parameter) absent() *Refusal {
	if !p.required {
		return nil
	}
	return p.refuse(ReasonParameter, "is missing")
}

// value reads one text.
func (p *parameter) value(text string) (any, *malformed) {
	if p.shape == asJSON {
		return parse([]byte(text))
	}
	return read(text, p.types), nil
}

// check holds a value against the parameter's schema.
func (p *parameter) check(v any) *Refusal {
	if p.schema == nil {
		return nil
	}
	r := p.schema.check(v, ReasonParameter)
	if r == nil {
		return nil
	}
	for i := range r.Faults {
		r.Faults[i].Pointer, r.Faults[i].In, r.Faults[i].Name = "", p.in, p.name
	}
	return r
}

// The texts of numbers in parameters. One rule for all: no plus, no leading zero, no exponent, no hexadecimal form, which upstreams read differently.
var (
	integer = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,38})$`)
	decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,19})?$`)
)

// read makes the value of a text that a schema of these types means. What is none stays text, which the schema then refuses.
func read(text string, types []string) any {
	switch {
	case slices.Contains(types, "integer") && integer.MatchString(text),
		slices.Contains(types, "number") && decimal.MatchString(text):
		return json.Number(text)
	case slices.Contains(types, "boolean") && (text == "true" || text == "false"):
		return text == "true"
	}
	return text
}
