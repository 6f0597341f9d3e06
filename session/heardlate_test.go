package session

import (
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
