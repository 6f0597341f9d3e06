package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// TestDamage shows that what no store of ours wrote is session.ErrCorrupt, names the kind of key, and keeps no session alive.
func TestDamage(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, config(server))
	admin := administrator(t, server)
	short := []any{"set", "test:s:{s}", "only 23 bytes long......", "ex", 100}
	short[2] = strings.Repeat("x", 23)
	list := func(key string) []any { return []any{"rpush", key, "x"} }
	for _, c := range []struct {
		name   string
		damage []any
		call   string
		says   string
	}{
		{"a short record is read", short, "read", "record"},
		{"an empty record is read", []any{"set", "test:s:{s}", "", "ex", 100}, "read", "record"},
		{"a list is read", list("test:s:{s}"), "read", "record"},
		{"a record without expiry", []any{"set", "test:s:{s}", strings.Repeat("x", 30)}, "ttl", "record"},
		{"a short record is in the way of a new one", short, "create", "record"},
		{"a list is in the way of a record", list("test:s:{s}"), "create", "record"},
		{"a short record is updated", short, "update", "record"},
		{"a list is updated", list("test:s:{s}"), "update", "record"},
		{"a list is listed as an index", list("test:i:{k}"), "members", "index"},
		{"a list is marked as an index", list("test:i:{k}"), "mark", "index"},
		{"a list is in the way of an index", list("test:i:{k}"), "add", "index"},
		{"a list drops a member", list("test:i:{k}"), "drop", "index"},
		{"a mark that is no number", []any{"set", "test:m:{k}", "soon"}, "add", "index"},
		{"a mark that is a list", list("test:m:{k}"), "add", "index"},
		{"a list is in the way of an index with a limit", list("test:i:{k}"), "add within", "index"},
		{"a mark that is no number, with a limit", []any{"set", "test:m:{k}", "soon"}, "add within", "index"},
		{"a lock that is a list", list("test:l:{s}"), "lock", "lock"},
		{"a lock that is a list is freed", list("test:l:{s}"), "unlock", "lock"},
		{"a claim that is a list", list("test:c:{n}"), "claim", "claim"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := admin.FlushDB(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := admin.Do(t.Context(), c.damage...).Err(); err != nil {
				t.Fatal(err)
			}
			err := calls(s)[c.call](t.Context())
			if !errors.Is(err, session.ErrCorrupt) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want ErrCorrupt that says %q", err, c.says)
			}
		})
	}
}

// TestEndEndsWhatIsDamaged shows that neither a damaged record nor a damaged mark is in the way of an end.
func TestEndEndsWhatIsDamaged(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, config(server))
	admin := administrator(t, server)
	for _, key := range []string{"test:s:{s}", "test:e:{s}"} {
		if err := admin.RPush(t.Context(), key, "x").Err(); err != nil {
			t.Fatal(err)
		}
	}
	if existed, err := s.End(t.Context(), "s", time.Minute, "logout"); !existed || err != nil {
		t.Errorf("end = %t, %v, want true", existed, err)
	}
	if _, err := s.Read(t.Context(), "s"); !errors.Is(err, session.ErrNone) {
		t.Errorf("read: %v, want %v", err, session.ErrNone)
	}
	if err := s.Create(t.Context(), "s", session.Record{Version: 1}, time.Now().Add(time.Hour)); !errors.Is(err, session.ErrEnded) {
		t.Errorf("create: %v, want %v", err, session.ErrEnded)
	}
	if left := admin.PTTL(t.Context(), "test:e:{s}").Val(); left <= 0 || left > time.Minute {
		t.Errorf("mark lives for %s, want a minute", left)
	}
}

// TestAnnouncements shows what a write tells the other processes, and that a repeat, a refusal, a touch or an index tell nothing.
func TestAnnouncements(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, config(server))
	ctx, hour := t.Context(), time.Now().Add(time.Hour)
	heard := administrator(t, server).Subscribe(ctx, "test:announce")
	t.Cleanup(func() { _ = heard.Close() })
	if _, err := heard.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	first := session.Record{Version: 1, Write: session.WriteID{1}}
	next := session.Record{Version: 2, Write: session.WriteID{2}}
	_ = s.Create(ctx, "a", first, hour)
	_ = s.Create(ctx, "a", first, hour)
	_ = s.Create(ctx, "a", next, hour)
	_ = s.Update(ctx, "a", next)
	_ = s.Update(ctx, "a", next)
	_ = s.Update(ctx, "a", session.Record{Version: 2})
	_ = s.Update(ctx, "b", next)
	_, _ = s.Touch(ctx, "a", hour.Add(time.Hour))
	_ = s.AddIndex(ctx, "k", session.Member{ID: "a"}, hour, hour)
	_, _ = s.MarkIndex(ctx, "k", hour, time.Minute)
	_, _ = s.Lock(ctx, "a", first.Write, time.Minute)
	_, _ = s.End(ctx, "a", time.Minute, "logout")
	_, _ = s.End(ctx, "absent", time.Minute, "logout")
	_ = s.Create(ctx, "a", first, hour)
	_ = s.Create(ctx, "last", first, hour)
	for _, want := range []string{"a 1", "a 2", "?ended a logout", "a 0", "?ended absent logout", "absent 0", "last 1"} {
		within, cancel := context.WithTimeout(ctx, 10*time.Second)
		got, err := heard.ReceiveMessage(within)
		cancel()
		if err != nil || got.Payload != want {
			t.Fatalf("heard %v, %v, want %q", got, err, want)
		}
	}
}
