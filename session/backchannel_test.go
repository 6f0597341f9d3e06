package session

import (
	"errors"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// BCL-22: a process that is stopped in the middle of a sign-in, and goes on when its index entries may have been dropped and the mark of a logout
// is over, hands out no session that nobody can find.
func TestInterruptedSignInIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFakeStore()
		one, two := newHouse(t, st.view(), newFakeProvider()), newHouse(t, st, newFakeProvider())
		one.store.(*fakeStore).before = func(op string) error {
			if op == "create" {
				if _, err := two.EndByProvider(t.Context(), issuer, "alice", "", time.Now()); err != nil {
					t.Error(err)
				}
				time.Sleep(endedMark + time.Second)
				clear(st.marks) // the stand-in's do not expire
			}
			return nil
		}
		w := httptest.NewRecorder()
		if err := one.Start(t.Context(), w, alice(time.Hour)); err == nil {
			t.Error("Start = nil, want an error")
		}
		if len(w.Header()) != 0 || len(st.records) != 0 {
			t.Errorf("%d records, headers %v", len(st.records), w.Header())
		}
	})
}

// Whoever hears of an end gets the newest tokens, to revoke them, also in a process whose copy is older.
func TestEndsKnowTheNewestTokens(t *testing.T) {
	for name, end := range map[string]func(*house, *Session) error{
		"by the provider": func(h *house, _ *Session) error {
			_, err := h.EndByProvider(t.Context(), issuer, "", "sid-1", time.Now().Add(time.Hour))
			return err
		},
		"by ID": func(h *house, s *Session) error { return h.End(t.Context(), s.ID(), "admin") },
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				var got string
				one := newHouse(t, w.st.view(), w.p, func(_ *Config, d *Deps) {
					d.Ended = func(s *Session, _ string) { got = s.Tokens.Refresh }
				})
				s := one.read(t, w.r)
				time.Sleep(justExpired)
				w.wantToken(t, w.two, "access after refresh-0")
				if err := end(one, s); err != nil {
					t.Fatal(err)
				}
				if got != "refresh-0+" {
					t.Errorf("ended with refresh token %q, want the newest", got)
				}
			})
		})
	}
}

// A back-channel logout leaves no dead entries, also where no copy says which indexes a session is in.
func TestLogoutCleansTheIndexes(t *testing.T) {
	for name, sid := range map[string]string{"by sid": "sid-1", "by subject": ""} {
		t.Run(name, func(t *testing.T) {
			st := newFakeStore()
			one, two := newHouse(t, st, newFakeProvider()), newHouse(t, st, newFakeProvider())
			one.signIn(t, alice(time.Hour))
			if n, err := two.EndByProvider(t.Context(), issuer, "alice", sid, time.Now()); n != 1 || err != nil {
				t.Fatalf("EndByProvider = %d, %v", n, err)
			}
			if n := len(st.list(userIndex(issuer, "alice"))) + len(st.list(providerIndex(issuer, "sid-1"))); n != 0 {
				t.Errorf("%d index entries left", n)
			}
		})
	}
}

// BCL-23: a store that hangs in the middle of a logout of many sessions does not hold the provider up: it hears in bounded time that not all have ended,
// and its next try ends the rest.
func TestLogoutOfManyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFakeStore()
		h := newHouse(t, st.view(), newFakeProvider())
		const sessions = 500
		for range sessions {
			h.signIn(t, alice(time.Hour))
		}
		hang := h.store.(*fakeStore)
		hang.before = func(op string) error {
			if op == "end" {
				time.Sleep(time.Second)
				return errDown
			}
			return nil
		}
		begin := time.Now()
		ended, err := h.EndByProvider(t.Context(), issuer, "alice", "", time.Now())
		if took := time.Since(begin); ended != 0 || err == nil || took > 10*time.Second {
			t.Errorf("EndByProvider = %d, %v after %v", ended, err, took)
		}
		hang.breakWith(nil)
		if ended, err := h.EndByProvider(t.Context(), issuer, "alice", "", time.Now()); ended != sessions || err != nil {
			t.Errorf("the second try: %d, %v", ended, err)
		}
	})
}

// BCL-22 for sessions whose ID token has no sid: a logout that names a subject and a session arrives between any two steps of the sign-in, and wins. Sign-ins of the
// same user that hang on another session of the provider's, and later ones, go on.
func TestLogoutOfASessionOvertakesASignInThatNamesNone(t *testing.T) {
	for _, step := range []string{"addindex", "create"} {
		for name, tt := range map[string]struct {
			sid  string
			late time.Duration
			err  error
		}{
			"without a sid":           {"", 0, ErrEnded},
			"without a sid, later on": {"", time.Second, nil},
			"of another sid":          {"sid-2", 0, nil},
		} {
			t.Run(name+", before "+step, func(t *testing.T) {
				st := newFakeStore()
				h := newHouse(t, st, newFakeProvider())
				s := alice(time.Hour)
				s.ProviderSession = tt.sid
				done := false
				st.before = func(op string) error {
					if op == step && !done {
						done = true
						if _, err := h.EndByProvider(t.Context(), issuer, "alice", "sid-1", s.IssuedAt.Add(-tt.late)); err != nil {
							t.Error(err)
						}
					}
					return nil
				}
				if err := h.Start(t.Context(), httptest.NewRecorder(), s); !errors.Is(err, tt.err) {
					t.Errorf("Start = %v, want %v", err, tt.err)
				}
			})
		}
	}
}
