package configs

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// pair is one key of a mapping and its value.
type pair struct {
	key  string
	at   place
	node ast.Node
}

// pairs are the keys and values of n, whose own key is given. It reports keys that are no
// names, and those that come twice, and notes where each stands. No value at all is an empty
// mapping; ok is false for a node of another kind.
func (d *decoder) pairs(n ast.Node, key, wanted string) ([]pair, bool) {
	if isNull(n) {
		return nil, true
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		d.misplaced(n, key, wanted)
		return nil, false
	}
	var out []pair
	first := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		p, ok := d.pair(it.KeyValue(), key)
		if !ok {
			continue
		}
		if line := first[p.key]; line > 0 {
			d.hide(p.node)
			d.duplicate(join(key, p.key), p, line)
			continue
		}
		first[p.key] = p.at.line
		d.places[join(key, p.key)] = p.at
		out = append(out, p)
	}
	return out, true
}

// pair reads one key. A key is a plain or quoted name.
func (d *decoder) pair(kv *ast.MappingValueNode, parent string) (pair, bool) {
	where := at(kv.Key.GetToken())
	switch k := kv.Key.(type) {
	case *ast.StringNode:
		return pair{key: k.Value, at: where, node: kv.Value}, true
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
		return pair{key: k.GetToken().Value, at: where, node: kv.Value}, true
	}
	d.hide(kv)
	problem := "has a key that is no name"
	if kv.Key.IsMergeKey() {
		problem = "has a YAML merge key (<<), which is not supported; write the keys themselves"
	}
	d.mistake(parent, where, problem)
	return pair{}, false
}

// duplicate reports a key that stands twice. Both are named: which of them was meant, only their author knows.
func (d *decoder) duplicate(key string, p pair, line int) {
	d.mistake(key, p.at, fmt.Sprintf("is given twice, first in line %d; keep one of them", line))
}
