package proxy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Templates of headers, the rule: what a user's name, or any other text that is not the operator's, turns into is one line of visible ASCII that can be turned back in
// one way only, or it is not sent. What was not ASCII, and the percent sign, is percent-encoded UTF-8 (RFC 3986, section 2.1): RFC 9110, section 5.5, knows no other
// characters. A control character is no part of any name: a value that has one is not sent at all.

// User is on whose behalf a request is forwarded, as far as headers may say it. The zero User is nobody.
type User struct {
	// Issuer is the provider's, Subject the user's name there: both together are who it is.
	Issuer, Subject string
	// Roles are the user's.
	Roles []string
	// Claims are the configured ones, of the values that encoding/json makes.
	Claims map[string]any
}

// maxHeaderValue bounds what is sent, in bytes. Most servers take 8 KiB of headers altogether.
const maxHeaderValue = 4 << 10

// template is a header's text, with holes.
type template []hole

// hole is a fixed text, or what a user has under a path: sub, iss, roles, claims.NAME.
type hole struct{ text, ref string }

// readTemplate reads a header's text. $${ is a literal ${.
func readTemplate(s string) (t template, problem string) {
	literal := ""
	for {
		before, after, found := strings.Cut(s, "${")
		literal += before
		if !found {
			break
		}
		if s = after; strings.HasSuffix(before, "$") {
			literal = strings.TrimSuffix(literal, "$") + "${"
			continue
		}
		inner, rest, closed := strings.Cut(after, "}")
		ref, known := reference(inner)
		if !closed || !known {
			return nil, "has a ${ that is none of ${user.sub}, ${user.iss}, ${user.name}, ${user.email}, ${user.roles} and ${user.claims.NAME}; a literal ${ is written $${"
		}
		if literal != "" {
			t = append(t, hole{text: literal})
		}
		t, literal, s = append(t, hole{ref: ref}), "", rest
	}
	if literal != "" {
		t = append(t, hole{text: literal})
	}
	return t, badLiterals(t)
}

// badLiterals says why the fixed parts cannot stand in a header as they are.
func badLiterals(t template) string {
	if len(t) == 0 {
		return "is empty; leave the header out, or list it in headers.remove"
	}
	for _, p := range t {
		if strings.ContainsFunc(p.text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return "must be visible ASCII; other characters are no part of a header (RFC 9110, section 5.5)"
		}
	}
	if strings.HasPrefix(t[0].text, " ") || strings.HasSuffix(t[len(t)-1].text, " ") {
		return "begins or ends with a blank, which does not arrive"
	}
	return ""
}

// reference reads what stands between ${ and }.
func reference(inner string) (ref string, ok bool) {
	path, ok := strings.CutPrefix(inner, "user.")
	if !ok {
		return "", false
	}
	switch path {
	case "sub", "iss", "roles":
		return path, true
	case "name", "email":
		return "claims." + path, true
	}
	name, ok := strings.CutPrefix(path, "claims.")
	return path, ok && name != "" && !strings.ContainsAny(name, "${} ")
}

// claim is the path of the claim that the part stands for.
func (p hole) claim() (path string, ok bool) { return strings.CutPrefix(p.ref, "claims.") }

// personal reports whether the text depends on the user.
func (t template) personal() bool {
	return slices.ContainsFunc(t, func(p hole) bool { return p.ref != "" })
}

// What becomes of a header.
const (
	headerSent       = ""
	headerMissing    = "missing"    // the user has nothing of the kind
	headerUnsendable = "unsendable" // what the user has cannot stand in a header, or not in one way only
)

// fill is the header's value for u, and what became of it.
func (t template) fill(u *User) (value, state string) {
	if len(t) == 1 && t[0].ref == "" {
		return t[0].text, headerSent
	}
	var b strings.Builder
	for _, p := range t {
		if p.ref == "" {
			b.WriteString(p.text)
			continue
		}
		v, state := u.text(p)
		if state != headerSent {
			return "", state
		}
		b.WriteString(v)
	}
	if b.Len() > maxHeaderValue {
		return "", headerUnsendable
	}
	return b.String(), headerSent
}

// text is what u has in the place of p.
func (u *User) text(p hole) (value, state string) {
	var found any
	switch p.ref {
	case "sub":
		found = u.Subject
	case "iss":
		found = u.Issuer
	case "roles":
		return list(u.Roles)
	default:
		path, _ := p.claim()
		found = claimAt(u.Claims, path)
	}
	return scalar(found)
}

// scalar writes a claim's value.
func scalar(v any) (value, state string) {
	switch v := v.(type) {
	case nil:
		return "", headerMissing
	case string:
		if v == "" {
			return "", headerMissing
		}
		return encode(v, "")
	case bool:
		return strconv.FormatBool(v), headerSent
	case json.Number:
		return encode(v.String(), "")
	case float64:
		if !(math.Abs(v) < 1<<53) { // from there on different numbers are one and the same float64, and nobody gets another's
			return "", headerUnsendable
		}
		return strconv.FormatFloat(v, 'f', -1, 64), headerSent
	case []string:
		return list(v)
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			text, ok := v[i].(string)
			if !ok {
				return "", headerUnsendable
			}
			texts[i] = text
		}
		return list(texts)
	}
	return "", headerUnsendable // an object has no form that all would read alike
}

// list joins texts by a comma and a blank. A comma inside of one is encoded: nobody gets a role by the name of another.
func list(texts []string) (value, state string) {
	if len(texts) == 0 {
		return "", headerMissing
	}
	var b strings.Builder
	for i, text := range texts {
		v, state := encode(text, ",")
		if state != headerSent || v == "" {
			return "", headerUnsendable
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(v)
	}
	return b.String(), headerSent
}

// encode writes text in visible ASCII: of all that is not, of %, of the characters in also, and of blanks at the ends, the bytes in hexadecimal.
func encode(text, also string) (value, state string) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", headerUnsendable
	}
	plain := func(i int) bool {
		c := text[i]
		edge := i == 0 || i == len(text)-1
		return c > ' ' && c <= '~' && c != '%' && strings.IndexByte(also, c) < 0 || c == ' ' && !edge
	}
	same := true
	for i := range len(text) {
		same = same && plain(i)
	}
	if same {
		return text, headerSent
	}
	var b strings.Builder
	for i := range len(text) {
		if plain(i) {
			b.WriteByte(text[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", text[i])
		}
	}
	return b.String(), headerSent
}

// claimAt follows a dotted path. A name may have dots itself, as those that look like URLs do: of the names that are there, the longest is meant, as in roles_claim.
func claimAt(claims map[string]any, path string) any {
	for name := path; ; {
		if v, ok := claims[name]; ok {
			if name == path {
				return v
			}
			object, _ := v.(map[string]any)
			return claimAt(object, path[len(name)+1:])
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return nil
		}
		name = name[:dot]
	}
}

// sendable reports whether a fixed text arrives as it is.
func sendable(text string) bool {
	return text != "" && len(text) <= maxHeaderValue && strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
