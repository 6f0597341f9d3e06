package memory

import (
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/session"
)

// TestSweeper shows that what has expired is freed without anybody asking for it, that the rest stays, and that Close ends the
// sweeper: the bubble would not end otherwise.
func TestSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{MaxSessions: 10})
		ctx := t.Context()
		soon, late := time.Now().Add(time.Second), time.Now().Add(time.Hour)
		for _, c := range []struct {
			id      session.ID
			expires time.Time
		}{{"soon", soon}, {"late", late}} {
			keep := time.Until(c.expires)
			key := session.IndexKey(c.id)
			if err := s.Create(ctx, c.id, session.Record{Version: 1}, c.expires); err != nil {
				t.Fatal(err)
			}
			if err := s.AddIndex(ctx, key, session.Member{ID: c.id}, soon, c.expires); err != nil {
				t.Fatal(err)
			}
			_, _ = s.End(ctx, "absent "+c.id, keep, "logout")
			_, _ = s.MarkIndex(ctx, key, soon, keep)
			_, _ = s.Lock(ctx, c.id, session.WriteID{}, keep)
			_, _ = s.Claim(ctx, string(c.id), session.WriteID{}, keep)
		}
		time.Sleep(sweepEvery + time.Second) // the bubble's clock
		synctest.Wait()
		s.mu.Lock()
		for kind, n := range map[string]int{
			"records": len(s.records.entries), "ended": len(s.ended.entries), "locks": len(s.locks.entries), "claims": len(s.claims.entries),
			"marks": len(s.marks.entries), "members": len(s.members.entries), "indexes": len(s.indexes),
		} {
			if n != 1 {
				t.Errorf("%d %s are kept, want the one that has not expired", n, kind)
			}
		}
		s.mu.Unlock()
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}
