package tokens

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
)

// The methods of a Config, but for auto, which is one of them.
const (
	Session  = "session"
	None     = "none"
	Client   = "client"
	Exchange = "exchange"
	Refresh  = "refresh"
)

// Token is which token is wanted, settled.
type Token struct {
	// Method is one of the constants.
	Method string
	// Audience, Resource and Scopes are the Config's.
	Audience, Resource string
	Scopes             []string
	// Key names the token among all that a user, or this server, may have: the same for the same token, and for no other. Safe to log.
	Key string
	// Asked is the Mark of the resource that the user must have been asked for at sign-in; empty: none.
	Asked string
}

// Of is what c comes to on a route that may have a user or, with `auth: none`, never has one.
func Of(c Config, users bool) Token {
	t := Token{Method: c.Method, Audience: c.Audience, Resource: c.Resource, Scopes: slices.Clone(c.Scopes)}
	slices.Sort(t.Scopes)
	if t.Method == "auto" || t.Method == "" {
		switch {
		case c.narrow():
			t.Method = Exchange
		case users:
			t.Method = Session
		default:
			t.Method = None
		}
	}
	if t.Method == Client || t.Grant() {
		t.Key = mark(t.Method, t.Audience, t.Resource, t.Scopes)
	}
	if t.Method == Refresh {
		t.Asked = Mark(t.Resource)
	}
	return t
}

// narrow reports whether anything says for whom or what the token shall be.
func (c Config) narrow() bool { return c.Audience != "" || c.Resource != "" || len(c.Scopes) > 0 }

// Grant reports whether the token is a user's, for one audience.
func (t Token) Grant() bool { return t.Method == Exchange || t.Method == Refresh }

// Mark is a short name of a resource, for records that many are to fit into.
func Mark(resource string) string { return mark(resource) }

// mark is 96 bits of a hash over the parts, which JSON keeps apart.
func mark(parts ...any) string {
	text, _ := json.Marshal(parts) // strings and lists of them
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
