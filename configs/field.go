package configs

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"cloakroom/configs/secret"
)

// field is what a struct field's tags say about its key. The doc comment of the package explains them.
type field struct {
	index    int
	key      string
	def      string
	hasDef   bool
	required bool
	example  string
	enum     []string
	file     string
	short    string
	single   bool
	filled   bool
	secret   bool
	template bool
	inline   bool
}

// fields are the keys of a struct type, without those of its inline ones. Nobody changes the list.
func fields(t reflect.Type) []field {
	if known, ok := everyType()[t]; ok {
		return known
	}
	return readFields(t)
}

// everyType are the fields of all types that a file may have: tags are read once, and not again for each route.
var everyType = sync.OnceValue(func() map[reflect.Type][]field {
	all := map[reflect.Type][]field{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Slice, reflect.Map:
			add(t.Elem())
		case reflect.Struct:
			if _, ok := all[t]; ok {
				return
			}
			all[t] = readFields(t)
			for _, f := range all[t] {
				add(t.Field(f.index).Type)
			}
		}
	}
	add(reflect.TypeFor[Config]())
	add(reflect.TypeFor[Expectations]())
	return all
})

func readFields(t reflect.Type) []field {
	out := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		if t.Field(i).IsExported() { // the others are no keys
			out = append(out, fieldOf(i, t.Field(i)))
		}
	}
	return out
}

func fieldOf(i int, sf reflect.StructField) field {
	name, option, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
	f := field{
		index: i, key: name, inline: option == "inline",
		required: sf.Tag.Get("required") == "true",
		example:  sf.Tag.Get("example"),
		file:     sf.Tag.Get("file"),
		short:    sf.Tag.Get("short"),
		single:   sf.Tag.Get("single") == "true",
		filled:   sf.Tag.Get("filled") == "true",
		secret:   sf.Tag.Get("secret") == "true" || isSecret(sf.Type),
	}
	f.template = sf.Tag.Get("template") != ""
	f.def, f.hasDef = sf.Tag.Lookup("default")
	if enum := sf.Tag.Get("enum"); enum != "" {
		f.enum = strings.Split(enum, ",")
	}
	return f
}

// isSecret tells whether values of type t are secret by themselves, whatever the tags say.
func isSecret(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		return isSecret(t.Elem())
	default:
		return t == reflect.TypeFor[secret.String]()
	}
}

// known are the keys that a struct type takes, those of its inline fields included.
func known(t reflect.Type) []string {
	var out []string
	for _, f := range fields(t) {
		if f.inline {
			out = append(out, known(t.Field(f.index).Type)...)
			continue
		}
		out = append(out, f.key)
	}
	return out
}

// find is the field of v with this key, looked up in the inline ones too.
func find(v reflect.Value, key string) (reflect.Value, field, bool) {
	for _, f := range fields(v.Type()) {
		if f.inline {
			if sub, g, ok := find(v.Field(f.index), key); ok {
				return sub, g, true
			}
			continue
		}
		if f.key == key {
			return v.Field(f.index), f, true
		}
	}
	return reflect.Value{}, field{}, false
}

// keys calls visit for every key below t, with names and numbers written as in `providers.NAME.issuer`
// and `routes[].path`.
func keys(t reflect.Type, path string, visit func(path string, f field)) {
	switch t.Kind() {
	case reflect.Slice:
		keys(t.Elem(), path+"[]", visit)
	case reflect.Map:
		keys(t.Elem(), path+".NAME", visit)
	case reflect.Struct:
		for _, f := range fields(t) {
			if f.inline {
				keys(t.Field(f.index).Type, path, visit)
				continue
			}
			sub := join(path, f.key)
			visit(sub, f)
			keys(t.Field(f.index).Type, sub, visit)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Default is a T with every default of its tags filled in, as the loader starts with. T is Config
// or any part of it, for tests and programs that make a configuration without a file.
func Default[T any]() T {
	var t T
	setDefaults(reflect.ValueOf(&t).Elem())
	return t
}

// setDefaults fills in the defaults below v. A default that does not fit its field is a mistake in the
// program, which a test finds: it panics.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for _, f := range fields(v.Type()) {
		sub := v.Field(f.index)
		setDefaults(sub)
		if !f.hasDef {
			continue
		}
		if err := setDefault(sub, f.def); err != nil {
			panic(fmt.Sprintf("default of %s.%s: %v", v.Type(), f.key, err))
		}
	}
}

// setDefault reads the text of a default tag. Lists are [a, b]; maps are {}, always empty.
func setDefault(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		return nil
	case reflect.Slice:
		items := list(text)
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, item := range items {
			if err := setScalar(v.Index(i), item); err != nil {
				return err
			}
		}
		return nil
	default:
		return setScalar(v, text)
	}
}

func list(text string) []string {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if text == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
