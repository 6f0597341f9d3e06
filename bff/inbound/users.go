package inbound

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxUsers bounds a file.
const maxUsers = 100_000

// userFile is a file of users and the hashes of their passwords.
type userFile struct {
	hashes map[string]hash
	// nobody is what the password of an unknown user is compared with, so that this takes as long as for most of the others.
	nobody hash
}

// parseUsers reads a file of user:hash lines. Empty lines and those that begin with # do not count. An error names the line, and nothing that stands in it.
func parseUsers(data []byte) (userFile, error) {
	f := userFile{hashes: map[string]hash{}}
	usual := map[string]int{} // how many have these parameters
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		user, text, ok := strings.Cut(line, ":")
		if !ok || !isUser(user) {
			return userFile{}, fmt.Errorf("line %d: is not user:hash", number)
		}
		h, err := parseHash(text)
		if err != nil {
			return userFile{}, fmt.Errorf("line %d: %w", number, err)
		}
		if _, twice := f.hashes[user]; twice {
			return userFile{}, fmt.Errorf("line %d: the user is there twice", number)
		}
		if len(f.hashes) == maxUsers {
			return userFile{}, fmt.Errorf("has more than %d users", maxUsers)
		}
		f.hashes[user] = h
		if usual[h.cost()]++; f.nobody == nil || usual[h.cost()] > usual[f.nobody.cost()] {
			f.nobody = h
		}
	}
	if len(f.hashes) == 0 {
		return userFile{}, errors.New("has no user; make a line by htpasswd -nB alice")
	}
	f.nobody = f.nobody.ofNobody()
	return f, nil
}

// of is the hash of a user's password, or one that no password has.
func (f userFile) of(user string) (h hash, known bool) {
	if h, ok := f.hashes[user]; ok {
		return h, true
	}
	return f.nobody, false
}

// isUser reports whether s can be a user name (RFC 7617, section 2): no colon and no control characters.
func isUser(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r == ':' || unicode.IsControl(r) })
}
