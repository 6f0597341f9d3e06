package redis

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// A version without reasons left marks of 17 bytes and announced an end with version 0 alone. Both are understood, and stay what they are when the session is ended again.
func TestEndsOfAVersionWithoutReasons(t *testing.T) {
	server := storetest.StartRedis(t)
	s := storeOn(t, server)
	admin := clientOf(t, server)
	mark := strings.Repeat("w", 16) + "1"
	if err := admin.Set(t.Context(), s.endedKey("s"), mark, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if why, err := s.Why(t.Context(), "s"); why != "" || err != nil {
		t.Errorf("why = %q, %v, want none", why, err)
	}
	if err := s.Create(t.Context(), "s", session.Record{Version: 1}, time.Now().Add(time.Hour)); !errors.Is(err, session.ErrEnded) {
		t.Errorf("create = %v, want ErrEnded", err)
	}
	if existed, err := s.End(t.Context(), "s", time.Minute, "logout"); existed || err != nil {
		t.Errorf("end = %t, %v, want false: it was ended before", existed, err)
	}
	if got := admin.Get(t.Context(), s.endedKey("s")).Val(); got != mark {
		t.Errorf("the mark is %q now, want %q", got, mark)
	}
	if e, err := parseAnnouncement("s 0"); e != (session.Event{ID: "s"}) || err != nil {
		t.Errorf("its announcement is %+v, %v", e, err)
	}
}

// What is announced now is understood by a version that knew no notes but its own beacons: it passes them over, and hears every write and every end.
func TestAVersionWithoutReasonsHearsEveryEnd(t *testing.T) {
	server := storetest.StartRedis(t)
	s := storeOn(t, server)
	heard := clientOf(t, server).Subscribe(t.Context(), s.channel())
	defer heard.Close()
	if _, err := heard.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	hour := time.Now().Add(time.Hour)
	_ = s.Create(t.Context(), "s", session.Record{Version: 1, Write: session.WriteID{1}}, hour)
	_, _ = s.Prolong(t.Context(), "s", hour.Add(time.Hour))
	_, _ = s.End(t.Context(), "s", time.Minute, "backchannel")
	_ = s.Create(t.Context(), "last", session.Record{Version: 1}, hour)
	var got []string
	for len(got) == 0 || got[len(got)-1] != "last 1" {
		m, err := heard.ReceiveTimeout(t.Context(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		payload := m.(*goredis.Message).Payload
		if strings.HasPrefix(payload, "?") {
			continue // as that version did
		}
		id, version, ok := strings.Cut(payload, " ")
		if _, err := strconv.ParseUint(version, 10, 64); !ok || id == "" || err != nil {
			t.Fatalf("it would not understand %q", payload)
		}
		got = append(got, payload)
	}
	if want := "s 1, s 0, last 1"; strings.Join(got, ", ") != want {
		t.Errorf("it hears %q, want %q", got, want)
	}
}

// Notes of later versions are passed over; what is no note and no announcement is not.
func TestNotes(t *testing.T) {
	for payload, want := range map[string]session.Event{
		"?ended s limit":     {ID: "s", Reason: "limit"},
		"?ended s ":          {ID: "s"},
		"?prolonged s":       {ID: "s", Prolonged: true},
		"?ended":             {},
		"?ended s":           {},
		"?prolonged ":        {},
		"?later s something": {},
		"?":                  {},
		"s 7":                {ID: "s", Version: 7},
	} {
		if e, err := parseAnnouncement(payload); e != want || err != nil {
			t.Errorf("%q: %+v, %v, want %+v", payload, e, err, want)
		}
	}
	for _, payload := range []string{"", "s", "s x", " 1", "s 01", "ended s limit"} {
		if e, err := parseAnnouncement(payload); !errors.Is(err, errNonsense) {
			t.Errorf("%q: %+v, %v, want an error", payload, e, err)
		}
	}
}
