package compose

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// JSON is read here rather than by encoding/json, which takes three times as long for what a shape needs, more than a composed answer saves; and which
// has no bounds. FuzzDecode holds the two against each other.

// decoder goes through one JSON text (RFC 8259).
type decoder struct {
	text  string
	at    int
	depth int
	keep  bool // make values; else only look
}

// decode reads exactly one JSON value, in UTF-8, of bounded depth, with bounded numbers. Numbers stay as they are written: 1.0 and 12345678901234567890
// would lose something. Of two members with one name the last counts. Without keep the value is not made.
func decode(body []byte, keep bool) (any, error) {
	if !utf8.Valid(body) {
		return nil, errText
	}
	d := decoder{text: string(body), keep: keep}
	v, err := d.value()
	if err == nil && d.next() != 0 {
		err = errNotJSON
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// next is the next character that is no white space; 0 at the end. It stays where it is. A NUL is no JSON, but within text, which does not look here.
func (d *decoder) next() byte {
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; c {
		case ' ', '\t', '\n', '\r':
		case 0:
			return '?'
		default:
			return c
		}
	}
	return 0
}

// take takes c, if it is next.
func (d *decoder) take(c byte) bool {
	if d.next() != c {
		return false
	}
	d.at++
	return true
}

func (d *decoder) value() (any, error) {
	switch c := d.next(); {
	case c == '"':
		return d.boxed()
	case c == '{' || c == '[':
		if d.depth++; d.depth > maxDepth {
			return nil, errDeep
		}
		d.at++
		read := d.list
		if c == '{' {
			read = d.object
		}
		v, err := read()
		d.depth--
		return v, err
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	}
	return d.word()
}

// words are the values that are words.
var words = [...]struct {
	text  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

func (d *decoder) word() (any, error) {
	for _, w := range words {
		if strings.HasPrefix(d.text[d.at:], w.text) {
			d.at += len(w.text)
			return w.value, nil
		}
	}
	return nil, errNotJSON
}

func (d *decoder) object() (any, error) {
	var m map[string]any
	if d.keep {
		m = map[string]any{}
	}
	for first := true; !d.take('}'); first = false {
		if !first && !d.take(',') || d.next() != '"' {
			return nil, errNotJSON
		}
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		if !d.take(':') {
			return nil, errNotJSON
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		if d.keep {
			m[name] = v
		}
	}
	return m, nil
}

func (d *decoder) list() (any, error) {
	l := []any{}
	for first := true; !d.take(']'); first = false {
		if !first && !d.take(',') {
			return nil, errNotJSON
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		if d.keep {
			l = append(l, v)
		}
	}
	return l, nil
}

// boxed is a string as a value.
func (d *decoder) boxed() (any, error) {
	s, err := d.string()
	if err != nil || !d.keep {
		return nil, err
	}
	return s, nil
}

// string reads a text; the next character is its quotation mark. One without escapes is a part of the whole, not a copy.
func (d *decoder) string() (string, error) {
	start, escaped := d.at, false
	for d.at++; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; {
		case c == '"':
			d.at++
			if !escaped {
				return d.text[start+1 : d.at-1], nil
			}
			var s string
			if json.Unmarshal([]byte(d.text[start:d.at]), &s) != nil {
				return "", errNotJSON
			}
			return s, nil
		case c == '\\':
			escaped = true
			d.at++
		case c < ' ':
			return "", errNotJSON
		}
	}
	return "", errNotJSON
}

// number reads a number.
func (d *decoder) number() (any, error) {
	start := d.at
	if d.text[d.at] == '-' {
		d.at++
	}
	zero, n := d.is('0'), d.digits()
	ok := n == 1 || n > 1 && !zero
	if ok && d.is('.') {
		d.at++
		ok = d.digits() > 0
	}
	if ok && (d.is('e') || d.is('E')) {
		d.at++
		if d.is('+') || d.is('-') {
			d.at++
		}
		ok = d.digits() > 0
	}
	switch {
	case !ok:
		return nil, errNotJSON
	case d.at-start > maxNumber:
		return nil, errNumber
	case !d.keep:
		return nil, nil
	}
	return json.Number(d.text[start:d.at]), nil
}

func (d *decoder) is(c byte) bool { return d.at < len(d.text) && d.text[d.at] == c }

// digits goes over digits, and says how many they are.
func (d *decoder) digits() (n int) {
	for ; d.at < len(d.text) && d.text[d.at] >= '0' && d.text[d.at] <= '9'; d.at++ {
		n++
	}
	return n
}
