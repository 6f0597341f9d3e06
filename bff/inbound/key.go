package inbound

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"
)

// An API key is ck_, the ID that it is found by, _, 32 random bytes in base64url, and a checksum of all that. By its beginning scanners for
// leaked secrets know it, and by the checksum a typo is refused without asking the store.
const (
	keyPrefix   = "ck_"
	keyID       = 12 // base62
	keySecret   = 43 // base64url of 32 bytes
	keyChecksum = 6  // base62 of CRC-32
	keyLength   = len(keyPrefix) + keyID + 1 + keySecret + keyChecksum
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Key is what is kept of an API key: all but the key. It has 256 random bits, so a plain hash is as good as a slow one.
type Key struct {
	// ID finds it. It is not secret.
	ID string `json:"-"`
	// Hash is SHA-256 of the whole key.
	Hash [sha256.Size]byte `json:"-"`
	// Name is what its maker called it.
	Name string `json:"name"`
	// Roles and Scopes are what its bearer may be and do.
	Roles  []string `json:"roles,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
	// Created is when it was made, Expires when it is over; zero is never.
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
}

// NewKey makes an API key: its text, which nothing here keeps, and what is kept. ID and Hash of k are set here.
func NewKey(k Key) (text string, kept Key, err error) {
	if problem := k.Problem(); problem != "" {
		return "", Key{}, errors.New(problem)
	}
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	k.ID = randomID()
	body := keyPrefix + k.ID + "_" + base64.RawURLEncoding.EncodeToString(secret[:])
	text = body + checksum(body)
	k.Hash = sha256.Sum256([]byte(text))
	return text, k, nil
}

// Problem says what is wrong with what people say of a key; "" for nothing.
func (k Key) Problem() (problem string) {
	if k.Name == "" || len(k.Name) > maxName || strings.ContainsFunc(k.Name, notVisible) {
		return fmt.Sprintf("name %q: give it 1 to %d visible characters", k.Name, maxName)
	}
	if !k.Expires.IsZero() && !k.Created.IsZero() && !k.Expires.After(k.Created) {
		return "expires before it is made"
	}
	report := func(_, p string) {
		if problem == "" {
			problem = p
		}
	}
	badWords(k.Roles, "roles", "role", report)
	badWords(k.Scopes, "scopes", "scope", report)
	return problem
}

func randomID() string {
	var b [16]byte
	rand.Read(b[:])
	id := make([]byte, 0, keyID)
	for len(id) < keyID {
		for _, c := range b {
			if c < 4*62 && len(id) < keyID { // the rest would make some characters likelier
				id = append(id, base62[c%62])
			}
		}
		rand.Read(b[:])
	}
	return string(id)
}

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var out [keyChecksum]byte
	for i := range out {
		out[len(out)-1-i] = base62[sum%62]
		sum /= 62
	}
	return string(out[:])
}

// parseKey returns the ID of a key that is well-formed: of the right length and characters, and with the right checksum.
func parseKey(text string) (id string, ok bool) {
	if len(text) != keyLength || !strings.HasPrefix(text, keyPrefix) {
		return "", false
	}
	body, sum := text[:keyLength-keyChecksum], text[keyLength-keyChecksum:]
	id = body[len(keyPrefix) : len(keyPrefix)+keyID]
	secret := body[len(keyPrefix)+keyID+1:]
	if body[len(keyPrefix)+keyID] != '_' || strings.Trim(id, base62) != "" || sum != checksum(body) {
		return "", false
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(secret); err != nil || strings.ContainsAny(secret, "\r\n") {
		return "", false
	}
	return id, true
}

func isKey(text string) bool {
	_, ok := parseKey(text)
	return ok
}

// IsKeyID reports whether text can be the ID of an API key.
func IsKeyID(text string) bool { return len(text) == keyID && strings.Trim(text, base62) == "" }

// matches decides whether text is the key, in the same time whether it is or not.
func (k Key) matches(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(sum[:], k.Hash[:]) == 1
}

// over reports whether the key has expired.
func (k Key) over(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

// record is a key as the store has it.
type record struct {
	Key
	Hash []byte `json:"hash"`
}

// Encode is the key as a store keeps it, without its ID, by which it is found.
func (k Key) Encode() []byte {
	b, err := json.Marshal(record{k, k.Hash[:]})
	if err != nil { // strings, times and bytes: cannot happen
		panic(err)
	}
	return b
}

// DecodeKey is the inverse of [Key.Encode]. What nobody of us wrote is an error, and no key.
func DecodeKey(id string, data []byte) (Key, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil || len(r.Hash) != sha256.Size || !IsKeyID(id) {
		return Key{}, errors.New("the record of an API key is damaged")
	}
	k := r.Key
	k.ID, k.Hash = id, [sha256.Size]byte(r.Hash)
	k.Roles, k.Scopes = slices.Clip(k.Roles), slices.Clip(k.Scopes)
	return k, nil
}

// KeyID is the ID of an API key that text is, or text itself: what people call a key by.
func KeyID(text string) string {
	if id, ok := parseKey(text); ok {
		return id
	}
	return text
}
