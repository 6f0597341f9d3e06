package proxy

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// target is what becomes of a request's path: what is cut from it, and the upstream's base path that is put in front.
// Paths are kept in two forms, decoded and escaped.
type target struct {
	base, rawBase   string // "" or /v2
	strip, rawStrip string // "" or /api
}

func newTarget(base, strip string) target {
	return target{base: base, rawBase: escaped(base), strip: strip, rawStrip: escaped(strip)}
}

func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// path builds the upstream's path from a request's: base path, then the request's path without the prefix. The escaped
// form is empty where it is the usual one.
//
// The edge has made the request's path canonical. It is looked at again, after cutting and joining, because this is where
// the bearer token goes: a path that two parsers could read in two ways, or that could climb out of the base path, is refused.
func (t target) path(in *url.URL) (path, raw string, err error) {
	rest, ok := cutSegments(in.Path, t.strip)
	if !ok {
		return "", "", fmt.Errorf("%w: path is not under strip_prefix", ErrBadRequest)
	}
	if path = t.base + rest; path == "" {
		path = "/"
	}
	if problem := pathProblem(path); problem != "" {
		return "", "", fmt.Errorf("%w: %s in path", ErrBadRequest, problem)
	}
	if in.RawPath == "" {
		return path, "", nil
	}
	rawRest, ok := cutSegments(in.RawPath, t.rawStrip)
	if !ok || hidesSeparator(in.RawPath) {
		return "", "", fmt.Errorf("%w: encoded separator in path", ErrBadRequest)
	}
	return path, t.rawBase + rawRest, nil
}

// outward maps a URL on the upstream back to the path, escaped, that a client would ask us for.
func (t target) outward(u *url.URL) (string, bool) {
	if u.Path == "" {
		u.Path = "/"
	}
	rest, ok := cutSegments(u.EscapedPath(), t.rawBase)
	if !ok || pathProblem(u.Path) != "" {
		return "", false
	}
	if out := t.rawStrip + rest; out != "" {
		return out, true
	}
	return "/", true
}

// cutSegments cuts a prefix of whole segments: /api from /api/x and /api, not from /apix.
func cutSegments(path, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, prefix)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// aim gives out its path. The query is the client's, byte for byte: ReverseProxy would drop the parts that
// it cannot parse, and `;` is data here.
func (t target) aim(out *http.Request, path, raw, query string) {
	out.URL.Path, out.URL.RawPath = path, raw
	out.URL.RawQuery = query
	out.URL.User, out.URL.Opaque, out.URL.Fragment, out.URL.RawFragment = nil, "", "", ""
}

// pathProblem says why a decoded path is not sent to an upstream; empty where it may be. The list is of what servers
// are known to read in two ways: dot segments (also with path parameters, `/..;x/`, or encoded once more), empty segments,
// backslashes, control characters.
func pathProblem(p string) string {
	if p == "" || p[0] != '/' {
		return "no leading slash"
	}
	start := 1
	for i := 1; i <= len(p); i++ {
		if i < len(p) && p[i] != '/' {
			switch c := p[i]; {
			case c < ' ' || c == 0x7f:
				return "control character"
			case c == '\\':
				return "backslash"
			case c == '%' && hidesSeparator(p[i:min(i+3, len(p))]):
				return "character that was encoded twice"
			}
			continue
		}
		if i == start && i < len(p) {
			return "empty segment"
		}
		if dots, _, _ := strings.Cut(p[start:i], ";"); dots == "." || dots == ".." {
			return "dot segment"
		}
		start = i + 1
	}
	return ""
}

// hidesSeparator finds encoded forms of the characters that give a path its structure: / \ . % and NUL.
func hidesSeparator(raw string) bool {
	for i := 0; i+2 < len(raw); i++ {
		if raw[i] != '%' {
			continue
		}
		switch strings.ToLower(raw[i+1 : i+3]) {
		case "2f", "5c", "2e", "25", "00":
			return true
		}
	}
	return false
}
