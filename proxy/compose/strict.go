package compose

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth bounds how deep a leg's values lie in each other: nobody means more, and what walks through them calls itself once a level.
	maxDepth = 64
	// maxNumber bounds a number's characters: arithmetic with thousands of digits takes its time.
	maxNumber = 64
)

// What is wrong with an answer, without a word of it.
var (
	errNotJSON = errors.New("is no JSON")
	errText    = errors.New("is not UTF-8")
	errDeep    = errors.New("is nested too deeply")
	errNumber  = errors.New("has a number with too many digits")
	errEncoded = errors.New("is compressed, which was not asked for")
)

// typed holds an answer's type against what a leg must be: JSON in UTF-8, not compressed.
func typed(h http.Header) error {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return errEncoded
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	switch {
	case err != nil || len(h["Content-Type"]) != 1:
		return errNotJSON
	case kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")):
		return errNotJSON
	case charset != "" && !strings.EqualFold(charset, "utf-8"):
		return errText
	}
	return nil
}

// strict holds a body against what is taken: exactly one JSON value, in UTF-8, of bounded depth, with bounded numbers.
func strict(body []byte) error {
	switch {
	case !utf8.Valid(body):
		return errText
	case !json.Valid(body): // which goes through the text once, without calling itself
		return errNotJSON
	}
	return bounded(body)
}

// bounded looks at depth and numbers of valid JSON.
func bounded(body []byte) error {
	depth, digits := 0, 0
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			digits = 0
			for i++; body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return errDeep
			}
			digits = 0
		case c == ']' || c == '}':
			depth--
			digits = 0
		case c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E':
			if digits++; digits > maxNumber {
				return errNumber
			}
		default:
			digits = 0
		}
	}
	return nil
}

// decode reads a body that strict has taken. Numbers stay as they are written: 1.0 and 12345678901234567890 would lose something.
func decode(body []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}
