package configs

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// anything reads a value of any shape, as JSON has them: claims, for one, are what a provider makes of them. Nothing in it is replaced.
func (d *decoder) anything(v reflect.Value, n ast.Node, key string) {
	if problem := unsupported(n); problem != "" {
		d.report(key, d.places[key], problem)
		return
	}
	switch node := n.(type) {
	case *ast.SequenceNode:
		list := make([]any, len(node.Values))
		for i, e := range node.Values {
			sub := fmt.Sprintf("%s[%d]", key, i)
			d.places[sub] = at(firstToken(e))
			d.anything(reflect.ValueOf(&list[i]).Elem(), e, sub)
		}
		v.Set(reflect.ValueOf(list))
		return
	case ast.MapNode:
		object := map[string]any{}
		pairs, _ := d.pairs(n, key, "names and values")
		for _, e := range pairs {
			var value any
			d.anything(reflect.ValueOf(&value).Elem(), e.node, join(key, e.key))
			object[e.key] = value
		}
		v.Set(reflect.ValueOf(object))
		return
	}
	if value := d.plainValue(n, key); value != nil {
		v.Set(reflect.ValueOf(value))
	}
}

// plainValue is a scalar as JSON has it.
func (d *decoder) plainValue(n ast.Node, key string) any {
	text, kind, _ := scalarText(n)
	switch kind {
	case "a number":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			d.report(key, d.places[key], "is a number that JSON does not have")
		}
		return f
	case "true or false":
		return text == "true"
	case "text":
		return text
	}
	return nil
}
