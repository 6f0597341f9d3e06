package session

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// SES-29: what a refresh says of scopes holds at once, with an ID token or without; what it does not say stays, and none is not nothing said.
func TestScopesAreReadAgainAtEachRefresh(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		answers := [][]string{{"openid", "orders"}, nil, {}}
		w.p.answer = func(_ context.Context, _ *Session, call int) (Refreshed, error) {
			return Refreshed{Tokens: Tokens{Access: "new"}, Scopes: answers[call-1]}, nil
		}
		for call, want := range [][]string{{"openid", "orders"}, {"openid", "orders"}, {}} {
			time.Sleep(justExpired)
			w.wantToken(t, w.one, "new")
			synctest.Wait() // the other replica has heard of it
			if s := w.two.read(t, w.r); !slices.Equal(s.Scopes, want) || !slices.Equal(s.Roles, []string{"customer"}) {
				t.Errorf("refresh %d: scopes %q, roles %q, want %q", call+1, s.Scopes, s.Roles, want)
			}
		}
	})
}
