package session_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/memory"
)

// unanswered is a store whose create takes effect and gets no answer, and whose next ends fail.
type unanswered struct {
	session.Store
	created  session.ID
	failures int
}

// Create implements session.Store.
func (u *unanswered) Create(ctx context.Context, id session.ID, rec session.Record, expires time.Time) error {
	u.created = id
	if err := u.Store.Create(ctx, id, rec, expires); err != nil {
		return err
	}
	return errLost
}

// End implements session.Store.
func (u *unanswered) End(ctx context.Context, id session.ID, mark time.Duration, reason string) (bool, error) {
	if u.failures > 0 {
		u.failures--
		return false, errLost
	}
	return u.Store.End(ctx, id, mark, reason)
}

// A sign-in whose create got no answer failed for its user, and leaves no session; if even its end cannot be written, a logout finds it.
func TestSignInWithoutAnswer(t *testing.T) {
	for name, c := range map[string]struct{ failures, found int }{"leaves nothing": {0, 0}, "is found by a logout": {1, 1}} {
		t.Run(name, func(t *testing.T) {
			st := &unanswered{Store: memory.New(memory.Config{MaxSessions: 10}), failures: c.failures}
			defer st.Close()
			w := twinsOn(t, &clock{}, st, st)
			s := w.alice()
			if err := w.both[0].Start(t.Context(), httptest.NewRecorder(), s); err == nil || isNone(err) {
				t.Fatalf("start = %v, want an outage", err)
			}
			if ended, err := w.both[1].EndByProvider(t.Context(), s.Issuer, s.Subject, "", s.IssuedAt); ended != c.found || err != nil {
				t.Errorf("the logout ended %d (%v), want %d", ended, err, c.found)
			}
			if _, err := st.Read(t.Context(), st.created); !isNone(err) {
				t.Errorf("read = %v, want ErrNone: it is there still", err)
			}
		})
	}
}
