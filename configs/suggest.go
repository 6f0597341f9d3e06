package configs

import (
	"fmt"
	"reflect"
	"strings"
)

// unknown says what is wrong with a key of the mapping parent.
func (d *decoder) unknown(parent, key string, known []string) string {
	if _, _, ok := find(reflect.ValueOf(Config{}), key); ok && d.included && parent == "" {
		return fmt.Sprintf("belongs into the main file; a file that it includes has only %s", strings.Join(known, ", "))
	}
	if problem := d.elsewhere(parent, key, known); problem != "" {
		return problem
	}
	return unknown(key, known)
}

// elsewhere is for whoever took a configuration for a file of expectations, or the other way round.
func (d *decoder) elsewhere(parent, key string, known []string) string {
	if parent != "" {
		return ""
	}
	switch d.root.Type() {
	case reflect.TypeFor[Expectations]():
		if _, _, ok := find(reflect.ValueOf(Config{}), key); !ok {
			return ""
		}
		return fmt.Sprintf("belongs into the configuration, which --config names; a file of expectations has only %s", strings.Join(known, ", "))
	case reflect.TypeFor[Config]():
		if key != "users" && key != "tests" {
			return ""
		}
		return fmt.Sprintf("belongs into a file of expectations, which is an argument of cloakroom test; known here: %s", strings.Join(known, ", "))
	}
	return ""
}

// unknown says what is wrong with a key that nobody knows, and which one may have been meant:
// the most similar of its neighbours, or the same key where it does belong.
func unknown(key string, known []string) string {
	if best := nearest(key, known); best != "" {
		return fmt.Sprintf("unknown key %q, did you mean %q?", key, best)
	}
	if elsewhere := whole(key); elsewhere != "" {
		return fmt.Sprintf("unknown key %q here, did you mean %q?", key, elsewhere)
	}
	return fmt.Sprintf("unknown key %q; known here: %s", key, strings.Join(known, ", "))
}

// whole is the whole key that ends in key, such as server.public_url for public_url: of several the one that lies least deep, of those the first.
func whole(key string) string {
	found := ""
	keys(reflect.TypeFor[Config](), "", func(path string, f field) {
		if f.key == key && (found == "" || strings.Count(path, ".") < strings.Count(found, ".")) {
			found = path
		}
	})
	return found
}

// nearest is the word of known that is most similar to word, or empty if none is similar.
func nearest(word string, known []string) string {
	best, least := "", 1+max(1, len(word)/3)
	for _, k := range known {
		if n := distance(plainWord(word), plainWord(k)); n < least {
			best, least = k, n
		}
	}
	return best
}

// plainWord takes away in what ways people write the same word: clientId, client-id, client_id.
func plainWord(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// distance is how many letters must be added, dropped, changed or swapped with their neighbour to make b of a
// (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}
