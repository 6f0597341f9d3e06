package session

import (
	"iter"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// This is the only file that sets or reads the session cookie. Its attributes, and why:
//
//	__Host-Http-     browsers refuse it unless the four below hold, and scripts cannot write it
//	Secure           never in the clear
//	HttpOnly         scripts cannot read it: an injected script cannot take the ticket away
//	Path=/           required by the prefix; the app and its API share one origin
//	no Domain        a sibling host neither sees it nor sets it
//	SameSite=Strict  other sites' requests arrive without it (`lax` where their links must arrive signed in)
//	no Max-Age       it goes when the browser closes; with `persist` it lives as long as the session may
//
// Its value is the ticket, always 43 characters: it does not grow with claims.
// With insecure_localhost_cookies the prefix and Secure are off, for browsers that refuse them on http://localhost.
type cookie struct {
	name     string
	secure   bool
	sameSite http.SameSite
	persist  bool
}

func newCookie(cfg CookieConfig, insecure bool) cookie {
	c := cookie{name: cfg.Name, secure: !insecure, sameSite: http.SameSiteStrictMode, persist: cfg.Persist}
	if cfg.SameSite == "lax" {
		c.sameSite = http.SameSiteLaxMode
	}
	if insecure {
		c.name = bareName(cfg.Name)
	}
	return c
}

// bareName drops the prefix that only a Secure cookie may have.
func bareName(name string) string {
	for _, prefix := range []string{"__Host-Http-", "__Host-", "__Http-", "__Secure-"} {
		if bare, ok := strings.CutPrefix(name, prefix); ok {
			return bare
		}
	}
	return name
}

// set gives the browser its ticket. left is how long the session may live at most.
func (c cookie) set(w http.ResponseWriter, ticket string, left time.Duration) {
	hc := c.base()
	hc.Value = ticket
	if c.persist {
		hc.MaxAge = max(1, int(left/time.Second))
	}
	http.SetCookie(w, hc)
}

// clear takes the ticket away.
func (c cookie) clear(w http.ResponseWriter) {
	hc := c.base()
	hc.MaxAge = -1 // written as Max-Age=0
	http.SetCookie(w, hc)
}

func (c cookie) base() *http.Cookie {
	return &http.Cookie{Name: c.name, Path: "/", Secure: c.secure, HttpOnly: true, SameSite: c.sameSite}
}

// read returns the request's ticket: ErrNone without one, ErrTwoCookies with several, in one header or over many.
// Two cookies of this name mean that somebody planted one; whichever we took, it could be theirs.
func (c cookie) read(h http.Header) (string, error) {
	ticket, found := "", false
	for value := range c.all(h) {
		if found {
			return "", ErrTwoCookies
		}
		ticket, found = value, true
	}
	if !found {
		return "", ErrNone
	}
	return ticket, nil
}

// all yields the value of each session cookie of a request. It splits as net/http does, without making a http.Cookie of every cookie
// of the app.
func (c cookie) all(h http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h["Cookie"] {
			for line != "" {
				var part string
				part, line, _ = strings.Cut(line, ";")
				name, value, _ := strings.Cut(textproto.TrimString(part), "=")
				if textproto.TrimString(name) == c.name && !yield(value) {
					return
				}
			}
		}
	}
}
