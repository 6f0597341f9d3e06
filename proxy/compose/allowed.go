package compose

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// A shape may do what takes time and memory in proportion to what it is given, and nothing else: no loops, no recursion, no definitions, and no
// operation that makes something large of a few bytes, or that goes on for long without looking up. jq checks a deadline between its operations
// only, and has no bound on memory: "a" * 1000000000 would take a gigabyte, and setpath(["a", 500000000]; 1) the process. So this is a list
// of what is allowed, and what is missing in it is refused at start.

// functions are the functions of jq that a shape may call, by the numbers of their arguments.
var functions = map[string][]int{
	// choosing
	"empty": {0}, "select": {1}, "values": {0}, "nulls": {0}, "scalars": {0}, "strings": {0}, "numbers": {0}, "booleans": {0}, "arrays": {0}, "objects": {0}, "iterables": {0},
	"first": {0, 1}, "last": {0, 1}, "limit": {2}, "isempty": {1}, "any": {0, 1, 2}, "all": {0, 1, 2}, "IN": {1, 2}, "has": {1}, "in": {1}, "not": {0}, "recurse": {0},
	// lists and objects
	"map": {1}, "map_values": {1}, "length": {0}, "keys": {0}, "add": {0, 1}, "sort": {0}, "sort_by": {1}, "group_by": {1}, "unique": {0}, "unique_by": {1},
	"min": {0}, "max": {0}, "min_by": {1}, "max_by": {1}, "reverse": {0}, "flatten": {0, 1}, "to_entries": {0}, "from_entries": {0}, "with_entries": {1}, "INDEX": {1, 2},
	// text, numbers, dates
	"tostring": {0}, "tonumber": {0}, "toboolean": {0}, "type": {0}, "ascii_downcase": {0}, "ascii_upcase": {0}, "startswith": {1}, "endswith": {1}, "ltrimstr": {1}, "rtrimstr": {1},
	"trim": {0}, "ltrim": {0}, "rtrim": {0}, "split": {1}, "join": {1}, "utf8bytelength": {0},
	"floor": {0}, "ceil": {0}, "round": {0}, "abs": {0}, "fabs": {0}, "isnan": {0}, "fromdate": {0}, "todate": {0}, "fromdateiso8601": {0}, "todateiso8601": {0},
}

// operators are the operators that may not stand in a shape. Assignments write to places that may be computed: .a[500000000] = 1.
var operators = []gojq.Operator{gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateSub, gojq.OpUpdateMul, gojq.OpUpdateDiv, gojq.OpUpdateMod, gojq.OpUpdateAlt}

// inspection walks through a shape's syntax, whatever it is made of.
type inspection struct {
	problem string
	used    map[string]bool // variables
}

// walk visits everything below v, and v last, so that what rewriting puts there is not visited: a field that a later version of jq may add is visited too.
func (in *inspection) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			in.walk(v.Elem())
			in.visit(v.Interface())
		}
	case reflect.Slice:
		for i := range v.Len() {
			in.walk(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			in.walk(v.Field(i))
		}
	}
}

// visit judges one node, and bounds it.
func (in *inspection) visit(node any) {
	switch n := node.(type) {
	case *gojq.Query:
		if slices.Contains(operators, n.Op) {
			in.refuse(n.Op.String())
		}
		boundOperator(n)
	case *gojq.Term:
		if n.Format != "" && n.Format != "@text" && n.Format != "@uri" {
			in.refuse(n.Format)
		}
		boundTerm(n)
	case *gojq.ObjectKeyVal:
		boundKey(n)
	case *gojq.Index:
		boundIndex(n)
	case *gojq.Func:
		in.call(n)
	case *gojq.FuncDef:
		in.refuse("def")
	case *gojq.Reduce:
		in.refuse("reduce")
	case *gojq.Foreach:
		in.refuse("foreach")
	case *gojq.Label:
		in.refuse("label")
	case *gojq.Import:
		in.refuse("import")
	}
}

func (in *inspection) call(f *gojq.Func) {
	switch {
	case f.Name == "$ENV" || strings.HasPrefix(f.Name, "$__"):
		in.refuse(f.Name)
	case strings.HasPrefix(f.Name, "$"):
		in.used[f.Name] = true
	case !slices.Contains(functions[f.Name], len(f.Args)):
		in.refuse(fmt.Sprintf("%s/%d", f.Name, len(f.Args)))
	}
}

// refuse keeps the first thing that is refused.
func (in *inspection) refuse(what string) {
	if in.problem == "" {
		in.problem = fmt.Sprintf("has %s, which a shape may not have: nothing bounds what it takes; docs/compose.md lists what it may have", what)
	}
}
