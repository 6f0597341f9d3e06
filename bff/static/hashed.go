package static

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// hashed reports whether a file is named after its content as Vite does it: in a folder named assets, NAME-HASH.EXT, with a HASH of
// eight or more characters of base64url.
//
// A file that was copied into assets as it is may look alike (jquery-slim.min.js, hero-1920x1080.jpg, Inter-SemiBold.woff2). What reads like
// words, numbers or both is therefore no hash: to take one for a hash freezes a file for a year, to miss one (about one in forty) costs a
// 304. A page is never taken for one, and a source map counts as what it belongs to.
func hashed(name string) bool {
	dir, file := path.Split(name)
	if !slices.Contains(strings.Split(dir, "/"), "assets") || strings.HasPrefix(contentType(name), "text/html") {
		return false
	}
	file = strings.TrimSuffix(file, ".map")
	stem := strings.TrimSuffix(file, path.Ext(file))
	if stem == file {
		return false
	}
	// The hash itself may have a - in it. Of Vite's usual length it is the last eight characters; if longer, what follows the last -.
	if cut := len(stem) - 9; cut > 0 && stem[cut] == '-' {
		return looksRandom(stem[cut+1:])
	}
	cut := strings.LastIndexByte(stem, '-')
	return cut > 0 && len(stem)-cut > 8 && looksRandom(stem[cut+1:])
}

var (
	alphabet = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	// words are SemiBold, Bold2019, iPhone15, latin-Variable: pieces of four letters and more, numbers, and what joins them.
	words = regexp.MustCompile(`^[a-z]?(?:[A-Za-z][a-z]{3,}|[0-9]+|[-_])+$`)
)

// looksRandom reports whether s is of base64url's characters and not what a person writes.
func looksRandom(s string) bool {
	if !alphabet.MatchString(s) {
		return false
	}
	folded := strings.ToLower(s)
	if s != folded && s != strings.ToUpper(s) {
		return !words.MatchString(s)
	}
	return alternations(folded) >= 3 // a1b2c3d4, but not chapter1, 1920x1080, 24-01-01
}

// alternations counts the places where a letter stands next to a digit.
func alternations(s string) (n int) {
	for i := 1; i < len(s); i++ {
		a, b := s[i-1], s[i]
		if a != '-' && a != '_' && b != '-' && b != '_' && (a < 'a') != (b < 'a') {
			n++
		}
	}
	return n
}
