package tokens

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// maxName bounds an audience or a resource, in bytes. They travel in forms and in the redirect to the provider.
const maxName = 512

// Validate reports what is wrong with c, key by key.
func (c Config) Validate(report func(key, problem string)) {
	c.validateNames(report)
	switch c.Method {
	case Session, None:
		for _, key := range c.given() {
			report(key, fmt.Sprintf("means nothing with method %s; leave method out for a token of this upstream's own", c.Method))
		}
	case Exchange:
		if !c.narrow() {
			report("method", "exchange needs an audience, a resource or scopes: what the token is exchanged for")
		}
	case Refresh:
		if c.Resource == "" {
			report("resource", "is missing; refresh asks the provider for a token of this resource, such as https://orders.example.com")
		}
	}
}

// given are the keys that narrow a token and are there.
func (c Config) given() (keys []string) {
	if c.Audience != "" {
		keys = append(keys, "audience")
	}
	if c.Resource != "" {
		keys = append(keys, "resource")
	}
	if len(c.Scopes) > 0 {
		keys = append(keys, "scopes")
	}
	return keys
}

func (c Config) validateNames(report func(key, problem string)) {
	if len(c.Audience) > maxName || strings.ContainsFunc(c.Audience, func(r rune) bool { return r < ' ' || r > '~' }) {
		report("audience", fmt.Sprintf("%q is no audience; write up to %d characters of plain ASCII", c.Audience, maxName))
	}
	if c.Resource != "" {
		if u, err := url.Parse(c.Resource); err != nil || !u.IsAbs() || u.User != nil || strings.Contains(c.Resource, "#") || len(c.Resource) > maxName {
			report("resource", fmt.Sprintf("%q is no resource; write an absolute URL without a fragment, such as https://orders.example.com (RFC 8707)", c.Resource))
		}
	}
	for i, s := range c.Scopes {
		key := fmt.Sprintf("scopes[%d]", i)
		switch {
		case s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
			report(key, fmt.Sprintf("%q is no scope; several are several items of the list", s))
		case slices.Index(c.Scopes, s) < i:
			report(key, fmt.Sprintf("%q is there twice", s))
		}
	}
}
