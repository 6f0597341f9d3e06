package inbound

import (
	"strings"
)

// maxToken bounds an access token, in bytes. It is looked at before anything else is.
const maxToken = 16 << 10

// signedToken is a token that has been taken apart. Nothing of it is to be believed before its signature has been verified.
type signedToken struct {
	raw     string
	alg     string
	keyID   string // may be empty
	payload []byte
	claims  map[string]any
}

// parseToken takes apart a compact JWS (RFC 7515, section 7.1) and judges its header, but for the algorithm, which is a matter of the issuer. It is
// stricter than the library that verifies: exactly three parts, canonical base64url, distinct members, no extension. `jwk`, `jku`, `x5u` and `x5c` are
// not looked at, here or anywhere: a token does not bring its own key (RFC 8725, section 3.10).
func parseToken(raw string) (signedToken, *Refusal) {
	t := signedToken{raw: raw}
	if len(raw) > maxToken {
		return t, refuse(ReasonTokenTooLarge, "")
	}
	parts := strings.SplitN(raw, ".", 6)
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
	return t, t.judgeHeader(header)
}

func (t *signedToken) judgeHeader(header map[string]any) *Refusal {
	for _, name := range []string{"crit", "b64"} { // no extension is understood, that of RFC 7797 included
		if _, ok := header[name]; ok {
			return refuse(ReasonTokenCritical, "")
		}
	}
	// RFC 9068, section 4: at+jwt or application/at+jwt, and nothing else. An ID token has JWT, or nothing.
	typ, _ := header["typ"].(string)
	if strings.TrimPrefix(strings.ToLower(typ), "application/") != "at+jwt" {
		return refuse(ReasonTokenType, "")
	}
	t.alg, _ = header["alg"].(string)
	if kid, there := header["kid"]; there {
		id, ok := kid.(string)
		if !ok {
			return refuse(ReasonTokenMalformed, "kid is not text")
		}
		t.keyID = id
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
