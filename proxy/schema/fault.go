package schema

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Why a message is refused: stable names for logs and metrics.
const (
	ReasonOperation    = "undeclared_operation" // no path of the description
	ReasonMethod       = "undeclared_method"    // the path, but not by this method
	ReasonParameter    = "parameter"            // a declared parameter is missing or has a wrong value
	ReasonUndeclared   = "undeclared_parameter" // a query parameter that the description does not have
	ReasonRepeated     = "repeated_parameter"   // a parameter twice that is no list
	ReasonQuery        = "query"                // a query that parsers read in different ways
	ReasonMediaType    = "media_type"           // another type than declared, or none
	ReasonCharset      = "charset"              // another one than UTF-8
	ReasonEncoding     = "content_encoding"     // compressed
	ReasonTooLarge     = "too_large"            // more than is checked
	ReasonBodyMissing  = "body_missing"
	ReasonBodyUnwanted = "body_unwanted"
	ReasonNotJSON      = "not_json"
	ReasonDuplicateKey = "duplicate_key"
	ReasonNotUTF8      = "not_utf8"
	ReasonNumber       = "number"
	ReasonTooDeep      = "too_deep"
	ReasonTooMany      = "too_many_values"
	ReasonTooComplex   = "too_complex"       // the schema refers back to itself, and the value makes much work of that
	ReasonSchema       = "schema"            // the value is not what the schema wants
	ReasonStatus       = "undeclared_status" // of an answer
	ReasonStream       = "stream"            // an answer that has no end
)

// Bounds of what a client is told.
const (
	maxFaults  = 20
	maxDetail  = 200
	maxPointer = 512
)

// Fault is one thing that is wrong with a message, for whoever sent it.
type Fault struct {
	// Pointer is where in the body: a JSON pointer (RFC 6901) as a URI fragment, such as #/lines/0/quantity. Empty for parameters.
	Pointer string
	// In and Name are the parameter's: path, query or header.
	In, Name string
	// Detail says what is wrong. It may quote the value, so it is for the client and never for a log.
	Detail string
}

// Refusal is why a message may not pass.
type Refusal struct {
	// Status is the answer's: 400, 404, 405, 413 or 415. It means nothing for a response.
	Status int
	// Reason is one of the Reason constants.
	Reason string
	// Faults are at most 20.
	Faults []Fault
	// Allow lists the methods of a path, with status 405.
	Allow []string
	// Places are where in the description the rules stand that were broken, at most 5. They hold nothing of the message.
	Places []string
}

// Error is for the log: it holds nothing of the message.
func (r *Refusal) Error() string {
	if len(r.Places) == 0 {
		return r.Reason
	}
	return r.Reason + ": " + strings.Join(r.Places, ", ")
}

func refuse(status int, reason string, faults ...Fault) *Refusal {
	for i := range faults {
		faults[i].Detail = cut(faults[i].Detail, maxDetail)
		faults[i].Name = cut(faults[i].Name, maxDetail)
	}
	return &Refusal{Status: status, Reason: reason, Faults: faults}
}

// badBody is a refusal that concerns the body as a whole.
func badBody(status int, reason, detail string) *Refusal {
	return refuse(status, reason, Fault{Pointer: "#", Detail: detail})
}

func (m *malformed) refusal() *Refusal {
	path := slices.Clone(m.path)
	slices.Reverse(path)
	return refuse(http.StatusBadRequest, m.reason, Fault{Pointer: pointer(path), Detail: m.detail})
}

// add takes one more fault, as long as there is room.
func (r *Refusal) add(f Fault) {
	if len(r.Faults) < maxFaults {
		f.Detail = cut(f.Detail, maxDetail)
		r.Faults = append(r.Faults, f)
	}
}

// pointer is a JSON pointer as a URI fragment. One that would be very long is cut at a token: it points at what holds the place.
func pointer(tokens []string) string {
	for {
		var b strings.Builder
		for _, t := range tokens {
			b.WriteByte('/')
			b.WriteString(escapeToken(t))
		}
		if b.Len() <= maxPointer {
			return "#" + (&url.URL{Fragment: b.String()}).EscapedFragment()
		}
		tokens = tokens[:len(tokens)-1]
	}
}

func escapeToken(t string) string {
	return strings.ReplaceAll(strings.ReplaceAll(t, "~", "~0"), "/", "~1")
}

// cut shortens text to at most n bytes, and makes it UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
