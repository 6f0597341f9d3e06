package secret_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"cloakroom/configs/secret"
)

// CRY-01: weak, short and default keys refuse the start.
func TestWeakSecretsAreFound(t *testing.T) {
	for name, s := range map[string]string{
		"one that is short":                      "4f9cZ0pQ7w",
		"one byte repeated":                      strings.Repeat("a", 64),
		"zero bytes":                             strings.Repeat("\x00", 32),
		"a block repeated":                       strings.Repeat("Gk3$", 10),
		"one that counts":                        "0123456789abcdef0123456789ABCDEFGH",
		"the alphabet":                           "abcdefghijklmnopqrstuvwxyz012345",
		"an example in words":                    "changeme-changeme-changeme-please",
		"a default with a number":                "my-super-secret-session-secret-1",
		"one from another project's manual":      "OQINaROshtE9TcZkNAm-5Zs2Pv3xaWytBmc5W7sPX7w=",
		"one with a line break at its end":       "8b3Kd02mNq7Rt5vXz1Lp9sWc4Yf6Hj0G\n",
		"capitals do not make an example better": "CHANGEME_CHANGEME_CHANGEME_12345",
	} {
		t.Run(name, func(t *testing.T) {
			got := secret.String(s).Weakness(32)
			if got == "" {
				t.Fatalf("Weakness(%q) found nothing", s)
			}
			if len(s) > 4 && strings.Contains(got, s) {
				t.Errorf("the reason repeats the secret: %s", got)
			}
		})
	}
}

func TestRandomSecretsAreFine(t *testing.T) {
	for range 20000 {
		b := make([]byte, 32)
		rand.Read(b)
		for _, s := range []string{base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b), hex.EncodeToString(b), hex.EncodeToString(b[:16])} {
			if got := secret.String(s).Weakness(32); got != "" {
				t.Fatalf("Weakness(%q) = %q", s, got)
			}
		}
		if s := hex.EncodeToString(b[:8]); secret.String(s).Weakness(16) != "" {
			t.Fatalf("Weakness(%q) = %q", s, secret.String(s).Weakness(16))
		}
	}
}
