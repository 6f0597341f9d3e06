package policy

import (
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Rule of this file: what a client can say twice, or in two spellings, has one value or none. If an expression saw the first and the upstream the last, the
// expression would have judged another request. A name that is there in a form that is not clear is an error, also for `in` and has(): "not there" would be a lie.

// lookup is a map that can be asked for a name and for nothing else: not for its size, nor for all names.
type lookup struct {
	of   *activation // has it in itself, which spares an allocation
	find func(a *activation, name string) (value string, found bool, err error)
}

// Find returns the value of a name.
func (l *lookup) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	value, found, err := l.find(l.of, string(name))
	switch {
	case err != nil:
		return types.WrapErr(err), false
	case !found:
		return nil, false
	case len(value) > maxText || !utf8.ValidString(value):
		return types.WrapErr(&unclearError{string(name), "is too long, or no text"}), false
	}
	return types.String(value), true
}

// Get is Find for an index.
func (l *lookup) Get(key ref.Val) ref.Val {
	v, found := l.Find(key)
	if v == nil && !found {
		return types.NewErr("no such key: %v", key)
	}
	return v
}

// Contains is Find for `in`.
func (l *lookup) Contains(key ref.Val) ref.Val {
	v, found := l.Find(key)
	if types.IsError(v) {
		return v
	}
	return types.Bool(found)
}

// unclearError is a name that is there, but without a clear value.
type unclearError struct{ name, problem string }

// Error has the name, which may be the client's; see harmless.
func (e *unclearError) Error() string { return e.name + " " + e.problem }

// IsSet is Find for has().
func (l *lookup) IsSet(key ref.Val) ref.Val { return l.Contains(key) }

// errWhole is what all else comes to. Expressions that would meet it do not compile; see usage.
var errWhole = types.NewErr("the names cannot be listed, counted or compared: ask for one of them")

// Equal refuses: see lookup.
func (l *lookup) Equal(ref.Val) ref.Val { return errWhole }

// ConvertToType refuses: see lookup.
func (l *lookup) ConvertToType(ref.Type) ref.Val { return errWhole }

// ConvertToNative refuses: see lookup.
func (l *lookup) ConvertToNative(reflect.Type) (any, error) { return nil, errWhole.(error) }

// lookupType is not that of a map: those can be iterated, and one that fails to be is taken for an empty one.
var lookupType = types.NewObjectType("cloakroom.lookup", traits.ContainerType, traits.IndexerType, traits.FieldTesterType)

// Type is lookupType.
func (l *lookup) Type() ref.Type { return lookupType }

// Value is the lookup itself.
func (l *lookup) Value() any { return l }

// pathValue is what a name in the route's pattern stands for.
func (a *activation) pathValue(name string) (string, bool, error) {
	if a.r.Value == nil {
		return "", false, nil
	}
	v, ok := a.r.Value(a.r.HTTP.URL.Path, name)
	return v, ok, nil
}

// parameter is a parameter that came once.
func (a *activation) parameter(name string) (string, bool, error) {
	if a.params == nil {
		a.params = parseParameters(a.r.HTTP.URL.RawQuery)
	}
	return a.params.find(name)
}

// header is a header that came once. Some servers take _ for -, so such a name counts as the same.
func (a *activation) header(name string) (string, bool, error) {
	name = textproto.CanonicalMIMEHeaderKey(name)
	if _, ok := a.set.hidden[name]; ok {
		return "", false, &unclearError{name, "is for credentials, which rules do not see"}
	}
	values := a.r.HTTP.Header[name]
	n := len(values)
	for other, more := range a.r.HTTP.Header {
		if sameHeader(other, name) {
			n += len(more) + 1 // never clear, even if it comes alone
		}
	}
	switch n {
	case 0:
		return "", false, nil
	case 1:
		if namedByConnection(a.r.HTTP.Header, name) {
			return "", false, &unclearError{name, "is named by Connection, and the upstream does not get it"}
		}
		return values[0], true, nil
	}
	return "", false, &unclearError{name, "comes more than once"}
}

// namedByConnection reports whether a header, in canonical form, is between the client and us only (RFC 9110, section 7.6.1).
func namedByConnection(h http.Header, name string) bool {
	for _, line := range h["Connection"] {
		for other := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(other), name) {
				return true
			}
		}
	}
	return false
}

// sameHeader reports whether other is another spelling of name, with _ for -.
func sameHeader(other, name string) bool {
	return strings.IndexByte(other, '_') >= 0 && other != name && strings.EqualFold(strings.ReplaceAll(other, "_", "-"), strings.ReplaceAll(name, "_", "-"))
}

// hiddenHeaders are those that always have credentials.
func hiddenHeaders() map[string]struct{} {
	return setOf([]string{"Authorization", "Cookie", "Proxy-Authorization"})
}

// parameters are those of a query, in their order.
type parameters struct {
	list []parameter
	err  error
}

type parameter struct {
	name, value string
	folded      string // the name as the most careless server would read it
}

// parseParameters reads a query as most servers do. One that servers read in different ways has no parameters at all.
func parseParameters(raw string) *parameters {
	p := &parameters{}
	if strings.Contains(raw, ";") {
		return &parameters{err: &unclearError{"", "the query has a semicolon, at which some servers cut"}}
	}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		if len(p.list) == maxParams {
			return &parameters{err: &unclearError{"", "the query has too many parameters"}}
		}
		k, v, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err != nil || err2 != nil || !utf8.ValidString(name) {
			return &parameters{err: &unclearError{"", "the query cannot be read"}}
		}
		p.list = append(p.list, parameter{name: name, value: value, folded: fold(name)})
	}
	return p
}

// fold is a parameter's name without letter case, and without what PHP, Rails and Express read as an index.
func fold(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return strings.ToLower(strings.TrimSpace(name))
}

// find is the parameter that came once. Asked for name[x], it compares whole names.
func (p *parameters) find(name string) (value string, found bool, err error) {
	if p.err != nil {
		return "", false, p.err
	}
	whole := strings.Contains(name, "[")
	folded := fold(name)
	n := 0
	for i := range p.list {
		q := &p.list[i]
		if whole && !strings.EqualFold(q.name, name) || !whole && q.folded != folded {
			continue
		}
		n++
		value, found = q.value, q.name == name
	}
	switch {
	case n == 0:
		return "", false, nil
	case n > 1 || !found:
		return "", false, &unclearError{name, "comes more than once, or in another spelling"}
	}
	return value, true, nil
}
