package session

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Law 1, CK-06: whatever printer a session falls into shows neither its tokens nor its ticket.
func TestPrintingHidesSecrets(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	s := alice(time.Hour)
	h.signIn(t, s)
	s = s.withGrant("orders", Tokens{Access: "grant-0"}, time.Now())
	for _, v := range []any{s, *s, s.Tokens, &s.Tokens, s.Grants, s.Grants[0], Granted{Refreshed: Refreshed{Tokens: s.Tokens}}, []*Session{s}, map[string]any{"s": s}, struct{ S Session }{*s}} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v) + string(b) + log.String()
		for _, hidden := range []string{"access-0", "refresh-0", "grant-0", s.ticket, "Alice"} {
			if strings.Contains(all, hidden) || strings.Contains(all, fmt.Sprintf("%x", hidden)) {
				t.Errorf("%T shows %q: %s", v, hidden, all)
			}
		}
	}
}
