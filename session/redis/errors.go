package redis

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// outage wraps an error of the library: an outage, but for values of the wrong type.
func (s *Store) outage(what string, err error) error {
	if goredis.HasErrorPrefix(err, "WRONGTYPE") {
		return fmt.Errorf("redis: %s: value of the wrong type: %w", what, session.ErrCorrupt)
	}
	return conceal(what, err, s.secrets)
}

// conceal wraps an error of the library without the secrets that it may quote.
func conceal(what string, err error, secrets []string) error {
	text := err.Error()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			// The chain goes too: whoever unwraps it would print the secret.
			return fmt.Errorf("redis: %s: %s", what, strings.ReplaceAll(text, secret, "[secret]"))
		}
	}
	return fmt.Errorf("redis: %s: %w", what, err)
}

// forbiddenIn is what no error of a client with these options may contain.
func forbiddenIn(opt *goredis.UniversalOptions) []string {
	return append(forbidden(opt.Password), forbidden(opt.SentinelPassword)...)
}

// forbidden lists the forms in which a password could stand in an error. A server that does not know HELLO or AUTH
// quotes their arguments.
func forbidden(password string) []string {
	if password == "" {
		return nil
	}
	return []string{password, url.QueryEscape(password), url.PathEscape(password), fmt.Sprintf("%q", password)}
}

// verdict translates the number that a script answers.
func verdict(what string, answer any) error {
	switch answer {
	case int64(done):
		return nil
	case int64(conflict):
		return session.ErrConflict
	case int64(ended):
		return session.ErrEnded
	case int64(tooMany):
		return session.ErrTooMany
	case int64(none):
		return session.ErrNone
	case int64(corrupt):
		return damaged(what, "value is too short or no number")
	}
	return errors.New("redis: " + what + ": unexpected answer")
}

// isUnreplicated tells whether a write is there, but on too few replicas.
func isUnreplicated(err error) bool { return errors.Is(err, session.ErrUnreplicated) }

// damaged reports a value that no store of ours wrote. what names the kind of key.
func damaged(what, why string) error {
	return fmt.Errorf("redis: %s: %s: %w", what, why, session.ErrCorrupt)
}

// lazy is formatted only where the record is written.
type lazy struct {
	format string
	args   []any
}

// String formats it.
func (l lazy) String() string { return fmt.Sprintf(l.format, l.args...) }
