package configs

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder reads one file. It goes on after a mistake, so that all are reported at once.
type decoder struct {
	system
	dir      string // where relative paths start
	included bool   // by the main file
	source   source
	root     reflect.Value // what the whole file is read into
	mistakes []Mistake
	places   map[string]place // of every key that the file has, and of those that it has by its defaults
	used     []string         // the files that it names
}

// value reads n into v. The key's place is already known.
func (d *decoder) value(v reflect.Value, n ast.Node, key string, f field) {
	if _, list := n.(*ast.SequenceNode); f.secret && !list && !fromElsewhere(n) {
		d.hide(n) // of a list, every item by itself
	}
	if problem := unsupported(n); problem != "" {
		d.hide(n)
		d.report(key, d.places[key], problem)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if f.short != "" {
			d.anew(v, key)
		}
		if _, _, one := scalarText(n); one && f.short != "" && !isNull(n) {
			v, f, _ = find(v, f.short)
			d.value(v, n, key, f)
			return
		}
		d.mapping(v, n, key, f)
	case reflect.Map:
		d.entries(v, n, key, f)
	case reflect.Slice:
		d.items(v, n, key, f)
	case reflect.Interface:
		d.anything(v, n, key)
	default:
		d.scalar(v, n, key, f)
	}
}

// elsewhere is a value that comes from elsewhere as a whole. Its name is no secret, and helps to find what is wrong.
var elsewhere = regexp.MustCompile(`^\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^${}]+)\}$`)

func fromElsewhere(n ast.Node) bool {
	text, _, ok := scalarText(n)
	return ok && elsewhere.MatchString(text)
}

// mapping reads keys and values into a struct.
func (d *decoder) mapping(v reflect.Value, n ast.Node, key string, f field) {
	pairs, ok := d.pairs(n, key, "keys and values")
	if !ok {
		return
	}
	if f.filled && len(pairs) == 0 {
		d.report(key, d.places[key], "is empty"+f.suchAs())
	}
	if key == "" {
		defaultsFirst(pairs)
	}
	for _, e := range pairs {
		sub, f, ok := find(v, e.key)
		if !ok {
			d.hide(e.node) // a misspelt key may well be a secret's
			if !d.full() { // to find what was meant takes long
				d.report(join(key, e.key), e.at, d.unknown(key, e.key, known(v.Type())))
			}
			continue
		}
		d.value(sub, e.node, join(key, e.key), f)
	}
	d.missing(v.Type(), key)
}

// missing reports the required keys that a mapping does not have, at the mapping's own place.
func (d *decoder) missing(t reflect.Type, key string) {
	for _, f := range fields(t) {
		sub := t.Field(f.index).Type
		_, given := d.places[join(key, f.key)]
		switch {
		case f.inline:
			d.missing(sub, key)
		case f.required && !given:
			d.report(join(key, f.key), d.places[key], "is missing"+f.suchAs())
		case sub.Kind() == reflect.Struct && !given:
			d.places[join(key, f.key)] = d.places[key]
			d.missing(sub, join(key, f.key))
		}
	}
}

// suchAs is an example of the key, where it has one.
func (f field) suchAs() string {
	if f.example == "" {
		return ""
	}
	return fmt.Sprintf("; write, for example, %s: %s", f.key, f.example)
}

// entries reads names and values into a map.
func (d *decoder) entries(v reflect.Value, n ast.Node, key string, f field) {
	v.Set(reflect.MakeMap(v.Type()))
	pairs, ok := d.pairs(n, key, "names and values")
	for _, e := range pairs {
		item := reflect.New(v.Type().Elem()).Elem()
		setDefaults(item)
		d.value(item, e.node, join(key, e.key), field{secret: f.secret, template: f.template})
		v.SetMapIndex(reflect.ValueOf(e.key), item)
	}
	if ok && f.required && v.Len() == 0 {
		d.report(key, d.places[key], "is empty"+f.suchAs())
	}
}

// items reads a list.
func (d *decoder) items(v reflect.Value, n ast.Node, key string, f field) {
	seq, ok := n.(*ast.SequenceNode)
	var values []ast.Node
	switch {
	case ok:
		values = seq.Values
	case isNull(n):
	case f.single:
		values = []ast.Node{n}
	default:
		d.misplaced(n, key, "a list, such as [a, b]")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(values)))
	for i, e := range values {
		item := reflect.New(v.Type().Elem()).Elem()
		setDefaults(item)
		sub := fmt.Sprintf("%s[%d]", key, i)
		d.places[sub] = at(firstToken(e))
		if key == "routes" {
			d.inherit(item, sub)
		}
		d.value(item, e, sub, field{secret: f.secret, enum: f.enum, short: f.short, required: true})
		if key == "routes" {
			d.disinherit(item, sub)
		}
		v.Set(reflect.Append(v, item))
	}
	if f.required && v.Len() == 0 {
		d.report(key, d.places[key], "is empty"+f.suchAs())
	}
}

// scalar reads a single value.
func (d *decoder) scalar(v reflect.Value, n ast.Node, key string, f field) {
	text, kind, ok := scalarText(n)
	if !ok {
		d.misplaced(n, key, "one value")
		return
	}
	if problem := d.unfit(v, n, text, kind, f); problem != "" {
		d.report(key, d.places[key], problem)
		return
	}
	text, done, err := d.expand(text, f.template)
	if err == nil {
		err = setScalar(v, text)
	}
	if err != nil {
		d.report(key, d.places[key], err.Error())
		return
	}
	where := d.places[key]
	where.expanded = done
	d.places[key] = where
	d.constraints(v, key, f)
}

// unfit says why a scalar cannot be what v wants, before anything is expanded.
func (d *decoder) unfit(v reflect.Value, n ast.Node, text, kind string, f field) string {
	switch {
	case kind == "nothing":
		return "has no value; give it one, or leave the key out"
	case strings.Contains(text, "\n") || severalLines(n):
		d.hide(n) // a quote that was never closed swallows the lines below, whatever they hold
		return "has a line break; write it in one line, or fold the lines with >-"
	case v.Kind() == reflect.String && kind != "text" && f.example != "":
		return fmt.Sprintf("is %s to YAML where text is wanted, such as %s; if it is meant as it stands, put it in quotes", kind, f.example)
	case v.Kind() == reflect.String && kind != "text":
		return fmt.Sprintf("is %s to YAML where text is wanted; put it in quotes", kind)
	}
	return ""
}

// severalLines tells whether a plain or quoted scalar goes over the end of its line.
func severalLines(n ast.Node) bool {
	_, literal := n.(*ast.LiteralNode)
	return !literal && strings.Contains(strings.TrimSpace(n.GetToken().Origin), "\n")
}

// constraints holds a value against the tags of its field.
func (d *decoder) constraints(v reflect.Value, key string, f field) {
	if v.Kind() != reflect.String {
		return
	}
	text := v.String()
	switch {
	case f.required && text == "":
		d.report(key, d.places[key], "is empty"+f.suchAs())
	case f.enum != nil && !contains(f.enum, text):
		d.report(key, d.places[key], d.redact(key, notOneOf(text, f.enum)))
	case f.file != "" && text != "":
		v.SetString(d.resolve(text))
		d.exists(key, v.String(), f.file)
	}
}

// exists checks that a named file or folder is there, so that `check` finds it and not the first user.
func (d *decoder) exists(key, path, kind string) {
	if kind == "true" {
		d.used = append(d.used, path)
	}
	info, err := d.stat(path)
	switch {
	case err != nil:
		d.report(key, d.places[key], fmt.Sprintf("%s; the path starts at the folder of this file", reason(err)))
	case kind == "dir" && !info.IsDir():
		d.report(key, d.places[key], "is a file where a folder is wanted")
	case kind != "dir" && info.IsDir():
		d.report(key, d.places[key], "is a folder where a file is wanted")
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func notOneOf(text string, enum []string) string {
	problem := fmt.Sprintf("%q is not one of %s", shorten(text), strings.Join(enum, ", "))
	if best := nearest(text, enum); best != "" {
		problem += fmt.Sprintf("; did you mean %q?", best)
	}
	return problem
}

// misplaced reports a node of the wrong shape. What was put there is anyone's guess, perhaps a secret.
func (d *decoder) misplaced(n ast.Node, key, wanted string) {
	d.hide(n)
	d.report(key, d.places[key], fmt.Sprintf("is %s where %s should be", shape(n), wanted))
}

func isNull(n ast.Node) bool {
	_, null := n.(*ast.NullNode)
	return n == nil || null
}

// redact puts what was written in the place of what a ${…} brought: the environment and other files
// are where secrets live, so their contents are not repeated even where a plain value is expected.
func (d *decoder) redact(key, problem string) string {
	for _, e := range d.places[key].expanded {
		if e.brought == "" {
			continue
		}
		problem = strings.ReplaceAll(problem, e.brought, e.written)
		quoted := fmt.Sprintf("%q", e.brought)
		problem = strings.ReplaceAll(problem, quoted[1:len(quoted)-1], e.written)
	}
	return userinfo.ReplaceAllString(problem, "//"+mask+"@")
}
