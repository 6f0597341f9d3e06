package provider

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"

	// Its decoder refuses duplicate members and compares names exactly; encoding/json takes the last one, whatever its case (RFC 8725, section 2.4).
	jose "github.com/go-jose/go-jose/v4/json"
)

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
