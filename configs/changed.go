package configs

import "reflect"

// Changed names the keys in which two configurations differ: server.listen, session.cookie.name. Lists and maps, such as routes and
// providers, are named as a whole.
func Changed(before, after *Config) []string {
	return changed(reflect.ValueOf(*before), reflect.ValueOf(*after), "")
}

func changed(before, after reflect.Value, key string) (keys []string) {
	if before.Kind() != reflect.Struct {
		if !reflect.DeepEqual(before.Interface(), after.Interface()) {
			keys = []string{key}
		}
		return keys
	}
	for _, f := range fields(before.Type()) {
		sub := key
		if !f.inline {
			sub = join(key, f.key)
		}
		keys = append(keys, changed(before.Field(f.index), after.Field(f.index), sub)...)
	}
	return keys
}
