package session

import (
	"errors"
	"time"

	"cloakroom/configs/secret"
)

// Reconfigure takes what may change while sessions are in use: the secrets, and how long a call of Deps.Refresh takes. After an error nothing has changed.
//
// What is sealed from now on is sealed with the first secret. A session whose secret is not among them is none from now on, whether this process has it
// open or not; requests that have it in hand already finish with it. A refresh that is under way seals its session anew.
func (m *Manager) Reconfigure(secrets []secret.String, refreshTimeout time.Duration) error {
	if err := checkSecrets(secrets); err != nil {
		return err
	}
	if err := m.seal.rekey(secrets); err != nil {
		return err
	}
	m.callTime.Store(int64(refreshTimeout))
	m.copies.forget(m.seal.knows)
	return nil
}

func checkSecrets(secrets []secret.String) error {
	if len(secrets) == 0 {
		return errors.New("session: no secret")
	}
	for _, s := range secrets {
		if len(s.Reveal()) < 32 {
			return errors.New("session: a secret is shorter than 32 bytes")
		}
	}
	return nil
}

// refreshTimeout is the longest that a call of Deps.Refresh takes. It may grow in the middle of a flight, which then renews its lease before it sends.
func (m *Manager) refreshTimeout() time.Duration { return time.Duration(m.callTime.Load()) }
