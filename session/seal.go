package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"cloakroom/configs/secret"
)

// A sealed value is, in this order:
//
//	format     1 byte
//	secret ID  8 bytes, which of the server's secrets sealed it
//	deadline   8 bytes, milliseconds since 1970: when the session ends whatever happens
//	nonce     12 bytes
//	AES-256-GCM ciphertext and tag
//
// The additional data is the plain part without the nonce, then the session ID and the version. So a
// value opens only under the key and at the version it was written for: it can be neither moved to
// another session nor presented again as a later version, and its deadline cannot be stretched.
//
// The format covers the ciphertext's content as well (codec.go).
const sealFormat = 1

const (
	secretIDSize = 8
	plainSize    = 1 + secretIDSize + 8
	nonceSize    = 12
	headSize     = plainSize + nonceSize
)

// unreadable is why a sealed value does not open. It is a reason code for the log.
type unreadable string

func (u unreadable) Error() string { return "sealed session is unreadable: " + string(u) }

const (
	errFormat  unreadable = "format"         // written by a version that this one does not know
	errSecret  unreadable = "unknown_secret" // sealed with a secret that is not configured here
	errForged  unreadable = "forged"         // damaged, swapped, rolled back or made up
	errContent unreadable = "content"        // authentic, but not what the format promises
	errDamaged unreadable = "damaged"        // the store itself does not recognise it
)

// sealKey is one of the server's secrets, ready for use.
type sealKey struct {
	id     [secretIDSize]byte
	secret []byte
	info   cipher.AEAD // seals what belongs to no ticket: the members of an index
}

// sealer seals with its first key and opens with any. The keys may be others from one moment to the next.
type sealer struct{ keys atomic.Pointer[[]sealKey] }

func newSealer(secrets []secret.String) (*sealer, error) {
	s := &sealer{}
	return s, s.rekey(secrets)
}

// rekey puts the keys of these secrets in the place of all before, or none of them.
func (s *sealer) rekey(secrets []secret.String) error {
	keys := make([]sealKey, 0, len(secrets))
	for _, one := range secrets {
		k := sealKey{secret: []byte(one.Reveal())}
		id, err := hkdf.Key(sha256.New, k.secret, nil, "cloakroom secret id v1", secretIDSize)
		if err != nil {
			return fmt.Errorf("derive secret ID: %w", err)
		}
		k.id = [secretIDSize]byte(id)
		if k.info, err = aead(k.secret, nil, "cloakroom index v1"); err != nil {
			return err
		}
		keys = append(keys, k)
	}
	s.keys.Store(&keys)
	return nil
}

// first is the key that seals.
func (s *sealer) first() sealKey { return (*s.keys.Load())[0] }

// seal seals a session's content with the first secret and the session's own ticket.
func (s *sealer) seal(t ticketKey, id ID, version uint64, deadline time.Time, content []byte) ([]byte, error) {
	k := s.first()
	gcm, err := k.forTicket(t)
	if err != nil {
		return nil, err
	}
	return sealWith(gcm, k.id, string(id), version, deadline, content), nil
}

// open undoes seal. The error is an unreadable.
func (s *sealer) open(t ticketKey, id ID, version uint64, sealed []byte) ([]byte, time.Time, error) {
	k, err := s.keyOf(sealed)
	if err != nil {
		return nil, time.Time{}, err
	}
	gcm, err := k.forTicket(t)
	if err != nil {
		return nil, time.Time{}, err
	}
	return openWith(gcm, string(id), version, sealed)
}

// sealInfo seals what an index holds about a session. It opens without a ticket, so no token goes there.
func (s *sealer) sealInfo(place string, content []byte) []byte {
	k := s.first()
	return sealWith(k.info, k.id, place, 0, time.UnixMilli(0), content)
}

// openInfo undoes sealInfo, at the same place only.
func (s *sealer) openInfo(place string, sealed []byte) ([]byte, error) {
	k, err := s.keyOf(sealed)
	if err != nil {
		return nil, err
	}
	content, _, err := openWith(k.info, place, 0, sealed)
	return content, err
}

// keyOf finds the key that a sealed value names.
func (s *sealer) keyOf(sealed []byte) (sealKey, error) {
	if len(sealed) == 0 || sealed[0] != sealFormat {
		return sealKey{}, errFormat
	}
	if len(sealed) < headSize {
		return sealKey{}, errForged
	}
	for _, k := range *s.keys.Load() {
		if k.id == [secretIDSize]byte(sealed[1:1+secretIDSize]) {
			return k, nil
		}
	}
	return sealKey{}, errSecret
}

// knows reports whether a sealed value names a key that opens.
func (s *sealer) knows(sealed []byte) bool {
	_, err := s.keyOf(sealed)
	return err == nil
}

// SealKeys derives 32-byte keys for another purpose, which info names, from every secret: the first one seals, all of them open.
func SealKeys(secrets []secret.String, info string) ([][]byte, error) {
	var keys [][]byte
	for _, one := range secrets {
		key, err := hkdf.Key(sha256.New, []byte(one.Reveal()), nil, "cloakroom other "+info, 32)
		if err != nil {
			return nil, fmt.Errorf("derive key: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// forTicket makes the key that needs both the ticket and the secret: neither the store's owner nor a stolen cookie opens a session alone.
func (k sealKey) forTicket(t ticketKey) (cipher.AEAD, error) {
	return aead(t[:], k.secret, "cloakroom session v1")
}

func aead(key, salt []byte, info string) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, key, salt, info, 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

func sealWith(gcm cipher.AEAD, secretID [secretIDSize]byte, place string, version uint64, deadline time.Time, content []byte) []byte {
	out := make([]byte, 0, headSize+len(content)+gcm.Overhead())
	out = append(out, sealFormat)
	out = append(out, secretID[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(deadline.UnixMilli()))
	ad := additional(out, place, version)
	out = out[:headSize]
	rand.Read(out[plainSize:]) // never fails: crypto/rand ends the process instead
	return gcm.Seal(out, out[plainSize:], content, ad)
}

func openWith(gcm cipher.AEAD, place string, version uint64, sealed []byte) ([]byte, time.Time, error) {
	content, err := gcm.Open(nil, sealed[plainSize:headSize], sealed[headSize:], additional(sealed[:plainSize], place, version))
	if err != nil {
		return nil, time.Time{}, errForged
	}
	deadline := time.UnixMilli(int64(binary.BigEndian.Uint64(sealed[1+secretIDSize:]))).UTC()
	return content, deadline, nil
}

// additional is what is authenticated beside the content. All parts but the place have a fixed size, so no two inputs look alike.
func additional(plain []byte, place string, version uint64) []byte {
	ad := make([]byte, 0, plainSize+8+len(place))
	ad = append(ad, plain...)
	ad = binary.BigEndian.AppendUint64(ad, version)
	return append(ad, place...)
}
