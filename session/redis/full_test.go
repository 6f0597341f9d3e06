package redis_test

import (
	"crypto/rand"
	"strconv"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// BCL-23, SES-10: a Redis whose memory is full takes no sign-in, and everything else goes on: sessions are refreshed and kept alive, and end.
func TestFullServer(t *testing.T) {
	server := storetest.StartRedis(t, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
	s := open(t, config(server))
	ctx, hour := t.Context(), time.Now().Add(time.Hour)
	if err := s.Create(ctx, "s", session.Record{Version: 1, Sealed: make([]byte, 1000)}, hour); err != nil {
		t.Fatal(err)
	}
	if err := s.AddIndex(ctx, "k", session.Member{ID: "s"}, time.Now(), hour); err != nil {
		t.Fatal(err)
	}
	fill(t, server)
	if err := s.Create(ctx, "t", session.Record{Version: 1}, hour); !isOutage(err) {
		t.Errorf("create = %v, want an outage", err)
	}
	if err := s.AddIndex(ctx, "k", session.Member{ID: "t"}, time.Now(), hour); !isOutage(err) {
		t.Errorf("add to index = %v, want an outage", err)
	}
	owner := session.WriteID{1}
	if held, err := s.Lock(ctx, "s", owner, time.Minute); !held || err != nil {
		t.Errorf("lock = %v, %v", held, err)
	}
	if err := s.Update(ctx, "s", session.Record{Version: 2, Sealed: make([]byte, 1000)}); err != nil {
		t.Errorf("update: %v", err)
	}
	if err := s.Unlock(ctx, "s", owner); err != nil {
		t.Errorf("unlock: %v", err)
	}
	if moved, err := s.Touch(ctx, "s", hour.Add(time.Minute)); !moved || err != nil {
		t.Errorf("touch = %v, %v", moved, err)
	}
	if members, err := s.MarkIndex(ctx, "k", time.Now(), time.Minute); len(members) != 1 || err != nil {
		t.Errorf("mark index = %v, %v", members, err)
	}
	for id, there := range map[session.ID]bool{"s": true, "not there": false} {
		if existed, err := s.End(ctx, id, time.Minute, "logout"); existed != there || err != nil {
			t.Errorf("end %s = %v, %v", id, existed, err)
		}
	}
	if err := s.DropIndex(ctx, "k", "s"); err != nil {
		t.Errorf("drop from index: %v", err)
	}
}

// fill fills a server until it takes nothing more.
func fill(t *testing.T, server *storetest.Redis) {
	t.Helper()
	admin := administrator(t, server)
	for size := 100_000; size > 0; size /= 10 {
		junk := make([]byte, size)
		_, _ = rand.Read(junk)
		for i := 0; admin.Set(t.Context(), strconv.Itoa(size)+" "+strconv.Itoa(i), junk, time.Hour).Err() == nil; i++ {
			if i == 100_000 {
				t.Fatal("the server is never full")
			}
		}
	}
}

// The index of somebody who signs in again and again forgets what is over, although it never expires itself.
func TestIndexForgets(t *testing.T) {
	server := storetest.StartRedis(t)
	s := open(t, config(server))
	const signIns = 500
	add := func(id string, expires time.Time) {
		if err := s.AddIndex(t.Context(), "k", session.Member{ID: session.ID(id), Info: []byte("1:" + id)}, time.Now(), expires); err != nil {
			t.Fatal(err)
		}
	}
	add("living", time.Now().Add(time.Hour))
	for i := range signIns {
		add(strconv.Itoa(i), time.Now().Add(time.Millisecond))
	}
	members, err := s.Members(t.Context(), "k")
	if err != nil || len(members) > signIns/5 {
		t.Errorf("%d members (%v) after %d sign-ins, want few", len(members), err, signIns)
	}
	marked, err := s.MarkIndex(t.Context(), "k", time.Now(), time.Minute)
	if err != nil || len(marked) != len(members) {
		t.Errorf("marked %d members (%v), want the same %d", len(marked), err, len(members))
	}
	for _, list := range [][]session.Member{members, marked} {
		found := false
		for _, m := range list {
			if want := "1:" + string(m.ID); string(m.Info) != want {
				t.Errorf("member %q has info %q", m.ID, m.Info)
			}
			found = found || m.ID == "living"
		}
		if !found {
			t.Error("the living member is gone")
		}
	}
}
