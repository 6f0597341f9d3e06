package session

import (
	"crypto/sha256"
	"encoding/base64"
)

// ticketChars is the length of 32 bytes in unpadded base64url.
const ticketChars = 43

// ticketKey is what a ticket's characters stand for: the key material of its session.
type ticketKey [32]byte

// strict is base64url without padding that also refuses stray bits in the last character: with them,
// four different cookies would name one session.
var strict = base64.RawURLEncoding.Strict()

// parseTicket returns the key and the session ID of a ticket, or false if its characters are not the
// canonical form of 32 bytes. It is refused before it is hashed, so a foreign value costs nothing and never becomes
// a key in the store.
func parseTicket(ticket string) (ticketKey, ID, bool) {
	if len(ticket) != ticketChars {
		return ticketKey{}, "", false
	}
	var chars [ticketChars]byte
	copy(chars[:], ticket)
	var raw [ticketChars]byte // the decoder may write a few bytes more than it reports
	n, err := strict.Decode(raw[:], chars[:])
	if err != nil || n != len(ticketKey{}) { // fewer bytes: the decoder skips line breaks
		return ticketKey{}, "", false
	}
	return ticketKey(raw[:len(ticketKey{})]), idOf(chars[:]), true
}

// idOf hashes the ticket's characters: knowing the store's keys does not give a cookie.
func idOf(ticket []byte) ID {
	sum := sha256.Sum256(ticket)
	var out [ticketChars]byte
	base64.RawURLEncoding.Encode(out[:], sum[:])
	return ID(out[:])
}

// Short is the part of the ID that logs show.
func (id ID) Short() string { return string(id[:min(8, len(id))]) }
