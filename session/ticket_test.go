package session

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

func TestTicket(t *testing.T) {
	good := base64.RawURLEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for name, tt := range map[string]struct {
		ticket string
		ok     bool
	}{
		"32 bytes in base64url":                {good, true},
		"nothing":                              {"", false},
		"SES-02: a short value":                {"AAAA", false},
		"one character more":                   {good + "A", false},
		"padding":                              {good[:42] + "=", false},
		"stray bits in the last character":     {good[:42] + "Z", false},
		"the other base64 alphabet":            {"+" + good[1:], false},
		"a line break, which decoders skip":    {good[:20] + "\n" + good[21:], false},
		"a NUL":                                {good[:20] + "\x00" + good[21:], false},
		"characters of two bytes":              {strings.Repeat("é", 21) + "A", false},
		"43 characters that are 43 x the same": {strings.Repeat("A", 43), true},
	} {
		t.Run(name, func(t *testing.T) {
			_, id, ok := parseTicket(tt.ticket)
			if ok != tt.ok {
				t.Fatalf("parseTicket(%q) ok = %v, want %v", tt.ticket, ok, tt.ok)
			}
			sum := sha256.Sum256([]byte(tt.ticket))
			if want := ID(base64.RawURLEncoding.EncodeToString(sum[:])); ok && id != want {
				t.Errorf("ID = %q, want the hash of the characters %q", id, want)
			}
		})
	}
}

// A ticket that is taken is the only spelling of its bytes.
func FuzzTicket(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Add(strings.Repeat("A", 43))
	f.Add(strings.Repeat("_", 42) + "8")
	f.Add(strings.Repeat("A", 42) + "B")
	f.Add(strings.Repeat("A", 42) + "\n")
	f.Add(strings.Repeat("A", 42) + "=")
	f.Fuzz(func(t *testing.T, ticket string) {
		key, id, ok := parseTicket(ticket)
		if !ok {
			return
		}
		if back := base64.RawURLEncoding.EncodeToString(key[:]); back != ticket {
			t.Errorf("%q was taken for %q", ticket, back)
		}
		if len(id) != 43 || string(id) == ticket {
			t.Errorf("ID of %q is %q", ticket, id)
		}
	})
}
