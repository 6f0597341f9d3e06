package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A request may find its session gone a moment before the end is heard: the announcement has another connection to come by. The tokens are brought all the same, once it is.
func TestAnEndThatARequestFoundFirstBringsTheTokens(t *testing.T) {
	for name, find := range map[string]func(p *pair, r *http.Request, s *Session) error{
		"a request":           func(p *pair, r *http.Request, _ *Session) error { _, err := p.FromRequest(r); return err },
		"a stream's question": func(p *pair, r *http.Request, s *Session) error { _, err := p.IdleLeft(r.Context(), s); return err },
	} {
		t.Run(name, func(t *testing.T) {
			watching(t, 0, func(t *testing.T, p *pair) {
				_, r := p.start(time.Hour)
				s := p.read(t, r)
				p.st.ear().set(func() { p.st.ear().held = true })
				if n, err := p.other.EndByProvider(t.Context(), issuer, "", "sid-1", time.Now().Add(time.Hour)); n != 1 || err != nil {
					t.Fatalf("EndByProvider = %d, %v", n, err)
				}
				if err := find(p, r, s); !errors.Is(err, ErrNone) {
					t.Fatalf("found %v, want ErrNone", err)
				}
				p.st.ear().set(func() { p.st.ear().held = false })
				synctest.Wait()
				p.mu.Lock()
				defer p.mu.Unlock()
				if want := []string{"refresh-0 backchannel"}; !slices.Equal(p.tokens, want) {
					t.Errorf("brought %q, want %q", p.tokens, want)
				}
			})
		})
	}
}

// lateAnswer is a store whose answer to an update comes when everything else has happened.
type lateAnswer struct {
	*fakeStore
	meanwhile func(Record)
}

func (l lateAnswer) Update(ctx context.Context, id ID, rec Record) error {
	err := l.fakeStore.Update(ctx, id, rec)
	l.meanwhile(rec)
	return err
}

// Law 2: an end may be heard after a refresh was stored, and before its process has the store's answer and with it the new tokens. They are revoked, and serve nobody.
func TestAnEndBeforeTheAnswerToARefreshsWrite(t *testing.T) {
	watching(t, 2*time.Second, func(t *testing.T, p *pair) {
		_, r := p.start(time.Hour)
		s := p.read(t, r)
		p.idp.answer = func(context.Context, *Session, int) (Refreshed, error) {
			return Refreshed{Tokens: Tokens{Access: "newer", Refresh: "newest"}}, nil
		}
		p.writer.scs.Store.(*adapter).store = lateAnswer{p.st, func(rec Record) {
			if rec.Version != s.version+2 { // the attempt
				return
			}
			if err := p.other.End(t.Context(), s.ID(), "device"); err != nil {
				t.Error(err)
			}
			synctest.Wait() // it is heard
		}}
		if got, err := p.OtherToken(t.Context(), s); !errors.Is(err, ErrNone) {
			t.Errorf("OtherToken = %v, %v, want ErrNone", got, err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.orphaned) != 1 || p.orphaned[0].Tokens.Refresh != "newest" {
			t.Errorf("handed over %v, want the newest tokens once", p.orphaned)
		}
	})
}

// Law 2: a store that takes its time for everything, and a provider that says nothing, make a refresh last longer than anybody waits. Who gives up does not go on with the old token
// if the session ended meanwhile.
func TestEndDuringRefreshThatNobodyWaitsFor(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		s := w.one.read(t, w.r)
		w.p.answer = func(ctx context.Context, _ *Session, _ int) (Refreshed, error) {
			<-ctx.Done()
			return Refreshed{}, ctx.Err()
		}
		w.st.before = func(string) error { time.Sleep(1500 * time.Millisecond); return nil }
		time.AfterFunc(10*time.Second, func() {
			if err := w.two.EndOne(t.Context(), s, "logout"); err != nil {
				t.Error(err)
			}
		})
		begun := time.Now()
		if got, err := w.one.OtherToken(t.Context(), s); !errors.Is(err, ErrNone) {
			t.Errorf("after %v: OtherToken = %v, %v; want ErrNone", time.Since(begun), got, err)
		}
		if err := w.one.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
