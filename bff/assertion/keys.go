package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"

	"github.com/go-jose/go-jose/v4"

	"cloakroom/configs/secret"
)

// What may be wrong with a key. None repeats anything of it.
var (
	errNoPEM     = errors.New("is no private key in PEM; make one with openssl genpkey -algorithm ed25519, and name the file: ${file:assertion.pem}")
	errEncrypted = errors.New("is encrypted with a passphrase, which nobody is there to type; keep the file itself from others")
	errPublic    = errors.New("is a public key or a certificate; the private key is wanted")
	errRSA       = errors.New("is an RSA key, whose signatures are slow and long; make one with openssl genpkey -algorithm ed25519")
	errCurve     = errors.New("is on another curve than P-256; make one with openssl genpkey -algorithm ed25519")
	errSeveral   = errors.New("has more than one key; give each its own entry")
)

// readKey reads one PEM block. Its ID is the key's thumbprint (RFC 7638), so that every replica calls it the same.
func readKey(text secret.String) (jose.JSONWebKey, error) {
	block, rest := pem.Decode([]byte(text.Reveal()))
	for block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam -genkey puts the curve before
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return jose.JSONWebKey{}, errNoPEM
	}
	if more, _ := pem.Decode(rest); more != nil {
		return jose.JSONWebKey{}, errSeveral
	}
	private, err := parse(block)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	key := jose.JSONWebKey{Key: private, Use: "sig"}
	switch k := private.(type) {
	case ed25519.PrivateKey:
		key.Algorithm = string(jose.EdDSA)
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return jose.JSONWebKey{}, errCurve
		}
		key.Algorithm = string(jose.ES256)
	case *rsa.PrivateKey:
		return jose.JSONWebKey{}, errRSA
	default:
		return jose.JSONWebKey{}, errNoPEM
	}
	public := key.Public()
	print, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, errNoPEM
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(print)
	return key, nil
}

// parse reads what a block says that it is. The errors of the parsers may quote bytes of the key; they are dropped.
func parse(block *pem.Block) (any, error) {
	switch block.Type {
	case "PRIVATE KEY":
		if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			return k, nil
		}
	case "EC PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, errEncrypted
		}
		if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return k, nil
		}
	case "ENCRYPTED PRIVATE KEY":
		return nil, errEncrypted
	case "RSA PRIVATE KEY":
		return nil, errRSA
	case "PUBLIC KEY", "CERTIFICATE", "RSA PUBLIC KEY":
		return nil, errPublic
	}
	return nil, errNoPEM
}

// publicSet is the JSON Web Key Set of the public keys (RFC 7517).
func publicSet(keys []jose.JSONWebKey) ([]byte, error) {
	set := jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.Public())
	}
	return json.Marshal(set)
}
