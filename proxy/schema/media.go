package schema

import (
	"mime"
	"net/http"
	"strings"
)

// Media types, the rule: exactly one Content-Type, of a form that no parser reads in two ways, and no charset but UTF-8. A body that is checked
// as JSON must say that it is JSON, or the upstream might take it for something else.

// mediaType reads Content-Type and returns the type in lower case, "" where there is none.
func mediaType(h http.Header) (string, *Refusal) {
	lines := h["Content-Type"]
	if len(lines) == 0 {
		return "", nil
	}
	bad := func(reason, detail string) (string, *Refusal) {
		return "", refuse(http.StatusUnsupportedMediaType, reason, Fault{In: "header", Name: "Content-Type", Detail: detail})
	}
	if len(lines) > 1 || strings.ContainsAny(lines[0], "*,") { // continuations (RFC 2231), and two in one line
		return bad(ReasonMediaType, "is not one plain media type")
	}
	typ, params, err := mime.ParseMediaType(lines[0])
	if err != nil || strings.Count(typ, "/") != 1 || strings.HasSuffix(strings.TrimSpace(lines[0]), ";") {
		return bad(ReasonMediaType, "is not a media type")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return bad(ReasonCharset, "must be utf-8, or not say a charset")
	}
	return typ, nil
}

// isJSON reports whether a media type is JSON by its name (RFC 6839, section 3.1).
func isJSON(typ string) bool {
	return typ == "application/json" || strings.HasPrefix(typ, "application/") && strings.HasSuffix(typ, "+json")
}

// covers reports whether a declared type, perhaps a range such as text/*, takes typ.
func covers(declared, typ string) bool {
	if declared == typ || declared == "*/*" {
		return true
	}
	prefix, ok := strings.CutSuffix(declared, "/*")
	return ok && strings.HasPrefix(typ, prefix+"/")
}

// encoded refuses what is compressed: its bytes are not those that the upstream would read, and may be a bomb (PRX-31).
func encoded(h http.Header) *Refusal {
	if _, ok := h["Content-Encoding"]; ok {
		return refuse(http.StatusUnsupportedMediaType, ReasonEncoding, Fault{In: "header", Name: "Content-Encoding", Detail: "must not be there: send the body as it is"})
	}
	return nil
}
