package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An answer that is lost on the way: the provider has rotated, and nobody here knows.
func (p *fakeProvider) loseAnswer(s *Session) (Refreshed, error) {
	p.rotate(s.Tokens.Refresh)
	return Refreshed{}, errors.New("connection reset")
}

// SES-21: a holder dies during the call. While its lease lasts nobody else sends the token; then another process does, once; and when the dead one
// comes back to life, its answer does not overwrite the newer tokens.
func TestHolderDiesAndComesBack(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		revive := make(chan struct{})
		var callsAt []time.Duration
		begin := time.Now()
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			callsAt = append(callsAt, time.Since(begin))
			if call == 1 {
				<-revive
				return Refreshed{Tokens: Tokens{Access: "late", Refresh: "late"}}, nil
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		begin = time.Now()
		old := w.one.read(t, w.r)
		dead := make(chan error, 1)
		go func() {
			_, err := w.token(t, w.one)
			dead <- err
		}()
		synctest.Wait()
		w.wantError(t, w.two, ErrNoToken) // waits, and gives up in bounded time
		if waited := time.Since(begin); waited != 15*time.Second {
			t.Errorf("waited for %v, want the call's time and 5s", waited)
		}
		time.Sleep(6 * time.Second) // the lease has ended, and the flight that went on has repeated the attempt
		w.wantToken(t, w.two, "access after refresh-0")
		if len(callsAt) != 2 || callsAt[1] < 20*time.Second {
			t.Errorf("calls at %v: the repeat must wait for the lease of 20s", callsAt)
		}
		if err := <-dead; !errors.Is(err, ErrNoToken) {
			t.Errorf("who waited for the dead one got %v", err)
		}
		late := make(chan string, 1)
		go func() { // waits for the dead one's flight, too
			s, err := w.one.AccessToken(t.Context(), old)
			if err != nil {
				t.Errorf("who waits when it comes back: %v", err)
			}
			late <- s.Tokens.Access
		}()
		synctest.Wait()
		close(revive)
		if got := <-late; got != "access after refresh-0" {
			t.Errorf("who waits when it comes back got %q", got)
		}
		if err := w.one.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantToken(t, w.one, "access after refresh-0")
		if got := w.two.read(t, w.r).Tokens.Refresh; got != "refresh-0+" {
			t.Errorf("refresh token = %q: the late answer overwrote it", got)
		}
		if _, results := w.two.reported(); !slices.Equal(results, []string{RefreshRepeated, RefreshOK}) {
			t.Errorf("results %q: the repeat is counted apart", results)
		}
	})
}

// BCP-20: a process dies between the provider's answer and the write. The next one tries the old token once, hears that it is spent, and
// the session ends cleanly: sign in again, no loop, no error.
func TestCrashBeforeTheWrite(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			if call == 1 {
				w.st.breakWith(errDown) // from here on the first process reaches nothing
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNoToken)
		w.wantError(t, w.two, ErrNone) // after the dead one's lease
		for range 5 {
			w.two.gone(t, w.r)
			time.Sleep(10 * time.Second)
		}
		ended, results := w.two.reported()
		if !slices.Equal(ended, []string{"refresh_interrupted"}) || !slices.Equal(results, []string{RefreshRepeated, RefreshInterrupted}) {
			t.Errorf("ended %q, results %q", ended, results)
		}
		if w.p.calls != 2 || w.p.reused != 1 {
			t.Errorf("%d calls, %d reuses; want 2 and 1", w.p.calls, w.p.reused)
		}
	})
}

// BCP-20: the same with an answer that was lost on the way, and a process that lives: its repeat waits for the attempt's deadline.
func TestLostAnswer(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			if call == 1 {
				return w.p.loseAnswer(s)
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(almostExpired)
		w.wantToken(t, w.one, "access-0")
		w.wantToken(t, w.two, "access-0")
		time.Sleep(8 * time.Second)
		w.wantError(t, w.one, ErrNoToken)
		w.wantError(t, w.two, ErrNoToken)
		if w.p.calls != 1 {
			t.Errorf("%d calls before the attempt's deadline", w.p.calls)
		}
		time.Sleep(3 * time.Second)
		w.wantError(t, w.one, ErrNone)
		if ended, _ := w.one.reported(); !slices.Equal(ended, []string{"refresh_interrupted"}) {
			t.Errorf("ended %q", ended)
		}
	})
}

// A provider that does not rotate, or forgives a repeat, costs nobody a sign-in.
func TestLostAnswerOfAForgivingProvider(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			if call == 1 {
				return Refreshed{}, errors.New("connection reset")
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNoToken)
		time.Sleep(10 * time.Second)
		w.wantToken(t, w.one, "access after refresh-0")
		if a := w.one.read(t, w.r).Attempt; a != nil {
			t.Errorf("attempt %+v is still on record", a)
		}
	})
}

// Law 3: a token whose attempt and one repeat were both lost is never sent again. The old token serves while it lives, then the session ends.
func TestRepeatIsMadeOnce(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(context.Context, *Session, int) (Refreshed, error) { return Refreshed{}, errors.New("timeout") }
		w.r = w.one.signIn(t, alice(20*time.Minute))
		time.Sleep(20*time.Minute - 29*time.Second)
		for range 28 {
			w.wantToken(t, w.one, "access-0")
			w.wantToken(t, w.two, "access-0")
			time.Sleep(time.Second)
		}
		if w.p.calls != 2 {
			t.Errorf("%d calls, want 2", w.p.calls)
		}
		time.Sleep(time.Second)
		w.wantError(t, w.two, ErrNone)
		w.one.gone(t, w.r)
		if ended, _ := w.two.reported(); !slices.Equal(ended, []string{"refresh_interrupted"}) || w.p.calls != 2 {
			t.Errorf("ended %q, %d calls", ended, w.p.calls)
		}
	})
}

// A repeat that certainly did not happen is not the one repeat.
func TestRepeatThatWasNotSent(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			switch call {
			case 1:
				return Refreshed{}, errors.New("timeout")
			case 2, 3:
				return Refreshed{}, ErrUnsent
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNoToken)
		time.Sleep(10 * time.Second)
		for range 2 {
			w.wantError(t, w.one, ErrNoToken)
			time.Sleep(retryPause)
		}
		w.wantToken(t, w.one, "access after refresh-0")
	})
}

// BCP-20: an attempt that certainly did not happen does not make one forget the earlier one, whose outcome nobody knows.
func TestUnsentRepeatKeepsTheRecord(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			switch call {
			case 1:
				return w.p.loseAnswer(s)
			case 2:
				return Refreshed{}, ErrUnsent
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNoToken)
		time.Sleep(10 * time.Second)
		w.wantError(t, w.one, ErrNoToken)
		time.Sleep(retryPause)
		w.wantError(t, w.one, ErrNone)
		if ended, _ := w.one.reported(); !slices.Equal(ended, []string{"refresh_interrupted"}) {
			t.Errorf("ended %q", ended)
		}
	})
}

// A process that was stopped between recording the attempt and the call does not make the call: its time is over.
func TestStoppedBeforeTheCall(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		updates := 0
		w.st.before = func(op string) error {
			if op == "update" {
				if updates++; updates == 1 {
					time.Sleep(12 * time.Second)
				}
			}
			return nil
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNoToken)
		if w.p.calls != 0 {
			t.Errorf("%d calls after the attempt's deadline", w.p.calls)
		}
		time.Sleep(retryPause)
		w.wantToken(t, w.one, "access after refresh-0")
	})
}

// An attempt that could not be recorded is not made.
func TestAttemptIsRecordedFirst(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) {
			cur, err := w.two.reread(s)
			if err != nil || cur.Attempt == nil || time.Until(cur.Attempt.Deadline) <= 0 || w.st.locks[s.ID()].until.Before(cur.Attempt.Deadline) {
				t.Errorf("during the call: %v, %v", cur.Attempt, err)
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		w.st.breakWith(errDown, "update")
		w.wantError(t, w.one, ErrNoToken)
		if w.p.calls != 0 {
			t.Errorf("%d calls", w.p.calls)
		}
		w.st.breakWith(nil)
		w.wantToken(t, w.two, "access after refresh-0")
	})
}

// A call that panics takes neither the process nor its tokens into the log.
func TestRefreshPanics(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) { panic("token " + s.Tokens.Refresh) }
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNoToken)
		if log := w.one.log.String(); strings.Contains(log, "refresh-0") || !strings.Contains(log, "refresh panicked") {
			t.Errorf("log: %s", log)
		}
	})
}

// An end that cannot be written after invalid_grant is tried again, and is not claimed.
func TestEndAfterRefusalIsTriedAgain(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.valid = "revoked"
		ends := 0
		w.st.before = func(op string) error {
			if op == "end" {
				if ends++; ends < 3 {
					return errDown
				}
			}
			return nil
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNone)
		w.two.gone(t, w.r)
	})
}

// SES-21: a holder that was stopped during its call, and hears "invalid grant" only after another process has repeated the attempt with success,
// does not end the session: the newest tokens are kept.
func TestLateRefusalEndsNothing(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		revive := make(chan struct{})
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			if call == 1 {
				<-revive
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		dead := make(chan error, 1)
		go func() {
			_, err := w.token(t, w.one)
			dead <- err
		}()
		time.Sleep(21 * time.Second) // its lease is over
		w.wantToken(t, w.two, "access after refresh-0")
		if err := <-dead; !errors.Is(err, ErrNoToken) {
			t.Errorf("who waited for the stopped one got %v", err)
		}
		close(revive)
		if err := w.one.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantToken(t, w.two, "access after refresh-0")
		if ended, _ := w.one.reported(); len(ended) != 0 {
			t.Errorf("the late one ended the session: %q", ended)
		}
	})
}

// A stopped process that goes on just when another one has the lock, and stores its tokens first: the other's requests get those.
func TestLateAnswerBeforeTheRepeat(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		time.Sleep(justExpired)
		w.two.store.(*fakeStore).before = func(op string) error {
			if op != "update" {
				return nil
			}
			w.two.store.(*fakeStore).breakWith(nil)
			r, err := w.p.rotate("refresh-0")
			if err != nil {
				return err
			}
			s := w.one.read(t, w.r)
			writing, _, err := w.one.writer.load(t.Context(), s.ticket)
			if err == nil {
				_, err = w.one.writer.commit(writing, s.with(r, time.Now()), newWriteID())
			}
			return err
		}
		w.wantToken(t, w.two, "access after refresh-0")
		if w.p.calls != 0 || w.p.reused != 0 {
			t.Errorf("%d calls, %d with a used token; want none", w.p.calls, w.p.reused)
		}
	})
}
