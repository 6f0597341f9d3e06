package schema

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Parsing, the rule: what two parsers could read in two ways is refused. So exactly one value, no key twice, UTF-8 only and no half of a
// surrogate pair, no byte order mark; numbers that a float64 can hold, in a bearable number of digits (1e1000000 would cost an exact validator 41 ms);
// and bounds on depth and on the number of values, because a validator's work and its list of errors grow with them.

// The bounds of a body beside its size in bytes.
const (
	MaxDepth  = 64
	MaxValues = 50_000
	maxNumber = 40
)

// malformed is why bytes are no acceptable JSON, and where in the value.
type malformed struct {
	reason, detail string
	path           []string // innermost first
}

func (m *malformed) Error() string { return m.reason }

func notJSON() *malformed { return &malformed{reason: ReasonNotJSON, detail: "is not JSON"} }

// parser reads JSON into what encoding/json with UseNumber makes of it.
type parser struct {
	data      []byte
	maxDepth  int
	maxValues int
	at        int
	depth     int
	values    int
	malformed *malformed // set once; everything returns when it is
}

// parse reads a body as one JSON value.
func parse(data []byte) (any, *malformed) {
	p := &parser{data: data, maxDepth: MaxDepth, maxValues: MaxValues}
	v := p.all()
	return v, p.malformed
}

// all reads one value and nothing behind it.
func (p *parser) all() any {
	p.space()
	v := p.value()
	p.space()
	if p.malformed == nil && p.at < len(p.data) {
		p.fail(&malformed{reason: ReasonNotJSON, detail: "has something behind the value"})
	}
	return v
}

func (p *parser) fail(m *malformed) any {
	if p.malformed == nil {
		p.malformed = m
	}
	return nil
}

func (p *parser) space() {
	for p.at < len(p.data) && (p.data[p.at] == ' ' || p.data[p.at] == '\n' || p.data[p.at] == '\r' || p.data[p.at] == '\t') {
		p.at++
	}
}

// peek is the next byte, 0 at the end; NUL is no JSON either.
func (p *parser) peek() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *parser) value() any {
	if p.values++; p.values > p.maxValues {
		return p.fail(&malformed{reason: ReasonTooMany, detail: "has too many values"})
	}
	switch c := p.peek(); {
	case c == '{':
		return p.nested(p.object)
	case c == '[':
		return p.nested(p.array)
	case c == '"':
		return p.text()
	case c == '-' || digit(c):
		return p.number()
	case p.word("true"):
		return true
	case p.word("false"):
		return false
	case p.word("null"):
		return nil
	}
	return p.fail(notJSON())
}

func (p *parser) word(w string) bool {
	if len(p.data)-p.at < len(w) || string(p.data[p.at:p.at+len(w)]) != w {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) nested(read func() any) any {
	if p.depth++; p.depth > p.maxDepth {
		return p.fail(&malformed{reason: ReasonTooDeep, detail: "is nested too deeply"})
	}
	p.at++
	v := read()
	p.depth--
	return v
}

func (p *parser) object() any {
	m := map[string]any{}
	for p.space(); p.peek() != '}' || len(m) > 0; p.space() {
		if p.peek() != '"' {
			return p.fail(notJSON())
		}
		key := p.text()
		if p.space(); p.malformed != nil || !p.word(":") {
			return p.fail(notJSON())
		}
		if _, twice := m[key]; twice {
			return p.fail(&malformed{reason: ReasonDuplicateKey, detail: "is there twice", path: []string{key}})
		}
		p.space()
		if m[key] = p.value(); p.malformed != nil {
			p.malformed.path = append(p.malformed.path, key)
			return nil
		}
		if p.space(); !p.word(",") {
			break
		}
	}
	if !p.word("}") {
		return p.fail(notJSON())
	}
	return m
}

func (p *parser) array() any {
	a := []any{}
	for p.space(); p.peek() != ']' || len(a) > 0; p.space() {
		if a = append(a, p.value()); p.malformed != nil {
			p.malformed.path = append(p.malformed.path, strconv.Itoa(len(a)-1))
			return nil
		}
		if p.space(); !p.word(",") {
			break
		}
		p.space()
	}
	if !p.word("]") {
		return p.fail(notJSON())
	}
	return a
}

// text reads a string. Nearly all have no escapes and are taken as they stand.
func (p *parser) text() string {
	p.at++
	for start := p.at; p.at < len(p.data); p.at++ {
		switch c := p.data[p.at]; {
		case c == '"':
			p.at++
			return p.utf8(p.data[start : p.at-1])
		case c == '\\':
			return p.escaped(append(make([]byte, 0, p.at-start+32), p.data[start:p.at]...))
		case c < ' ':
			p.fail(notJSON())
			return ""
		}
	}
	p.fail(notJSON())
	return ""
}

func (p *parser) utf8(s []byte) string {
	if !utf8.Valid(s) {
		p.fail(&malformed{reason: ReasonNotUTF8, detail: "is not UTF-8"})
	}
	return string(s)
}

// escaped reads a string on from its first backslash.
func (p *parser) escaped(out []byte) string {
	for p.at < len(p.data) && p.malformed == nil {
		switch c := p.data[p.at]; {
		case c == '"':
			p.at++
			return p.utf8(out)
		case c == '\\':
			p.at++
			out = p.escape(out)
		case c < ' ':
			p.fail(notJSON())
		default:
			out = append(out, c)
			p.at++
		}
	}
	p.fail(notJSON())
	return ""
}

// escape reads what stands behind a backslash.
func (p *parser) escape(out []byte) []byte {
	c := p.peek()
	p.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		return utf8.AppendRune(out, p.unicode())
	}
	p.fail(notJSON())
	return out
}

// unicode reads four digits, or a pair of them. Half a pair is no character: parsers make different things of it.
func (p *parser) unicode() rune {
	r := p.hex()
	if !utf16.IsSurrogate(r) || p.malformed != nil {
		return r
	}
	if p.word(`\u`) {
		r = utf16.DecodeRune(r, p.hex())
	}
	if utf16.IsSurrogate(r) || r == utf8.RuneError {
		p.fail(&malformed{reason: ReasonNotUTF8, detail: "has half of a surrogate pair"})
	}
	return r
}

func (p *parser) hex() rune {
	if len(p.data)-p.at < 4 {
		p.fail(notJSON())
		return 0
	}
	n, err := strconv.ParseUint(string(p.data[p.at:p.at+4]), 16, 16)
	if err != nil {
		p.fail(notJSON())
	}
	p.at += 4
	return rune(n)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func (p *parser) digits() (some bool) {
	for ; digit(p.peek()); p.at++ {
		some = true
	}
	return some
}

// number reads a number as it is written.
func (p *parser) number() any {
	start, exponent := p.at, false
	p.word("-")
	if !p.word("0") && !p.digits() {
		return p.fail(notJSON())
	}
	if p.word(".") && !p.digits() {
		return p.fail(notJSON())
	}
	if p.word("e") || p.word("E") {
		exponent = true
		if !p.word("+") {
			p.word("-")
		}
		if !p.digits() {
			return p.fail(notJSON())
		}
	}
	text := string(p.data[start:p.at])
	if len(text) > maxNumber || exponent && beyondFloat(text) {
		return p.fail(&malformed{reason: ReasonNumber, detail: "is a number that is too large, too small or too long"})
	}
	return json.Number(text)
}

// beyondFloat reports whether a number with an exponent would be infinite to some parsers, or zero though it is not.
func beyondFloat(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return true
	}
	if f != 0 {
		return false
	}
	for i := 0; i < len(text) && text[i] != 'e' && text[i] != 'E'; i++ {
		if text[i] >= '1' && text[i] <= '9' {
			return true
		}
	}
	return len(text) > 8 // 0e99999999 is zero, and work to some
}
