package inbound

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// hash is what is kept of a password, made slow on purpose.
type hash interface {
	// matches decides whether it is this password's. It takes as long for every password.
	matches(password []byte) bool
	// cost tells hashes apart that take different time.
	cost() string
	// ofNobody is a hash of the same cost that no password has.
	ofNobody() hash
	// text is the hash as the file has it.
	text() string
}

// parseHash reads a hash, of a cost that this server is ready to pay for every attempt: whoever writes the file must not be able to stop it.
func parseHash(text string) (hash, error) {
	switch {
	case strings.HasPrefix(text, "$2y$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2a$"):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$argon2id$"):
		return parseArgon2id(text)
	}
	return nil, errors.New("the hash is neither bcrypt ($2y$, $2b$, $2a$) nor argon2id; make one by htpasswd -nB -C 12")
}

// maxBcryptCost makes for about half a second.
const maxBcryptCost = 14

// maxBcryptPassword is what bcrypt looks at, in bytes. It would take a longer password by its beginning.
const maxBcryptPassword = 72

type bcryptHash string

func parseBcrypt(text string) (hash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	switch {
	case err != nil || len(text) != 60 || strings.Trim(text[7:], "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "":
		return nil, errors.New("the hash is no whole bcrypt hash")
	case cost > maxBcryptCost:
		return nil, fmt.Errorf("the hash has cost %d; more than %d would hold the server up", cost, maxBcryptCost)
	}
	return bcryptHash(text), nil
}

func (h bcryptHash) matches(password []byte) bool {
	fits := len(password) <= maxBcryptPassword
	if !fits {
		password = password[:maxBcryptPassword] // hashed all the same: the time must not tell which kind of hash it is
	}
	return bcrypt.CompareHashAndPassword([]byte(h), password) == nil && fits
}

func (h bcryptHash) cost() string { return "bcrypt " + string(h[4:6]) }

func (h bcryptHash) text() string { return string(h) }

// ofNobody has a random salt and a random end: which password leads to it nobody can know.
func (h bcryptHash) ofNobody() hash {
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	random := make([]byte, 53)
	rand.Read(random)
	for i := range random {
		random[i] = alphabet[random[i]%64]
	}
	random[21], random[52] = '.', '.' // the last characters of 16 and of 23 bytes have bits to spare, which must be zero
	return bcryptHash(h[:7]) + bcryptHash(random)
}

// Bounds of argon2id (RFC 9106): memory in KiB for one hash, and memory times passes, which is what takes the time.
const (
	maxArgonMemory  = 256 << 10
	maxArgonWork    = 1 << 20
	maxArgonThreads = 16
)

type argonHash struct {
	memory, passes uint32
	threads        uint8
	salt, sum      string // raw bytes
	raw            string
}

// parseArgon2id reads a PHC string: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>, in base64 without padding.
func parseArgon2id(text string) (hash, error) {
	broken := errors.New("the hash is no argon2id as $argon2id$v=19$m=19456,t=2,p=1$salt$hash")
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[2] != "v=19" {
		return nil, broken
	}
	var n [3]uint64
	params := strings.Split(parts[3], ",")
	if len(params) != len(n) {
		return nil, broken
	}
	for i, name := range []string{"m=", "t=", "p="} {
		value, ok := strings.CutPrefix(params[i], name)
		var err error
		if n[i], err = strconv.ParseUint(value, 10, 32); err != nil || !ok {
			return nil, broken
		}
	}
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	sum, errSum := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errSalt != nil || errSum != nil || len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64 {
		return nil, broken
	}
	if m, t, p := n[0], n[1], n[2]; t < 1 || p < 1 || p > maxArgonThreads || m < 8*p || m > maxArgonMemory || t > maxArgonWork || m*t > maxArgonWork {
		return nil, fmt.Errorf("the hash has m=%d,t=%d,p=%d; this server pays for m up to %d, m times t up to %d, and p from 1 to %d",
			m, t, p, maxArgonMemory, maxArgonWork, maxArgonThreads)
	}
	return argonHash{uint32(n[0]), uint32(n[1]), uint8(n[2]), string(salt), string(sum), text}, nil
}

func (h argonHash) matches(password []byte) bool {
	sum := argon2.IDKey(password, []byte(h.salt), h.passes, h.memory, h.threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, []byte(h.sum)) == 1
}

func (h argonHash) cost() string {
	return fmt.Sprintf("argon2id %d %d %d %d", h.memory, h.passes, h.threads, len(h.sum))
}

func (h argonHash) text() string { return h.raw }

func (h argonHash) ofNobody() hash {
	salt, sum := make([]byte, len(h.salt)), make([]byte, len(h.sum))
	rand.Read(salt)
	rand.Read(sum)
	h.salt, h.sum, h.raw = string(salt), string(sum), h.cost()+" of nobody"
	return h
}
