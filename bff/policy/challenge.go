package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a challenge.
const (
	maxChallenge = 4 << 10
	maxACRValues = 10
	maxACRText   = 255
)

// ParseChallenge reads the values of an upstream's WWW-Authenticate and returns the sign-in that it asks for (RFC 9470). ok is false where it asks for none, and where what it
// asks for is not exactly of the form that the RFC gives it: what an upstream writes goes into the authorization URL, which it must not be able to change (OAX-18).
func ParseChallenge(values []string) (s StepUp, ok bool) {
	var found []challenge
	for _, v := range values {
		if len(v) > maxChallenge {
			return StepUp{}, false
		}
		list, ok := parseChallenges(v)
		if !ok {
			return StepUp{}, false
		}
		for _, c := range list {
			if strings.EqualFold(c.scheme, "Bearer") && c.params["error"] == "insufficient_user_authentication" {
				found = append(found, c)
			}
		}
	}
	if len(found) != 1 { // of two nobody knows which is meant
		return StepUp{}, false
	}
	return found[0].stepUp()
}

// stepUp reads the two parameters that matter.
func (c challenge) stepUp() (StepUp, bool) {
	var s StepUp
	if v, there := c.params["acr_values"]; there {
		if s.ACR = acrValues(v); s.ACR == nil {
			return StepUp{}, false
		}
	}
	if v, there := c.params["max_age"]; there {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != v {
			return StepUp{}, false
		}
		s.MaxAge = new(time.Duration(n) * time.Second)
	}
	return s, true
}

// acrValues are names separated by single spaces, or nil. URLs and URNs have no other characters than these, but for those that separate parameters: they are
// what an injection needs.
func acrValues(v string) []string {
	if len(v) > maxACRText {
		return nil
	}
	names := strings.Split(v, " ")
	for i, name := range names {
		if name == "" || strings.ContainsFunc(name, notACR) || slices.Index(names, name) < i {
			return nil
		}
	}
	if len(names) > maxACRValues {
		return nil
	}
	return names
}

func notACR(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune(":/._~+@-", r)
}

// challenge is one of WWW-Authenticate (RFC 9110, section 11.6.1).
type challenge struct {
	scheme string
	params map[string]string // by name in small letters
}

// parseChallenges reads one field value, or refuses it as a whole. The comma separates both challenges and parameters, so a word followed by "=" is a
// parameter, and any other begins a challenge.
func parseChallenges(v string) ([]challenge, bool) {
	p := &fieldParser{rest: v}
	var out []challenge
	for {
		p.skip(" \t,")
		if p.rest == "" {
			return out, true
		}
		word := p.token()
		if word == "" {
			return nil, false
		}
		p.skip(" \t")
		if len(out) > 0 && strings.HasPrefix(p.rest, "=") {
			if !p.param(strings.ToLower(word), out[len(out)-1].params) {
				return nil, false
			}
			continue
		}
		out = append(out, challenge{scheme: word, params: map[string]string{}})
		if !p.token68() {
			return nil, false
		}
	}
}

// fieldParser reads a field value from its beginning.
type fieldParser struct{ rest string }

func (p *fieldParser) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

// token is the token at the beginning, or empty.
func (p *fieldParser) token() string {
	n := strings.IndexFunc(p.rest, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
	if n < 0 {
		n = len(p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

// token68 passes over the credentials-like text that a challenge such as Negotiate may have instead of parameters.
func (p *fieldParser) token68() bool {
	end := strings.IndexByte(p.rest, ',')
	if end < 0 {
		end = len(p.rest)
	}
	text := strings.TrimRight(p.rest[:end], " \t")
	if strings.ContainsAny(strings.TrimRight(text, "="), "= \t\"") {
		return true // parameters
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return false
	}
	if strings.HasSuffix(text, "=") || strings.ContainsAny(text, "/+") || !strings.Contains(text, "=") {
		p.rest = p.rest[end:]
	}
	return true
}

// param reads "=" and a value, which is a token or a quoted string, and what separates it from the next.
func (p *fieldParser) param(name string, params map[string]string) bool {
	p.rest = p.rest[1:]
	p.skip(" \t")
	value, ok := "", false
	if strings.HasPrefix(p.rest, `"`) {
		value, ok = p.quoted()
	} else {
		value = p.token()
		ok = value != ""
	}
	if _, twice := params[name]; !ok || twice {
		return false
	}
	params[name] = value
	p.skip(" \t")
	return p.rest == "" || p.rest[0] == ','
}

// quoted is the quoted string at the beginning. A backslash takes the next character as it is.
func (p *fieldParser) quoted() (string, bool) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\':
			if i++; i == len(p.rest) || p.rest[i] < ' ' && p.rest[i] != '\t' || p.rest[i] == 0x7f {
				return "", false
			}
			b.WriteByte(p.rest[i])
		case c < ' ' && c != '\t', c == 0x7f:
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
