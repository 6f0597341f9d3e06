package schema

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// pair is one parameter of a query: its name decoded, its value still as it was sent.
type pair struct{ name, raw string }

// splitQuery takes a query apart. A semicolon separates parameters for some servers and is an ordinary character for others, so it must be escaped.
func splitQuery(raw string) ([]pair, *Refusal) {
	if raw == "" {
		return nil, nil
	}
	bad := func(detail string) ([]pair, *Refusal) {
		return nil, refuse(http.StatusBadRequest, ReasonQuery, Fault{In: "query", Detail: detail})
	}
	if strings.Contains(raw, ";") {
		return bad("a ; in the query must be written %3B")
	}
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		decoded, err := url.QueryUnescape(name)
		if err != nil || !utf8.ValidString(decoded) || decoded == "" {
			return bad("the query has a name that is empty, not UTF-8, or badly escaped")
		}
		pairs = append(pairs, pair{decoded, value})
	}
	return pairs, nil
}

// query holds a query against the parameters that an operation has: no other one, and each once unless it is a list.
func (o *operation) query(raw string) *Refusal {
	pairs, refusal := splitQuery(raw)
	if refusal != nil {
		return refusal
	}
	given := make(map[*parameter][]pair, len(o.params))
	for _, p := range pairs {
		par := o.queryParameter(p.name)
		if par == nil {
			return refuse(http.StatusBadRequest, ReasonUndeclared, Fault{In: "query", Name: p.name, Detail: "is not a parameter of this operation"})
		}
		given[par] = append(given[par], p)
	}
	var found *Refusal
	for _, par := range o.params {
		if par.in == "query" {
			found = found.and(par.checkQuery(given[par]))
		}
	}
	return found
}

// queryParameter finds who takes a name of the query.
func (o *operation) queryParameter(name string) *parameter {
	for _, p := range o.params {
		if p.in != "query" {
			continue
		}
		if p.name == name && p.shape != deep {
			return p
		}
		if p.shape == deep && p.hasField(name) {
			return p
		}
	}
	return nil
}

// hasField reports whether name is a field of a deep object: filter[status]. One bracket of each kind: servers that stop reading at the first ] would take
// filter[status]x] for another filter[status], which nobody has looked at.
func (p *parameter) hasField(name string) bool {
	field, ok := strings.CutPrefix(name, p.name+"[")
	return ok && len(field) > 1 && strings.IndexAny(field, "[]") == len(field)-1 && strings.HasSuffix(field, "]")
}

// and joins the faults of two refusals, as far as there is room. Either may be nil.
func (r *Refusal) and(other *Refusal) *Refusal {
	if r == nil || other == nil {
		if r == nil {
			return other
		}
		return r
	}
	for _, f := range other.Faults {
		r.add(f)
	}
	for _, p := range other.Places {
		r.place(p)
	}
	return r
}

// place notes a place in the description, once.
func (r *Refusal) place(p string) {
	for _, have := range r.Places {
		if have == p {
			return
		}
	}
	if len(r.Places) < maxPlaces {
		r.Places = append(r.Places, p)
	}
}
