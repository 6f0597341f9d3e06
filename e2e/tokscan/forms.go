package tokscan

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
)

// form is one way in which a secret can be written.
type form struct{ name, text string }

// forms lists the ways in which value is searched for. A JSON Web Token's payload and signature are
// searched for alone too: the header alone says nothing.
func forms(value string) []form {
	list := encodings(value)
	if parts := strings.Split(value, "."); len(parts) == 3 && strings.HasPrefix(value, "eyJ") {
		for _, part := range parts[1:] {
			if len(part) >= Shortest {
				list = append(list, encodings(part)...)
			}
		}
	}
	return list
}

func encodings(value string) []form {
	hexed := hex.EncodeToString([]byte(value))
	list := []form{
		{"plain", value},
		{"hex", hexed},
		{"upper-case hex", strings.ToUpper(hexed)},
		{"redis-escaped hex", escapedHex(value)},
	}
	for _, encoded := range []string{url.QueryEscape(value), url.PathEscape(value), escapeAll(value)} {
		if encoded != value {
			list = append(list, form{"URL-encoded", encoded})
		}
	}
	for offset := range 3 {
		list = append(list,
			form{"base64", aligned(base64.StdEncoding, value, offset)},
			form{"base64url", aligned(base64.URLEncoding, value, offset)})
	}
	return list
}

// aligned returns the characters that value's base64 has wherever it starts offset bytes after a group of three:
// the first and last characters depend on the neighbours and are cut.
func aligned(enc *base64.Encoding, value string, offset int) string {
	raw := append(make([]byte, offset), value...)
	text := enc.WithPadding(base64.NoPadding).EncodeToString(raw)
	first := []int{0, 2, 3}[offset]
	last := len(raw) * 8 / 6
	return text[first:last]
}

// escapeAll writes every byte as %XX, as a nervous encoder would.
func escapeAll(value string) string {
	return "%" + strings.ToUpper(strings.Join(pairs(value), "%"))
}

// escapedHex is how Redis' MONITOR writes bytes that it does not print.
func escapedHex(value string) string {
	return `\x` + strings.Join(pairs(value), `\x`)
}

func pairs(value string) []string {
	out := make([]string, len(value))
	for i := range len(value) {
		out[i] = hex.EncodeToString([]byte{value[i]})
	}
	return out
}
