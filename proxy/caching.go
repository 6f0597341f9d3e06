package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// audience is whom an answer is for.
type audience int

const (
	anybody   audience = iota // no session was looked for
	anonymous                 // nobody is signed in, but somebody could be
	somebody                  // who is signed in
)

// cacheControl decides what an answer's Cache-Control says (HDR-08). upstream are the lines that it came with; plain tells that it is one with status 200 to a GET, or confirms one. nil: as the upstream said.
// varies tells that it must not be shown to the browser's next user.
func (c CacheConfig) cacheControl(to audience, upstream []string, plain bool) (lines []string, varies bool) {
	switch {
	case c.Policy == "none":
		return noStore, false
	case to == anybody && c.Policy == "public" && len(upstream) == 0 && plain:
		return []string{"public, max-age=" + seconds(c.MaxAge)}, false
	case to == anybody:
		return nil, false
	case c.Policy == "private":
		line := c.private(upstream, plain)
		return []string{line}, line != noStore[0]
	case to == anonymous:
		return nil, true
	case ownPrivatePolicy(upstream):
		return nil, true
	}
	return noStore, false
}

// private is the upstream's word, cut down to what concerns the browser.
func (c CacheConfig) private(upstream []string, plain bool) string {
	if len(upstream) == 0 {
		if !plain || c.MaxAge == 0 {
			return noStore[0]
		}
		return "private, max-age=" + seconds(c.MaxAge)
	}
	out := "private"
	for _, line := range upstream {
		if strings.Contains(line, `"`) {
			return noStore[0] // for some of the headers only: not taken apart here
		}
		for d := range strings.SplitSeq(line, ",") {
			switch name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "="); name {
			case "no-store":
				return noStore[0]
			case "no-cache", "must-revalidate", "no-transform", "immutable":
				out += ", " + name
			case "max-age", "stale-while-revalidate", "stale-if-error":
				n, err := strconv.ParseUint(value, 10, 31)
				if err != nil {
					return noStore[0]
				}
				out += ", " + name + "=" + strconv.FormatUint(n, 10)
			}
		}
	}
	return out
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

var noStore = []string{"no-store"}

// caching keeps what is about a user out of caches (law 6). What a browser may keep varies with the cookie, so that its next user does not see it.
func (x *exchange) caching(res *http.Response) {
	h := res.Header
	delete(x.w.Header(), "Cache-Control")    // ReverseProxy adds to what the chain has set for its own answers
	if len(x.w.Header()["Set-Cookie"]) > 0 { // ours: the upstream's are gone
		h["Cache-Control"] = noStore
		return
	}
	confirmed := res.StatusCode == http.StatusNotModified // its headers take the place of those of the copy (RFC 9111, section 4.3.4)
	plain := (res.StatusCode == http.StatusOK || confirmed) && (x.in.Method == http.MethodGet || x.in.Method == http.MethodHead)
	lines, varies := x.route.Config.Cache.cacheControl(x.audience(), h["Cache-Control"], plain)
	if lines != nil {
		h["Cache-Control"] = lines
	}
	if varies {
		h.Add("Vary", "Cookie")
	}
}

// audience is whom the exchange's answer is for.
func (x *exchange) audience() audience {
	auth, known := x.route.Config.Auth, x.caller.Bearer != "" || !x.caller.User.nobody()
	switch {
	case auth == "none" && !known:
		return anybody
	case auth == "none" && x.caller.User.nobody() && x.route.Config.Cache.Policy == "public":
		return anybody // the bearer is our own, not a user's, and the route says that what it brings is for all
	case auth == "optional" && !known:
		return anonymous
	}
	return somebody
}

// ownPrivatePolicy reports whether Cache-Control says private for the whole answer, and nothing for shared caches.
func ownPrivatePolicy(lines []string) bool {
	private := false
	for _, line := range lines {
		for d := range strings.SplitSeq(line, ",") {
			name, _, qualified := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
			switch {
			case name == "public", name == "s-maxage", name == "private" && qualified:
				return false
			case name == "private":
				private = true
			}
		}
	}
	return private
}
