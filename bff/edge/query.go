package edge

// MaxParams is how many parameters a query may have. Go's own parser, which rules are checked with, stops there.
const MaxParams = 10_000

// CanonicalQuery says why a raw query is refused, or "". The query goes on exactly as it was sent, so what is left
// must read the same to every parser (PRX-25): no broken escapes, no control characters, no escaped NUL at which
// a parser may stop, no # at which an upstream may cut. A semicolon is an ordinary character.
func CanonicalQuery(raw string) (reason string) {
	params := 1
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '%':
			if i+2 >= len(raw) || unhex(raw[i+1]) < 0 || unhex(raw[i+2]) < 0 {
				return "query_bad_escape"
			}
			if raw[i+1] == '0' && raw[i+2] == '0' {
				return "query_control_character"
			}
			i += 2
		case c == '&':
			params++
		case c == '#':
			return "query_fragment"
		case c <= ' ' || c == 0x7f:
			return "query_control_character"
		}
	}
	if params > MaxParams {
		return "query_too_many_parameters"
	}
	return ""
}
