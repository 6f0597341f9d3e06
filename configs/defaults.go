package configs

import (
	"reflect"
	"slices"
)

// defaultsFirst moves the defaults of a file before its routes, wherever they stand in it.
func defaultsFirst(pairs []pair) {
	slices.SortStableFunc(pairs, func(a, b pair) int {
		switch {
		case a.key == "defaults" && b.key != "defaults":
			return -1
		case b.key == "defaults" && a.key != "defaults":
			return 1
		}
		return 0
	})
}

// inherit gives a route, before it is read, what the defaults of its file say. What they do not say keeps its own default.
func (d *decoder) inherit(route reflect.Value, key string) {
	if defaults, _, ok := find(d.root, "defaults"); ok {
		d.inheritFrom(defaults, "defaults", route, key)
	}
}

// inheritFrom copies the keys that the file has below fromKey, and remembers where they stand: a mistake in one is a mistake there.
// A list is copied as a whole, of a section each key by itself.
func (d *decoder) inheritFrom(from reflect.Value, fromKey string, to reflect.Value, toKey string) {
	for _, f := range fields(from.Type()) {
		if f.inline { // its keys are those of what it lies in
			d.inheritFrom(from.Field(f.index), fromKey, to, toKey)
			continue
		}
		where, given := d.places[join(fromKey, f.key)]
		value, sub := from.Field(f.index), join(toKey, f.key)
		target, _, known := find(to, f.key)
		if !given || !known {
			continue
		}
		where.key = join(fromKey, f.key)
		d.places[sub] = where
		if f.short != "" && value.Kind() == reflect.Struct { // one word or a section: it means one thing as a whole
			target.Set(value)
			d.inheritPlaces(value.Type(), where.key, sub)
			continue
		}
		if value.Kind() == reflect.Struct {
			d.inheritFrom(value, where.key, target, sub)
			continue
		}
		target.Set(value)
	}
}

// inheritPlaces remembers where the keys of a section stand that was copied as a whole.
func (d *decoder) inheritPlaces(t reflect.Type, from, to string) {
	for _, f := range fields(t) {
		if where, given := d.places[join(from, f.key)]; given {
			where.key = join(from, f.key)
			d.places[join(to, f.key)] = where
		}
	}
}

// anew makes a section what it is where nothing is said, whatever it was by the defaults of the file.
func (d *decoder) anew(v reflect.Value, key string) {
	v.SetZero()
	setDefaults(v)
	for _, f := range fields(v.Type()) {
		delete(d.places, join(key, f.key))
	}
}

// insteadOf names what a route may have instead of a key. A route that has one of them does not want the key from its file's defaults.
var insteadOf = map[string][]string{"upstream": {"upstreams", "compose"}, "strip_prefix": {"compose"}}

// disinherit takes from a route, after it was read, the defaults that what it says itself stands in place of.
func (d *decoder) disinherit(route reflect.Value, key string) {
	for inherited, others := range insteadOf {
		where := d.places[join(key, inherited)]
		for _, other := range others {
			own, given := d.places[join(key, other)]
			value, _, known := find(route, inherited)
			if given && own.key == "" && where.key != "" && known {
				value.SetZero()
				delete(d.places, join(key, inherited))
			}
		}
	}
}
