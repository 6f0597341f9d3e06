package session

import (
	"fmt"
	"testing"
	"time"
)

func TestDue(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, tt := range map[string]struct {
		life, left time.Duration
		due        bool
	}{
		"an hour's token, half its life":            {time.Hour, 30 * time.Minute, false},
		"an hour's token, over a minute left":       {time.Hour, time.Minute + time.Millisecond, false},
		"an hour's token, half a minute left":       {time.Hour, 30 * time.Second, true},
		"five minutes' token, over a tenth left":    {5 * time.Minute, 30*time.Second + time.Millisecond, false},
		"five minutes' token, a twentieth left":     {5 * time.Minute, 15 * time.Second, true},
		"five seconds' token, over a second left":   {5 * time.Second, time.Second + time.Millisecond, false},
		"five seconds' token, a second left":        {5 * time.Second, time.Second, true},
		"one second's token, in its first half":     {time.Second, 501 * time.Millisecond, false},
		"one second's token, in its second half":    {time.Second, 500 * time.Millisecond, true},
		"expired":                                   {time.Hour, -time.Second, true},
		"a token for a year, over a minute is left": {365 * 24 * time.Hour, 2 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Session{Tokens: Tokens{Issued: now.Add(tt.left - tt.life), Expires: now.Add(tt.left)}}
			for i := range 300 { // whatever the spread
				s.id = idOf([]byte(fmt.Sprint(i)))
				if got := due(s, now); got != tt.due {
					t.Fatalf("due with %v left of %v = %v, want %v", tt.left, tt.life, got, tt.due)
				}
			}
		})
	}
}

// Sessions that began together do not refresh together; one session always at the same time.
func TestDueIsSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		id := idOf([]byte(fmt.Sprint(i)))
		m := margin(time.Hour, id)
		if m != margin(time.Hour, id) || m > time.Minute || m < 30*time.Second {
			t.Fatalf("margin = %v", m)
		}
		seen[m] = true
	}
	if len(seen) < 200 {
		t.Errorf("%d different margins only", len(seen))
	}
}

func TestJudge(t *testing.T) {
	for name, tt := range map[string]struct {
		prev    *Attempt
		want    verdict
		repeats int
	}{
		"nothing on record":                          {nil, send, 0},
		"an attempt, nobody knows how it ended":      {&Attempt{}, send, 1},
		"a repeat, nobody knows how it ended":        {&Attempt{Repeats: 1}, spent, 0},
		"a record that says more repeats than we do": {&Attempt{Repeats: 7}, spent, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if v, n := judge(tt.prev); v != tt.want || n != tt.repeats {
				t.Errorf("judge = %v, %d; want %v, %d", v, n, tt.want, tt.repeats)
			}
		})
	}
}
