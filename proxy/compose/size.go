package compose

import (
	"encoding/json"
	"math/big"
)

// fits reports whether v takes no more than *left bytes as JSON, escapes aside. It stops where that is clear: `. as $x | [$x, $x]` and so on takes no memory,
// but doubles what is written each time.
func fits(v any, left *int) bool {
	*left-- // a comma, a colon, or a bracket
	switch v := v.(type) {
	case string:
		*left -= len(v) + 2
	case json.Number:
		*left -= len(v)
	case *big.Int:
		*left -= v.BitLen() / 4
	case []any:
		for _, item := range v {
			if *left < 0 || !fits(item, left) {
				return false
			}
		}
	case map[string]any:
		for name, item := range v {
			*left -= len(name) + 2
			if *left < 0 || !fits(item, left) {
				return false
			}
		}
	}
	return *left >= 0
}
