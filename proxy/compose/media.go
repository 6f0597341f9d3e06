package compose

import (
	"errors"
	"mime"
	"net/http"
	"strings"
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
