package edge

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rule of this file: there is exactly one way to read a path that gets through. Whoever decodes it once more, or
// cleans it, or folds its letters, ends at the same place. So the checks and the upstream cannot disagree about what
// was asked for (PRX-20), and nothing here is repaired that could have been meant in two ways: it is refused.

// MaxPath is the longest path in bytes that gets through.
const MaxPath = 8 << 10

// CanonicalPath gives the request one canonical path or answers 400: behind it r.URL.Path holds the decoded
// path, r.URL.EscapedPath() the only encoding of it that goes on, and the query is one that every parser can read.
func CanonicalPath() Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			code, reason := Canonicalize(r)
			if reason != "" {
				From(r.Context()).Reason = reason
				Answer(w, r, &Problem{Code: code})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Canonicalize writes the canonical path into r, or returns the code of the problem and the reason why there is none.
func Canonicalize(r *http.Request) (code, reason string) {
	u := r.URL
	raw := u.RawPath // as it was sent, if that is not the default encoding of Path
	if raw == "" {
		raw = u.EscapedPath()
	}
	path, encoded, reason := Canonical(raw)
	if reason != "" {
		return "bad_request_path", reason
	}
	if reason := CanonicalQuery(u.RawQuery); reason != "" {
		return "bad_query", reason
	}
	if path == u.Path && encoded == raw { // nearly every request
		return "", ""
	}
	u.Path, u.RawPath = path, ""
	if u.EscapedPath() != encoded {
		u.RawPath = encoded
	}
	r.RequestURI = u.RequestURI()
	return "", ""
}

// Canonical reads the path of a request's target as it was sent. It returns the path decoded once, and its
// canonical encoding: unreserved characters plain (RFC 3986, section 6.2.2.2), hexadecimal digits in upper case, all
// other escapes as they were sent. Case and a trailing slash are kept. Otherwise it returns why the path is refused.
func Canonical(raw string) (path, encoded, reason string) {
	switch {
	case raw == "" || raw[0] != '/':
		return "", "", "path_not_absolute" // also * and the authority of a CONNECT
	case len(raw) > MaxPath:
		return "", "", "path_too_long"
	}
	path, encoded = raw, raw
	if !plain(raw) {
		if path, encoded, reason = decode(raw); reason != "" {
			return "", "", reason
		}
		if reason = badText(path); reason != "" {
			return "", "", reason
		}
	}
	if reason = badSegments(path); reason != "" {
		return "", "", reason
	}
	return path, encoded, ""
}

// plain reports whether s has only characters that stand for themselves.
func plain(s string) bool {
	for i := range len(s) {
		if !pathByte(s[i]) {
			return false
		}
	}
	return true
}

// unreserved is RFC 3986, section 2.3.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// pathByte is what may stand in a path as it is (RFC 3986, section 3.3), but for ; which some servers cut a path at.
func pathByte(c byte) bool {
	return unreserved(c) || c == '/' || strings.IndexByte("!$&'()*+,:=@", c) >= 0
}

// decode takes the escapes off, once.
func decode(raw string) (path, encoded, reason string) {
	p, e := make([]byte, 0, len(raw)), make([]byte, 0, len(raw)+16)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		escaped := c == '%'
		if escaped {
			if i+2 >= len(raw) || unhex(raw[i+1]) < 0 || unhex(raw[i+2]) < 0 {
				return "", "", "path_bad_escape"
			}
			c = byte(unhex(raw[i+1])<<4 | unhex(raw[i+2]))
			i += 2
		}
		if reason := badByte(c, escaped); reason != "" {
			return "", "", reason
		}
		p = append(p, c)
		if unreserved(c) || !escaped && pathByte(c) {
			e = append(e, c)
		} else { // what is no path character and was sent plain, such as | or a raw UTF-8 letter, is escaped here
			e = append(e, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(p), string(e), ""
}

// badByte says why a byte has no place in a path. Escaped or not is the same to us; the reason tells them apart.
func badByte(c byte, escaped bool) string {
	switch c {
	case '\\', ';', '#', '?':
	case '/':
		if !escaped {
			return ""
		}
	case '%': // decoded: somebody further on may decode again
		return "path_encoded_percent"
	default:
		if c < 0x20 || c == 0x7f {
			return "path_control_character"
		}
		return ""
	}
	if escaped {
		return "path_encoded_delimiter"
	}
	return "path_delimiter"
}

// badText says why the decoded path is not text. Overlong forms such as C0 AE are not UTF-8.
func badText(path string) string {
	if !utf8.ValidString(path) {
		return "path_not_utf8"
	}
	for _, c := range path {
		switch {
		case c >= 0x80 && unicode.IsControl(c):
			return "path_control_character"
		case strings.ContainsRune(slashAlikes, c):
			return "path_slash_alike"
		}
	}
	return ""
}

// Characters that become a slash or backslash, or dots alone, where a server applies Unicode's compatibility
// forms (NFKC). A test compares these with Unicode's tables.
const (
	slashAlikes = "\u2100\u2101\u2105\u2106\uFE68\uFF0F\uFF3C"
	dotAlikes   = "\u2024\u2025\u2026\uFE19\uFE30\uFE52\uFF0E"
)

// badSegments refuses empty segments and those that mean "here" or "up" to somebody: dots alone, and dots
// with spaces, which Windows drops.
func badSegments(path string) string {
	if strings.Contains(path, "//") {
		return "path_empty_segment"
	}
	for rest := path[1:]; rest != ""; {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		if dots(segment) {
			return "path_dot_segment"
		}
	}
	return ""
}

// dots reports whether a segment is made of dots, their look-alikes and spaces, with a dot among them.
func dots(segment string) bool {
	if segment == "" || segment[0] != '.' && segment[0] != ' ' && segment[0] < 0x80 {
		return false // nearly every segment
	}
	dot := false
	for _, c := range segment {
		switch {
		case c == '.' || strings.ContainsRune(dotAlikes, c):
			dot = true
		case c != ' ' && !unicode.IsSpace(c):
			return false
		}
	}
	return dot
}

const upperHex = "0123456789ABCDEF"

// unhex returns a hexadecimal digit's value, or -1.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
