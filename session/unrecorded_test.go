package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// loseUpdates lets the next write of a process take effect and loses its answer; what follows does not arrive, as long as lost says so.
func loseUpdates(st *fakeStore, lost func() bool) {
	written := false
	st.before = func(op string) error {
		if op == "update" && written && lost() {
			return errDown
		}
		return nil
	}
	st.after = func(op string) error {
		if op == "update" && !written {
			written = true
			return errDown
		}
		return nil
	}
}

// SES-20: the answer to the recording of an attempt is lost on the way, for once or for a while. It is written again until that is known, and the token is sent
// once, as the first time.
func TestLostAnswerOfTheRecording(t *testing.T) {
	for name, lost := range map[string]int{"once": 1, "three times": 3} {
		t.Run(name, func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				time.Sleep(justExpired)
				loseUpdates(w.st, func() bool { lost--; return lost > 0 })
				w.wantToken(t, w.one, "access after refresh-0")
				if _, results := w.one.reported(); !slices.Equal(results, []string{RefreshOK}) || w.p.calls != 1 {
					t.Errorf("results %q, %d calls", results, w.p.calls)
				}
			})
		})
	}
}

// SES-20: while answers are lost for so long that nobody knows whether an attempt is on record, the token is not sent; and as it was not, the session does not end, however
// often that happens, nor is the first call counted as a repeat.
func TestAnAttemptThatWasNeverMadeCountsForNothing(t *testing.T) {
	for name, outage := range map[string]time.Duration{
		"it is taken back":                           4 * time.Second,
		"it stays on record, and is known by itself": 8 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				time.Sleep(justExpired)
				for range 3 {
					begin := time.Now()
					loseUpdates(w.st, func() bool { return time.Since(begin) < outage })
					w.wantError(t, w.one, ErrNoToken)
					time.Sleep(11 * time.Second)
				}
				w.wantToken(t, w.one, "access after refresh-0")
				if ended, results := w.one.reported(); len(ended) != 0 || !slices.Equal(results, []string{RefreshOK}) || w.p.calls != 1 {
					t.Errorf("ended %q, results %q, %d calls", ended, results, w.p.calls)
				}
			})
		})
	}
}

// What was taken back is so for every process.
func TestAnAttemptThatWasTakenBackCountsForNobody(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		time.Sleep(justExpired)
		begin := time.Now()
		loseUpdates(w.st, func() bool { return time.Since(begin) < 4*time.Second })
		w.wantError(t, w.one, ErrNoToken)
		if a := w.two.read(t, w.r).Attempt; a != nil {
			t.Errorf("attempt %+v is on record", a)
		}
		w.wantToken(t, w.two, "access after refresh-0")
		if _, results := w.two.reported(); !slices.Equal(results, []string{RefreshOK}) || w.p.calls != 1 {
			t.Errorf("results %q, %d calls", results, w.p.calls)
		}
	})
}

// A recording that arrives after it was given up finds its place taken.
func TestALateRecordingIsKeptOut(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		time.Sleep(justExpired)
		begin, late := time.Now(), make(chan error, 1)
		var rec Record
		w.st.before = func(op string) error {
			if op == "update" && time.Since(begin) < 3*time.Second {
				return errDown
			}
			return nil
		}
		s := w.two.read(t, w.r)
		go func() {
			time.Sleep(6 * time.Second)
			rec = Record{Version: s.version + 1, Write: newWriteID(), Sealed: []byte("late")}
			late <- w.two.store.Update(t.Context(), s.id, rec)
		}()
		w.wantError(t, w.one, ErrNoToken)
		if err := <-late; !errors.Is(err, ErrConflict) {
			t.Errorf("late recording: %v, want %v", err, ErrConflict)
		}
		w.wantToken(t, w.two, "access after refresh-0")
	})
}

// An attempt of unknown outcome stays one through a repeat that was never made: it is repeated once, and not twice.
func TestAnUnmadeRepeatKeepsTheAttempt(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			if call == 1 {
				return w.p.loseAnswer(s)
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNoToken)
		time.Sleep(10 * time.Second)
		for range 2 {
			begin := time.Now()
			loseUpdates(w.st, func() bool { return time.Since(begin) < 8*time.Second })
			w.wantError(t, w.one, ErrNoToken)
			time.Sleep(11 * time.Second)
		}
		w.wantError(t, w.one, ErrNone)
		ended, results := w.one.reported()
		if !slices.Equal(ended, []string{"refresh_interrupted"}) || !slices.Equal(results, []string{RefreshUnknown, RefreshRepeated, RefreshInterrupted}) || w.p.calls != 2 {
			t.Errorf("ended %q, results %q, %d calls", ended, results, w.p.calls)
		}
	})
}

// A call is made with at least half of its time, or not at all: one that is cut short would be one whose outcome nobody knows.
func TestACallHasItsTime(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(ctx context.Context, s *Session, _ int) (Refreshed, error) {
			if end, _ := ctx.Deadline(); time.Until(end) < 5*time.Second {
				t.Errorf("the call has %v", time.Until(end))
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		slow := true
		w.st.before = func(op string) error {
			if op == "update" && slow {
				slow = false
				time.Sleep(6 * time.Second)
			}
			return nil
		}
		w.wantError(t, w.one, ErrNoToken)
		time.Sleep(retryPause)
		w.wantToken(t, w.one, "access after refresh-0")
	})
}

// SES-21: an attempt of unknown outcome is repeated when its call is over, and not much later, whatever the clocks of those who look at it say.
func TestARepeatDoesNotDependOnTheClock(t *testing.T) {
	inSkewedTown(t, func(t *testing.T, w *town, _ time.Duration) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			if call == 1 {
				return Refreshed{}, errors.New("connection reset")
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired + time.Minute) // by every clock
		w.wantError(t, w.one, ErrNoToken)
		begin := time.Now()
		for {
			if got, err := w.token(t, w.two); err == nil && got == "access after refresh-0" {
				break
			}
			time.Sleep(250 * time.Millisecond)
			synctest.Wait()
		}
		if took := time.Since(begin); took < 10*time.Second || took > 17*time.Second {
			t.Errorf("repeated after %v, want it after the call's 10s, and soon", took)
		}
	})
}

// SES-21: a failover forgets the lock of a process that has just recorded its attempt, and another one takes it and repeats that attempt, or is about to. The first does not send the token as well.
func TestTheLockIsForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(w *town, s *Session) error
		want      string
	}{
		"the other one has the lock": {func(w *town, s *Session) error {
			w.st.locks[s.id] = fakeLock{newWriteID(), time.Now().Add(20 * time.Second)}
			return nil
		}, ""},
		"the other one is done": {func(w *town, s *Session) error {
			delete(w.st.locks, s.id)
			writing, cur, err := w.two.writer.load(t.Context(), s.ticket)
			if err == nil {
				r := Refreshed{Tokens: Tokens{Access: "newer", Refresh: "newer"}}
				_, err = w.two.writer.commit(writing, cur.with(r, time.Now()), newWriteID())
			}
			return err
		}, "newer"},
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				time.Sleep(justExpired)
				s, locks := w.two.read(t, w.r), 0
				w.st.before = func(op string) error {
					if op == "lock" {
						locks++
					}
					if op == "lock" && locks == 2 { // after the recording
						return c.meanwhile(w, s)
					}
					return nil
				}
				if got, err := w.token(t, w.one); got != c.want || (err == nil) != (c.want != "") {
					t.Errorf("token = %q, %v; want %q", got, err, c.want)
				}
				if w.p.calls != 0 {
					t.Errorf("%d calls", w.p.calls)
				}
			})
		})
	}
}
