package compose

import (
	"encoding/json"
	"math"
	"math/big"

	"github.com/itchyny/gojq"
)

// What a shape may do, and jq does without a bound, is rewritten when it is compiled:
//
//   - a * b and a - b are for numbers alone. Of text and a number jq's * makes as many copies as the number says, and - compares two
//     lists item by item.
//   - .[a] is for names and numbers alone. With a list jq looks for it at each place of another.
//   - What copies at the speed of memory, such as + and join, is counted. Half a second of it would otherwise be gigabytes.

// The functions that the rewritten parts call. No shape can: their names are not in the list.
const (
	multiply = "_times"
	subtract = "_minus"
	plainKey = "_key"
	charge   = "_charge"
	spent    = "$__spent" // how much is left to copy, see budget
)

// maxCopied bounds what one run of a shape copies, in bytes.
const maxCopied = 64 << 20

// copying are the functions whose results are counted.
var copying = map[string]bool{"add": true, "join": true, "reverse": true, "tostring": true, "ascii_downcase": true, "ascii_upcase": true}

// budget is what is left to copy, the value of $__spent in one run.
type budget struct{ left int }

// boundError is an error of a rewritten part; it says nothing of the data.
type boundError string

// Error is for the log.
func (e boundError) Error() string { return string(e) }

const (
	errNumbers boundError = "only numbers can be multiplied or subtracted"
	errKey     boundError = "only text and numbers can be an index"
	errCopied  boundError = "it copies too much"
)

// bounds are the compiler's options.
func bounds() []gojq.CompilerOption {
	return []gojq.CompilerOption{
		gojq.WithVariables([]string{"$path", "$query", "$user", spent}),
		gojq.WithFunction(multiply, 2, 2, func(_ any, args []any) any { return times(args[0], args[1]) }),
		gojq.WithFunction(subtract, 2, 2, func(_ any, args []any) any { return minus(args[0], args[1]) }),
		gojq.WithFunction(plainKey, 1, 1, func(_ any, args []any) any {
			if _, list := args[0].([]any); list {
				return errKey
			}
			return args[0]
		}),
		gojq.WithFunction(charge, 2, 2, func(_ any, args []any) any {
			b := args[0].(*budget)
			if b.left -= copied(args[1]); b.left < 0 {
				return errCopied
			}
			return args[1]
		}),
	}
}

// copied is about what making v has taken, its parts not counted.
func copied(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		return 16 * len(v)
	case map[string]any:
		return 64 * len(v)
	}
	return 0
}

func call(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

// boundOperator rewrites an operation between two queries.
func boundOperator(q *gojq.Query) {
	switch q.Op {
	case gojq.OpMul:
		*q = *call(multiply, q.Left, q.Right)
	case gojq.OpSub:
		*q = *call(subtract, q.Left, q.Right)
	case gojq.OpAdd:
		sum := *q
		*q = *call(charge, call(spent), &sum)
	}
}

// boundTerm counts what a text with values in it, or a function that copies, makes.
func boundTerm(t *gojq.Term) {
	filled := t.Str != nil && len(t.Str.Queries) > 0 || t.Format != ""
	if !filled && (t.Func == nil || !copying[t.Func.Name]) {
		return
	}
	inner, suffixes := *t, t.SuffixList
	inner.SuffixList = nil
	*t = *call(charge, call(spent), &gojq.Query{Term: &inner}).Term
	t.SuffixList = suffixes
}

// boundKey counts a name with values in it.
func boundKey(k *gojq.ObjectKeyVal) {
	if k.KeyString == nil || len(k.KeyString.Queries) == 0 {
		return
	}
	text := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: k.KeyString}}
	k.KeyString, k.KeyQuery = nil, call(charge, call(spent), text)
}

// boundIndex keeps lists out of an index.
func boundIndex(i *gojq.Index) {
	if i.Start != nil && !i.IsSlice {
		i.Start = call(plainKey, i.Start)
	}
}

// times multiplies numbers, and nothing else. Whole ones stay whole as long as they fit.
func times(a, b any) any {
	return arithmetic(a, b, func(x, y float64) float64 { return x * y }, (*big.Int).Mul)
}

// minus subtracts numbers, and nothing else.
func minus(a, b any) any {
	return arithmetic(a, b, func(x, y float64) float64 { return x - y }, (*big.Int).Sub)
}

func arithmetic(a, b any, broken func(x, y float64) float64, exact func(z, x, y *big.Int) *big.Int) any {
	if x, ok := whole(a); ok {
		if y, ok := whole(b); ok {
			if z := exact(new(big.Int), big.NewInt(x), big.NewInt(y)); z.IsInt64() {
				return int(z.Int64())
			}
		}
	}
	x, ok := number(a)
	y, also := number(b)
	if !ok || !also {
		return errNumbers
	}
	return broken(x, y)
}

func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	}
	return 0, false
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil || math.IsInf(f, 0)
	}
	return 0, false
}
