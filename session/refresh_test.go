package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// town is two processes on one store, in a time that the test moves.
type town struct {
	st       *fakeStore
	p        *fakeProvider
	one, two *house
	r        *http.Request // of a browser that is signed in, with a token good for five minutes
}

func inTown(t *testing.T, test func(t *testing.T, w *town)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &town{st: newFakeStore(), p: newFakeProvider()}
		w.one, w.two = newHouse(t, w.st, w.p), newHouse(t, w.st.view(), w.p)
		w.r = w.one.signIn(t, alice(5*time.Minute))
		test(t, w)
	})
}

// token is the access token that a request through h gets.
func (w *town) token(t *testing.T, h *house) (string, error) {
	t.Helper()
	s, err := h.FromRequest(w.r)
	if err != nil {
		return "", err
	}
	s, err = h.AccessToken(t.Context(), s)
	if err != nil {
		return "", err
	}
	return s.Tokens.Access, nil
}

func (w *town) wantToken(t *testing.T, h *house, want string) {
	t.Helper()
	if got, err := w.token(t, h); err != nil || got != want {
		t.Errorf("token = %q, %v; want %q", got, err, want)
	}
}

func (w *town) wantError(t *testing.T, h *house, want error) {
	t.Helper()
	if got, err := w.token(t, h); !errors.Is(err, want) {
		t.Errorf("token = %q, %v; want %v", got, err, want)
	}
}

const (
	almostExpired = 5*time.Minute - 5*time.Second // due, and alive
	justExpired   = 5*time.Minute + time.Second
)

// SES-20, V-12: any number of requests over two processes cause one refresh per expiry, and all get the new token.
func TestOneRefreshForAll(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) {
			time.Sleep(300 * time.Millisecond)
			return w.p.rotate(s.Tokens.Refresh)
		}
		want := "access-0"
		for expiry := range 3 {
			w.wantToken(t, w.one, want)
			time.Sleep(justExpired)
			want = "access after refresh-0" + strings.Repeat("+", expiry)
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() { w.wantToken(t, []*house{w.one, w.two}[i%2], want) })
			}
			all.Wait()
		}
		if w.p.calls != 3 || w.p.reused != 0 {
			t.Errorf("%d refreshes for 3 expiries, %d reuses", w.p.calls, w.p.reused)
		}
		if n := len(w.st.locks); n != 0 {
			t.Errorf("%d locks left", n)
		}
	})
}

// A request that read the session before a refresh, and asks after it, causes no second one.
func TestOldReadersGetTheNewToken(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		time.Sleep(justExpired)
		old := w.two.read(t, w.r)
		w.wantToken(t, w.one, "access after refresh-0")
		if s, err := w.two.AccessToken(t.Context(), old); err != nil || s.Tokens.Access != "access after refresh-0" {
			t.Errorf("AccessToken = %v, %v", s, err)
		}
		if w.p.calls != 1 {
			t.Errorf("%d refreshes", w.p.calls)
		}
	})
}

// SES-22, V-01: a slow writer does not write back what it read before a refresh.
func TestNoLostUpdate(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := w.one.read(t, w.r)
		writing, old, err := w.one.writer.load(t.Context(), s.ticket)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(justExpired)
		w.wantToken(t, w.two, "access after refresh-0")
		if _, err := w.one.writer.commit(writing, old, newWriteID()); !errors.Is(err, ErrConflict) {
			t.Errorf("commit = %v, want ErrConflict", err)
		}
		if got := w.one.read(t, w.r).Tokens.Refresh; got != "refresh-0+" {
			t.Errorf("refresh token = %q", got)
		}
	})
}

// SES-23: a client that hangs up changes nothing: the refresh that it asked for is finished and stored.
func TestClientHangsUp(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(ctx context.Context, s *Session, _ int) (Refreshed, error) {
			time.Sleep(2 * time.Second)
			if err := ctx.Err(); err != nil {
				t.Errorf("the provider's call was cut off: %v", err)
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		s := w.one.read(t, w.r)
		ctx, hangUp := context.WithTimeout(t.Context(), time.Second)
		defer hangUp()
		if _, err := w.one.AccessToken(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("AccessToken = %v", err)
		}
		if err := w.one.Close(t.Context()); err != nil { // waits for the refresh
			t.Fatal(err)
		}
		w.wantToken(t, w.two, "access after refresh-0")
		if w.p.calls != 1 || w.p.reused != 0 {
			t.Errorf("%d refreshes, %d reuses", w.p.calls, w.p.reused)
		}
	})
}

// BBA-6.1-22, SES-28: a refresh token that the provider takes no more ends the session.
func TestInvalidGrantEnds(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.valid = "revoked"
		time.Sleep(almostExpired)
		w.wantError(t, w.one, ErrNone)
		w.one.gone(t, w.r)
		w.two.gone(t, w.r)
		ended, results := w.one.reported()
		if !slices.Equal(ended, []string{"invalid_grant"}) || !slices.Equal(results, []string{RefreshRefused}) || w.p.calls != 1 {
			t.Errorf("ended %q, results %q, %d calls", ended, results, w.p.calls)
		}
	})
}

// BBA-6.1-24: while the provider is down the old token serves as long as it lives, then there is none, and the session stands; the provider
// is asked once in five seconds, not by each request.
func TestProviderIsDown(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(context.Context, *Session, int) (Refreshed, error) { return Refreshed{}, ErrUnsent }
		time.Sleep(almostExpired)
		for range 10 {
			w.wantToken(t, w.one, "access-0")
		}
		if w.p.calls != 1 {
			t.Errorf("%d calls, want 1", w.p.calls)
		}
		time.Sleep(7 * time.Second)
		for range 10 {
			w.wantError(t, w.one, ErrNoToken)
			time.Sleep(time.Second)
		}
		if w.p.calls != 3 {
			t.Errorf("%d calls, want 3", w.p.calls)
		}
		if a := w.one.read(t, w.r).Attempt; a != nil {
			t.Errorf("attempt %+v is on record although nothing was sent", a)
		}
		w.p.answer = nil
		time.Sleep(retryPause)
		w.wantToken(t, w.one, "access after refresh-0")
		if _, results := w.one.reported(); slices.Contains(results, RefreshRepeated) {
			t.Errorf("results %q: nothing was repeated", results)
		}
	})
}

// Law 5: a store that is down is not a sign-out either.
func TestStoreIsDownForTheRefresh(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		time.Sleep(justExpired)
		w.st.breakWith(errDown, "lock")
		w.wantError(t, w.one, ErrNoToken)
		w.wantError(t, w.one, ErrNoToken)
		if n := w.st.count("lock"); n != 1 || w.p.calls != 0 {
			t.Errorf("%d tries, %d calls", n, w.p.calls)
		}
		w.st.breakWith(nil)
		time.Sleep(retryPause)
		w.wantToken(t, w.one, "access after refresh-0")
	})
}

// The result is written again and again, since it is nowhere else; also where the write took place and only its answer was lost.
func TestResultIsWrittenAgain(t *testing.T) {
	for name, lost := range map[string]bool{"the write failed": false, "its answer was lost": true} {
		t.Run(name, func(t *testing.T) {
			inTown(t, func(t *testing.T, w *town) {
				updates := 0
				fail := func(op string) error {
					if op != "update" {
						return nil
					}
					if updates++; updates == 2 || updates == 3 { // the first records the attempt
						return errDown
					}
					return nil
				}
				if w.st.before = fail; lost {
					w.st.before, w.st.after = nil, fail
				}
				time.Sleep(justExpired)
				w.wantToken(t, w.one, "access after refresh-0")
				w.wantToken(t, w.two, "access after refresh-0")
				if _, results := w.one.reported(); !slices.Equal(results, []string{RefreshOK}) || w.p.calls != 1 {
					t.Errorf("results %q, %d calls", results, w.p.calls)
				}
			})
		})
	}
}

// Law 2: who waited for a refresh in vain does not go on with the old token, good as it is, if the session ended meanwhile.
func TestEndDuringFailedRefresh(t *testing.T) {
	for _, failure := range []error{ErrUnsent, errDown} {
		inTown(t, func(t *testing.T, w *town) {
			time.Sleep(almostExpired)
			s := w.one.read(t, w.r)
			w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) {
				return Refreshed{}, errors.Join(failure, w.two.EndOne(t.Context(), s, "logout"))
			}
			if got, err := w.one.AccessToken(t.Context(), s); !errors.Is(err, ErrNone) {
				t.Errorf("after %v: AccessToken = %v, %v; want ErrNone", failure, got, err)
			}
		})
	}
}

// Law 2: a sign-out during a refresh wins; the tokens that come after it are handed over to be revoked.
func TestEndDuringRefresh(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		time.Sleep(justExpired)
		s := w.one.read(t, w.r)
		w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) {
			if err := w.two.EndOne(t.Context(), s, "logout"); err != nil {
				t.Error(err)
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		if got, err := w.one.AccessToken(t.Context(), s); !errors.Is(err, ErrNone) {
			t.Errorf("AccessToken = %v, %v; want ErrNone", got, err)
		}
		w.one.gone(t, w.r)
		if len(w.one.orphaned) != 1 || w.one.orphaned[0].Tokens.Refresh != "refresh-0+" {
			t.Errorf("orphaned: %v", w.one.orphaned)
		}
	})
}

// Without a refresh token the session ends with its access token, not earlier.
func TestNoRefreshToken(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := alice(5 * time.Minute)
		s.Tokens.Refresh = ""
		w.r = w.one.signIn(t, s)
		time.Sleep(almostExpired)
		w.wantToken(t, w.one, "access-0")
		time.Sleep(10 * time.Second)
		w.wantError(t, w.one, ErrNone)
		w.one.gone(t, w.r)
		if ended, _ := w.one.reported(); !slices.Equal(ended, []string{"token_expired"}) || w.p.calls != 0 {
			t.Errorf("ended %q, %d calls", ended, w.p.calls)
		}
	})
}

// OIDC-21: an answer without expires_in is good for five minutes, then refreshed.
func TestAnswerWithoutExpiry(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) {
			r, err := w.p.rotate(s.Tokens.Refresh)
			r.Tokens.Issued, r.Tokens.Expires = time.Time{}, time.Time{}
			return r, err
		}
		time.Sleep(justExpired)
		w.wantToken(t, w.one, "access after refresh-0")
		time.Sleep(4 * time.Minute)
		w.wantToken(t, w.one, "access after refresh-0")
		time.Sleep(time.Minute)
		w.wantToken(t, w.one, "access after refresh-0+")
		if w.p.calls != 2 {
			t.Errorf("%d refreshes, want 2", w.p.calls)
		}
	})
}

// SES-29: roles and claims of the answer hold at once; what it leaves out stays. The ticket stays in any case.
func TestAnswerIsMerged(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, call int) (Refreshed, error) {
			r := Refreshed{Tokens: Tokens{Access: "new"}}
			if call == 2 {
				r.Identity, r.Roles, r.Claims = true, []string{"admin"}, map[string]any{"sub": "alice"}
			}
			return r, nil
		}
		time.Sleep(justExpired)
		w.wantToken(t, w.one, "new")
		s := w.two.read(t, w.r)
		if s.Tokens.Refresh != "refresh-0" || s.Tokens.Scope != "openid" || !slices.Equal(s.Roles, []string{"customer"}) || s.Claims["name"] != "Alice" {
			t.Errorf("the answer took away what it did not mention: roles %q, claims %v", s.Roles, s.Claims)
		}
		time.Sleep(justExpired)
		w.wantToken(t, w.one, "new")
		if s := w.two.read(t, w.r); !slices.Equal(s.Roles, []string{"admin"}) || len(s.Claims) != 1 {
			t.Errorf("roles %q, claims %v", s.Roles, s.Claims)
		}
	})
}

// The lock is renewed for the writing: a store that fails for longer than the first lease had left costs nothing.
func TestLeaseIsRenewedForTheWriting(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(_ context.Context, s *Session, _ int) (Refreshed, error) {
			time.Sleep(9 * time.Second)
			w.st.breakWith(errDown, "update")
			time.AfterFunc(15*time.Second, func() { w.st.breakWith(nil) })
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNoToken) // does not wait that long
		time.Sleep(15 * time.Second)
		w.wantToken(t, w.two, "access after refresh-0")
		if _, results := w.one.reported(); !slices.Equal(results, []string{RefreshOK}) {
			t.Errorf("results %q", results)
		}
	})
}

// A flight that waited long for another process' lock gives the provider's call its whole time.
func TestLongWaitThenCall(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(ctx context.Context, s *Session, _ int) (Refreshed, error) {
			time.Sleep(9 * time.Second)
			if err := ctx.Err(); err != nil {
				t.Errorf("the call was cut off: %v", err)
			}
			return w.p.rotate(s.Tokens.Refresh)
		}
		time.Sleep(justExpired)
		s := w.one.read(t, w.r)
		w.st.locks[s.ID()] = fakeLock{newWriteID(), time.Now().Add(35 * time.Second)}
		w.wantError(t, w.one, ErrNoToken)
		time.Sleep(31 * time.Second)
		w.wantToken(t, w.one, "access after refresh-0")
	})
}

// A refresh that makes the session larger than it may be ends it; its tokens are handed over to be revoked.
func TestRefreshTooLarge(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.p.answer = func(context.Context, *Session, int) (Refreshed, error) {
			return Refreshed{Tokens: Tokens{Access: strings.Repeat("x", 65<<10)}}, nil
		}
		time.Sleep(justExpired)
		w.wantError(t, w.one, ErrNone)
		w.one.gone(t, w.r)
		if ended, _ := w.one.reported(); !slices.Equal(ended, []string{"too_large"}) || len(w.one.orphaned) != 1 {
			t.Errorf("ended %q, %d orphaned", ended, len(w.one.orphaned))
		}
	})
}
