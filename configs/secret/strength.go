package secret

import (
	"fmt"
	"strings"
)

// words are what people leave in a secret that they copied from somewhere. They do not count.
var words = []string{
	"changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me", "placeholder",
	"supersecret", "super-secret", "client-secret", "client_secret", "clientsecret", "session-secret", "secret",
	"password", "passw0rd", "example", "default", "insecure", "sample", "dummy", "your-", "your_",
	"qwerty", "letmein", "deadbeef", "cloakroom", "keycloak", "development",
}

// published are random-looking secrets that stand in other projects' documentation, from where they are copied.
var published = []string{
	"OQINaROshtE9TcZkNAm-5Zs2Pv3xaWytBmc5W7sPX7w=", // OAuth2 Proxy
	"ZXhhbXBsZS1hcHAtc2VjcmV0",                     // Dex
}

// Weakness says why s is no secret of at least min bytes, or nothing if no reason is found. It finds
// what people type and copy, not every weak generator. The answer holds nothing of s.
func (s String) Weakness(min int) string {
	text := string(s)
	for _, p := range published {
		if text == p {
			return "is printed in a public documentation; make your own, with openssl rand -base64 32"
		}
	}
	rest := withoutWords(text)
	switch {
	case len(text) < min:
		return fmt.Sprintf("is shorter than %d bytes; make one with openssl rand -base64 32", min)
	case strings.TrimSpace(text) != text:
		return "begins or ends with white space, which is rarely meant; take it away"
	case len(rest) < min && len(rest) < len(text):
		return "is an example or a default; make your own, with openssl rand -base64 32"
	case distinct(text) < distinctWanted(min) || repeats(text) || counts(text):
		return "is easy to guess: it repeats or counts; make one with openssl rand -base64 32"
	}
	return ""
}

func withoutWords(text string) string {
	text = strings.ToLower(text)
	for _, w := range words {
		text = strings.ReplaceAll(text, w, "")
	}
	return text
}

// distinctWanted is fewer different bytes than all but one in a million random hexadecimal secrets of this length have.
func distinctWanted(min int) int {
	if min >= 32 {
		return 8
	}
	return 5
}

func distinct(text string) int {
	seen := map[byte]bool{}
	for i := range len(text) {
		seen[text[i]] = true
	}
	return len(seen)
}

// repeats tells whether text is one block over and over.
func repeats(text string) bool {
	for block := 1; block <= len(text)/2; block++ {
		if text[block:] == text[:len(text)-block] {
			return true
		}
	}
	return false
}

// counts tells whether most bytes follow the byte before by the same small step, as in 0123456789abcdef.
func counts(text string) bool {
	var steps [3]int // down, none, up
	for i := 1; i < len(text); i++ {
		if d := int(text[i]) - int(text[i-1]); d >= -1 && d <= 1 {
			steps[d+1]++
		}
	}
	return max(steps[0], steps[1], steps[2]) > len(text)/2
}
