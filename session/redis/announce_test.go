package redis

import (
	"errors"
	"slices"
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

// An end is heard whatever was heard of that session just before: only the second message of an end that has been heard already says nothing new. A version without reasons
// announces an end by that message alone, also right behind a write.
func TestAnEndBehindAWriteIsHeard(t *testing.T) { // law 2
	for name, c := range map[string]struct {
		said []string
		want []session.Event
	}{
		"a write, and an end without a reason":                 {[]string{"s 5", "s 0"}, []session.Event{{ID: "s", Version: 5}, {ID: "s"}}},
		"a keepalive, and an end without a reason":             {[]string{"?prolonged s", "s 0"}, []session.Event{{ID: "s", Prolonged: true}, {ID: "s"}}},
		"a write, and an end whose mark had no reason":         {[]string{"s 5", "?ended s ", "s 0"}, []session.Event{{ID: "s", Version: 5}, {ID: "s"}}},
		"an end with its reason":                               {[]string{"?ended s limit", "s 0"}, []session.Event{{ID: "s", Reason: "limit"}}},
		"an end with its reason behind another's without one":  {[]string{"r 0", "?ended s limit", "s 0"}, []session.Event{{ID: "r"}, {ID: "s", Reason: "limit"}}},
		"an end, and something of another session in between":  {[]string{"?ended s limit", "r 2", "s 0"}, []session.Event{{ID: "s", Reason: "limit"}, {ID: "r", Version: 2}, {ID: "s"}}},
		"an end of another session behind one with its reason": {[]string{"?ended s limit", "s 0", "r 0"}, []session.Event{{ID: "s", Reason: "limit"}, {ID: "r"}}},
	} {
		t.Run(name, func(t *testing.T) {
			server := storetest.StartRedis(t)
			s, client := storeOn(t, server), clientOf(t, server)
			l, err := s.Listen(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for _, payload := range append(c.said, "last 1") {
				if err := client.Publish(t.Context(), s.channel(), payload).Err(); err != nil {
					t.Fatal(err)
				}
			}
			var heard []session.Event
			for e := (session.Event{}); e.ID != "last"; {
				if e, err = l.Receive(t.Context()); err != nil {
					t.Fatal(err)
				}
				heard = append(heard, e)
			}
			if want := append(c.want, session.Event{ID: "last", Version: 1}); !slices.Equal(heard, want) {
				t.Errorf("heard %+v, want %+v", heard, want)
			}
		})
	}
}
