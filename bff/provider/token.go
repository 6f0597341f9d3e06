package provider

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// maxToken bounds ID tokens and logout tokens, in bytes.
const maxToken = 16 << 10

// signedToken is a token that has been taken apart. Nothing of it is to be believed before its signature has been verified.
type signedToken struct {
	raw     string
	alg     string
	typ     string // lower case, without "application/"
	keyID   string // may be empty
	payload []byte
	claims  map[string]any
}

// parseToken takes apart a compact JWS (RFC 7515, section 7.1) and judges its header. It is stricter than the library that verifies: exactly three parts,
// canonical base64url, distinct members, a configured algorithm and no extension. `jwk`, `jku`, `x5u` and `x5c` are not looked
// at, here or anywhere: a token does not bring its own key (RFC 8725, section 3.10).
func parseToken(raw string, algs []string) (signedToken, error) {
	t := signedToken{raw: raw}
	if len(raw) > maxToken {
		return t, refuse(ReasonTokenTooLarge, "")
	}
	parts := strings.Split(raw, ".")
	switch len(parts) {
	case 3:
	case 5:
		return t, refuse(ReasonTokenEncrypted, "")
	default:
		return t, refuse(ReasonTokenMalformed, "not three parts")
	}
	if _, err := decodePart(parts[2]); err != nil {
		return t, refuse(ReasonTokenMalformed, "signature is not base64url")
	}
	header, err := decodeJSONPart(parts[0])
	if err != nil {
		return t, refuse(ReasonTokenMalformed, "header is not base64url of a JSON object with distinct members")
	}
	if t.payload, err = decodePart(parts[1]); err == nil {
		t.claims, err = decodeObject(t.payload)
	}
	if err != nil {
		return t, refuse(ReasonTokenMalformed, "payload is not base64url of a JSON object with distinct members")
	}
	return t, t.judgeHeader(header, algs)
}

func (t *signedToken) judgeHeader(header map[string]any, algs []string) error {
	alg, ok := header["alg"].(string)
	if !ok || !slices.Contains(algs, alg) {
		return refuse(ReasonTokenAlgorithm, "")
	}
	for _, name := range []string{"crit", "b64"} { // no extension is understood, that of RFC 7797 included
		if _, ok := header[name]; ok {
			return refuse(ReasonTokenCritical, "")
		}
	}
	if typ, there := header["typ"]; there {
		s, ok := typ.(string)
		if !ok || s == "" {
			return refuse(ReasonTokenType, "typ is not text")
		}
		t.typ = strings.TrimPrefix(strings.ToLower(s), "application/")
	}
	t.alg = alg
	t.keyID, _ = header["kid"].(string)
	return nil
}

// verify checks the signature. The payload that it covers is the one that was judged.
func (t signedToken) verify(ctx context.Context, keys *keySet) error {
	payload, err := keys.verify(ctx, t.raw, t.keyID)
	if err != nil {
		return err
	}
	if !bytes.Equal(payload, t.payload) {
		return refuse(ReasonSignature, "another payload is signed")
	}
	return nil
}

func decodeJSONPart(part string) (map[string]any, error) {
	b, err := decodePart(part)
	if err != nil {
		return nil, err
	}
	return decodeObject(b)
}

// decodePart decodes base64url without padding. Strict: line breaks and stray bits at the end, which Go would skip, are refused.
func decodePart(part string) ([]byte, error) {
	if part == "" || strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("empty or with line breaks")
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}
