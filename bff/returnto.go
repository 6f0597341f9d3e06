package bff

import (
	"net/url"
	"strings"

	"cloakroom/bff/edge"
)

// maxReturnTo bounds return_to in bytes: it travels in the sealed login cookie, of which a browser takes 4096.
const maxReturnTo = 1024

// returnTo decides whether raw is a path of ours that a sign-in may end on. It answers raw itself, byte for byte,
// or "" and the reason why not. The empty string means the app's start page.
//
// A browser reads a URL by the WHATWG rules, which forgive backslashes, tabs and missing slashes; so only what
// nobody could read in two ways passes: printable ASCII, one slash first, a path that is canonical already (RED-01 to RED-05).
func returnTo(raw string) (path, reason string) {
	if raw == "" {
		return "/", ""
	}
	if len(raw) > maxReturnTo {
		return "", "longer than 1024 bytes"
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c > '~' || c == '\\' {
			return "", "only printable ASCII without spaces and backslashes"
		}
	}
	if raw[0] != '/' || strings.HasPrefix(raw, "//") {
		return "", "must start with exactly one slash"
	}
	rest, _, _ := strings.Cut(raw, "#") // a fragment never leaves the browser
	rawPath, _, _ := strings.Cut(rest, "?")
	decoded, _, why := edge.Canonical(rawPath)
	if why != "" {
		return "", why
	}
	if reserved(decoded) {
		return "", "paths under /bff are not pages to return to"
	}
	// The last word has the parser that the server itself uses: it must see a path and nothing else.
	if u, err := url.Parse(raw); err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", "not a path of this origin"
	}
	return raw, ""
}

// reserved reports whether a decoded path belongs to Cloakroom's own endpoints, which would make a sign-in end in another
// sign-in, or in a sign-out.
func reserved(path string) bool {
	return path == "/bff" || strings.HasPrefix(path, "/bff/")
}
