package policy

import (
	"encoding/json"
	"math"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// boxedSubject is a Subject in CEL's values, made once.
type boxedSubject map[string]ref.Val

func (b boxedSubject) value(name string) (any, bool) {
	v, ok := b[name]
	return v, ok
}

// box makes the values of user and session. What is not known is not there.
func (u *Subject) box() boxedSubject {
	b := boxedSubject{
		"user.roles":  newNameList(u.roles, u.has),
		"user.scopes": newNameList(u.scopes, u.may),
		claimsName:    boxMap(u.id.Claims, false),
	}
	for name, s := range map[string]string{
		"user.sub": u.id.Subject, "user.issuer": u.id.Issuer, "user.provider": u.id.Provider, "user.kind": u.id.Kind, "session.acr": u.id.ACR,
	} {
		if s != "" {
			b[name] = types.String(s)
		}
	}
	if !u.id.AuthTime.IsZero() {
		b["session.auth_time"] = types.Timestamp{Time: u.id.AuthTime.UTC()}
	}
	if !u.id.Created.IsZero() {
		b["session.created"] = types.Timestamp{Time: u.id.Created.UTC()}
	}
	return b
}

// nameList is a list of names that finds one of them without looking at all.
type nameList struct {
	traits.Lister
	set map[string]struct{}
}

func newNameList(names []string, set map[string]struct{}) nameList {
	return nameList{types.NewStringList(types.DefaultTypeAdapter, names), set}
}

// Contains is `in`.
func (l nameList) Contains(v ref.Val) ref.Val {
	name, ok := v.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	_, found := l.set[string(name)]
	return types.Bool(found)
}

// boxMap is a JSON object in CEL's values. A member that cannot be said exactly is left out, so that it is missing. whole tells that numbers are still as
// they were written, so that a whole one is exact beyond 2^53 too; claims have been doubles on their way, whatever they are now.
func boxMap(m map[string]any, whole bool) ref.Val {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if b, ok := boxValue(v, whole); ok {
			out[k] = b
		}
	}
	return types.NewStringInterfaceMap(types.DefaultTypeAdapter, out)
}

// boxValue is one JSON value, or false: a list with an inexact number in it is not exact either. CEL takes a list with an error in it for equal to others.
func boxValue(v any, whole bool) (ref.Val, bool) {
	switch v := v.(type) {
	case nil:
		return types.NullValue, true
	case bool:
		return types.Bool(v), true
	case string:
		return types.String(v), true
	case float64:
		// Beyond 2^53 neighbours share one double: two numbers would be equal that are not.
		return types.Double(v), !math.IsNaN(v) && !math.IsInf(v, 0) && (math.Abs(v) < 1<<53 || v != math.Trunc(v))
	case json.Number:
		return boxNumber(v, whole)
	case map[string]any:
		return boxMap(v, whole), true
	case []any:
		items := make([]ref.Val, len(v))
		for i := range v {
			item, ok := boxValue(v[i], whole)
			if !ok {
				return nil, false
			}
			items[i] = item
		}
		return types.NewRefValList(types.DefaultTypeAdapter, items), true
	}
	return nil, false
}

// boxNumber is a number that is still as it was written.
func boxNumber(n json.Number, whole bool) (ref.Val, bool) {
	if f, err := n.Float64(); err == nil {
		if v, ok := boxValue(f, whole); ok {
			return v, true
		}
	}
	i, err := n.Int64()
	return types.Int(i), whole && err == nil
}
