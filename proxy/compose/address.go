package compose

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// address is what a leg asks for, ready to be filled in.
type address struct {
	origin   string // http://users:9002, or the name of an upstream
	segments []piece
	fixed    []parameterPiece
	declared []string
}

// piece is one segment of a path: literal text, or the place of a value.
type piece struct {
	literal string
	value   string // the name of the path value that stands here
	rest    bool   // it takes several segments
}

// parameterPiece is one name=value of the query that the configuration has written.
type parameterPiece struct {
	name    string // as written, escaped
	literal string // likewise
	value   string // or the name of a path value
}

// placeholder is {name} or {name...}.
var placeholder = regexp.MustCompile(`^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}$`)

// segmentText is a segment that no two servers read in two ways; what else a path needs can be written in the decoded form nowhere.
var segmentText = regexp.MustCompile(`^[A-Za-z0-9._~!$&'()*+,=:@-]+$`)

// queryText is what may stand in a query as it is.
var queryText = regexp.MustCompile(`^[A-Za-z0-9._~!$'()*+,;:@/?%\[\]-]*$`)

// key is the key that the address stands under, for messages.
func (l Leg) key() string {
	if l.Upstream != "" || l.Path != "" {
		return "path"
	}
	return "url"
}

// problem says what is wrong with the leg's address.
func (l Leg) problem() string {
	switch {
	case l.URL == "" && l.Upstream == "" && l.Path == "":
		return "is missing; write, for example, url: http://users:9002/me, or upstream and path"
	case l.URL != "" && (l.Upstream != "" || l.Path != ""):
		return "stands beside url; write url alone, or upstream and path"
	case l.Path != "" && l.Upstream == "":
		return "needs upstream, whose name says where the path is"
	case l.Upstream != "" && l.Path == "":
		return "is missing; write, for example, path: /me"
	}
	_, problem := l.address()
	return problem
}

// address reads `url`, or `upstream` and `path`.
func (l Leg) address() (a address, problem string) {
	a.declared = l.Query
	a.origin = l.Upstream
	rest := l.Path
	if l.URL != "" {
		if a.origin, rest, problem = splitURL(l.URL); problem != "" {
			return a, problem
		}
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	if a.segments, problem = readPath(path); problem != "" {
		return a, problem
	}
	if hasQuery {
		a.fixed, problem = readQuery(query)
	}
	return a, problem
}

// splitURL cuts a URL behind its host. The host is what the configuration says, whatever comes behind.
func splitURL(text string) (origin, rest, problem string) {
	wrong := fmt.Sprintf("%q is no address; write an upstream's URL with a path, such as http://users:9002/me", text)
	scheme, after, ok := strings.Cut(text, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return "", "", wrong
	}
	cut := strings.IndexAny(after, "/?#")
	if cut < 0 || after[cut] != '/' {
		return "", "", wrong
	}
	origin = scheme + "://" + after[:cut]
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(after[:cut], "{}"):
		return "", "", wrong
	case u.User != nil:
		return "", "", "has a user name or password in it; a leg gets the token that its own key says"
	}
	return origin, after[cut:], ""
}

// readPath reads a path of literal segments and {names}.
func readPath(path string) ([]piece, string) {
	if path == "" || path[0] != '/' {
		return nil, fmt.Sprintf("%q must start with /", path)
	}
	parts := strings.Split(path[1:], "/")
	pieces := make([]piece, len(parts))
	for i, s := range parts {
		last := i == len(parts)-1
		m := placeholder.FindStringSubmatch(s)
		switch {
		case m != nil && m[2] != "" && !last:
			return nil, fmt.Sprintf("%q: %s takes the rest of the path, so it must be last", path, s)
		case m != nil:
			pieces[i] = piece{value: m[1], rest: m[2] != ""}
		case s == "" && last: // a slash at the end, or the path is only one
		case s == "." || s == ".." || !segmentText.MatchString(s):
			return nil, fmt.Sprintf("%q: %q cannot be a segment; write plain text, or {name} as a whole segment", path, s)
		default:
			pieces[i] = piece{literal: s}
		}
	}
	return pieces, ""
}

// readQuery reads a query of literal parameters and {names}.
func readQuery(query string) ([]parameterPiece, string) {
	var out []parameterPiece
	for text := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(text, "=")
		if _, err := url.QueryUnescape(name); err != nil || name == "" || !queryText.MatchString(name) {
			return nil, fmt.Sprintf("%q in the query is no name=value", text)
		}
		if m := placeholder.FindStringSubmatch(value); m != nil && m[2] == "" {
			out = append(out, parameterPiece{name: name, value: m[1]})
			continue
		}
		if _, err := url.QueryUnescape(value); err != nil || !queryText.MatchString(value) {
			return nil, fmt.Sprintf("%q in the query has a value that cannot stand there; escape it, or write {name} as the whole value", text)
		}
		out = append(out, parameterPiece{name: name, literal: value})
	}
	return out, ""
}

// fixes reports whether the address has a value for a parameter already.
func (l Leg) fixes(parameter string) bool {
	a, problem := l.address()
	return problem == "" && slices.ContainsFunc(a.fixed, func(p parameterPiece) bool {
		name, _ := url.QueryUnescape(p.name)
		return name == parameter
	})
}

// values are the names of the path values that an address needs, as the route's pattern writes them.
func (a address) values() []string {
	var names []string
	for _, p := range a.segments {
		if p.rest {
			names = append(names, p.value+"...")
		} else if p.value != "" {
			names = append(names, p.value)
		}
	}
	for _, p := range a.fixed {
		if p.value != "" {
			names = append(names, p.value)
		}
	}
	return names
}

// ErrRequest is wrapped where a request has something that may not go into a leg's address. It holds nothing of it.
var ErrRequest = errors.New("the request cannot be composed as it is")

// Target is what one leg asks its upstream for.
type Target struct {
	// Path is decoded, RawPath the same escaped; both start with a slash. Query is escaped.
	Path, RawPath, Query string
}

// fill puts a request's values where the address has a place for them.
func (a address) fill(path map[string]string, query map[string]string) (t Target, err error) {
	var plain, raw strings.Builder
	for _, p := range a.segments {
		text := p.literal
		if p.value != "" {
			text = path[p.value]
			if !plainValue(text, p.rest) {
				return t, fmt.Errorf("%w: path value %s", ErrRequest, p.value)
			}
		}
		plain.WriteString("/" + text)
		raw.WriteString("/" + escapePath(text))
	}
	var q []string
	for _, p := range a.fixed {
		if p.value != "" && !plainValue(path[p.value], false) {
			return t, fmt.Errorf("%w: path value %s", ErrRequest, p.value)
		}
		q = append(q, p.name+"="+cmp.Or(p.literal, url.QueryEscape(path[p.value])))
	}
	for _, name := range a.declared {
		if value, ok := query[name]; ok {
			q = append(q, url.QueryEscape(name)+"="+url.QueryEscape(value))
		}
	}
	return Target{Path: plain.String(), RawPath: raw.String(), Query: strings.Join(q, "&")}, nil
}

// plainValue reports whether a client's value may be a segment of a path, or several with rest. What gives a path its structure, or would after another
// decoding, is refused rather than escaped: not every server keeps the two apart.
func plainValue(v string, rest bool) bool {
	if rest && v == "" {
		return true
	}
	if rest {
		for s := range strings.SplitSeq(strings.TrimSuffix(v, "/"), "/") {
			if !plainValue(s, false) {
				return false
			}
		}
		return true
	}
	if v == "" || v == "." || v == ".." || !utf8.ValidString(v) {
		return false
	}
	return !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`/\%;`, r) })
}

// escapePath escapes what is no path, slash by slash.
func escapePath(v string) string {
	parts := strings.Split(v, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// pick takes the declared parameters out of a client's query. The others may be anything; `;` is data.
func pick(rawQuery string, declared map[string]bool) (map[string]string, error) {
	out := map[string]string{}
	for text := range strings.SplitSeq(rawQuery, "&") {
		escapedName, escapedValue, _ := strings.Cut(text, "=")
		name, err := url.QueryUnescape(escapedName)
		if err != nil {
			return nil, fmt.Errorf("%w: broken escape in the query", ErrRequest)
		}
		if !declared[name] {
			continue
		}
		value, err := url.QueryUnescape(escapedValue)
		switch _, twice := out[name]; {
		case twice:
			return nil, fmt.Errorf("%w: parameter %s given twice", ErrRequest, name) // declared, so no foreign text
		case err != nil || !utf8.ValidString(value):
			return nil, fmt.Errorf("%w: parameter %s is not text", ErrRequest, name)
		}
		out[name] = value
	}
	return out, nil
}
