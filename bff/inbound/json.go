package inbound

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	// Its decoder refuses duplicate members and compares names exactly; encoding/json takes the last one, whatever its case (RFC 8725, section 2.4).
	jose "github.com/go-jose/go-jose/v4/json"
)

var errNotObject = errors.New("is not a JSON object with distinct members")

// decodeObject decodes exactly one JSON object; numbers stay jose.Number. Nesting is bounded by the decoder.
func decodeObject(data []byte) (map[string]any, error) {
	var v map[string]any
	dec := jose.NewDecoder(bytes.NewReader(data))
	dec.SetNumberType(jose.UnmarshalJSONNumber)
	if err := dec.Decode(&v); err != nil || v == nil {
		return nil, errNotObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errNotObject
	}
	return v, nil
}

// decodePart decodes base64url without padding. Strict: line breaks and stray bits at the end, which Go would skip, are refused.
func decodePart(part string) ([]byte, error) {
	if part == "" || strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("empty or with line breaks")
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}

// plain returns v with numbers as float64, as encoding/json decodes them: what leaves this package needs no other package's types.
func plain(v any) any {
	switch v := v.(type) {
	case jose.Number:
		f, err := v.Float64()
		if err != nil {
			return nil // beyond float64, so that no JSON reader would understand it either
		}
		return f
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plain(v[k])
		}
		return out
	}
	return v
}

// maxNumericDate is the end of the year 9999, the last that RFC 3339 and encoding/json can write.
const maxNumericDate = 253402300799

// numericDate reads a NumericDate (RFC 7519, section 2): seconds as a positive JSON number, possibly with a fraction, which is cut.
func numericDate(v any) (time.Time, bool) {
	n, ok := v.(jose.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || !(f >= 1 && f <= maxNumericDate) {
		return time.Time{}, false
	}
	return time.Unix(int64(math.Floor(f)), 0), true
}

// jsonSize is how many bytes v takes as JSON.
func jsonSize(v any) int {
	b, err := json.Marshal(v)
	if err != nil {
		return math.MaxInt
	}
	return len(b)
}

// texts returns list as strings, if it is nothing but strings.
func texts(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}

// valueAt follows a dotted path. A name may have dots itself, as those that look like URLs do: of the names that are there, the longest is meant.
func valueAt(object map[string]any, path string) any {
	name, rest := path, ""
	for name != "" {
		if v, ok := object[name]; ok {
			if rest == "" {
				return v
			}
			inner, _ := v.(map[string]any)
			return valueAt(inner, rest)
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return nil
		}
		name, rest = name[:dot], path[dot+1:]
	}
	return nil
}
