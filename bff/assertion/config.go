package assertion

import (
	"fmt"
	"slices"

	"cloakroom/configs/secret"
)

// Config is what assertions are signed with.
type Config struct {
	// Keys are private keys in PEM, P-256 (ES256) or Ed25519 (EdDSA), the same in every replica: openssl genpkey -algorithm ed25519. The first one signs, the
	// public parts of all are at /.well-known/jwks.json. Needed where a route has headers.assertion.
	Keys []secret.String `yaml:"keys" default:"[]"`
}

// maxKeys bounds the published set: more than two are there only by mistake.
const maxKeys = 8

// Validate reports what is wrong with the keys.
func (c Config) Validate(report func(key, problem string)) {
	if len(c.Keys) > maxKeys {
		report("keys", fmt.Sprintf("are more than %d; one signs, and the one before is needed for minutes", maxKeys))
		return
	}
	var ids []string
	for i, k := range c.Keys {
		key := fmt.Sprintf("keys[%d]", i)
		jwk, err := readKey(k)
		switch {
		case err != nil:
			report(key, err.Error())
		case slices.Contains(ids, jwk.KeyID):
			report(key, "is there twice; one of them is enough")
		default:
			ids = append(ids, jwk.KeyID)
		}
	}
}
