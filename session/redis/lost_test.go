package redis_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// lossy opens a store whose answers can be lost. The server has learnt the scripts already: otherwise the first answer would be that it
// has not.
func lossy(t *testing.T) (*redis.Store, *storetest.Lossy) {
	t.Helper()
	server := storetest.StartRedis(t)
	proxy := storetest.StartLossy(t, server.Addr)
	cfg := config(server)
	cfg.URL = "redis://" + proxy.Addr
	s := open(t, cfg)
	ctx, rec := t.Context(), session.Record{Version: 1, Write: session.WriteID{9}}
	_ = s.Create(ctx, "warm", rec, time.Now().Add(time.Hour))
	_ = s.Update(ctx, "warm", session.Record{Version: 2})
	_, _ = s.End(ctx, "warm", time.Minute, "logout")
	_, _ = s.Lock(ctx, "warm", rec.Write, time.Minute)
	_ = s.Unlock(ctx, "warm", rec.Write)
	_ = s.AddIndex(ctx, "warm", session.Member{ID: "warm"}, time.Now(), time.Now().Add(time.Hour))
	_, _ = s.AddWithin(ctx, "warm", session.Member{ID: "warm"}, time.Now(), time.Now().Add(time.Hour), session.Limit{Max: 1})
	_, _ = s.MarkIndex(ctx, "warm", time.Now(), time.Minute)
	return s, proxy
}

// TestLostAnswers shows that a write whose answer was lost on the way, and which the client library then repeats, is answered as it
// would have been the first time, up to as often as the library tries.
func TestLostAnswers(t *testing.T) {
	hour := func() time.Time { return time.Now().Add(time.Hour) }
	first := session.Record{Version: 1, Write: session.WriteID{1}, Sealed: []byte("x")}
	next := session.Record{Version: 2, Write: session.WriteID{2}, Sealed: []byte("y")}
	create := func(t *testing.T, s *redis.Store) {
		if err := s.Create(t.Context(), "victim", first, hour()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		before func(*testing.T, *redis.Store)
		call   func(*testing.T, *redis.Store) (string, error)
		want   string
	}{
		{"create is done", nil, func(t *testing.T, s *redis.Store) (string, error) {
			return "done", s.Create(t.Context(), "victim", first, hour())
		}, "done"},
		{"update is done, not in conflict with itself", create, func(t *testing.T, s *redis.Store) (string, error) {
			return "done", s.Update(t.Context(), "victim", next)
		}, "done"},
		{"claim is ours, not a stranger's", nil, func(t *testing.T, s *redis.Store) (string, error) {
			first, err := s.Claim(t.Context(), "victim", session.WriteID{1}, time.Minute)
			return fmt.Sprint(first), err
		}, "true"},
		{"end found the session", create, func(t *testing.T, s *redis.Store) (string, error) {
			existed, err := s.End(t.Context(), "victim", time.Minute, "logout")
			return fmt.Sprint(existed), err
		}, "true"},
		{"end found none", nil, func(t *testing.T, s *redis.Store) (string, error) {
			existed, err := s.End(t.Context(), "victim", time.Minute, "logout")
			return fmt.Sprint(existed), err
		}, "false"},
		{"lock is ours", nil, func(t *testing.T, s *redis.Store) (string, error) {
			taken, err := s.Lock(t.Context(), "victim", session.WriteID{1}, time.Minute)
			return fmt.Sprint(taken), err
		}, "true"},
		{"unlock is done", nil, func(t *testing.T, s *redis.Store) (string, error) {
			return "done", s.Unlock(t.Context(), "victim", session.WriteID{1})
		}, "done"},
		{"adding to an index is done", nil, func(t *testing.T, s *redis.Store) (string, error) {
			return "done", s.AddIndex(t.Context(), "victim", session.Member{ID: "victim"}, time.Now(), hour())
		}, "done"},
		{"the last that may be is not refused", nil, func(t *testing.T, s *redis.Store) (string, error) {
			_, err := s.AddWithin(t.Context(), "victim", session.Member{ID: "victim"}, time.Now(), hour(), session.Limit{Max: 1, Refuse: true})
			return "done", err
		}, "done"},
		{"the newest sends nobody else away", nil, func(t *testing.T, s *redis.Store) (string, error) {
			over, err := s.AddWithin(t.Context(), "victim", session.Member{ID: "victim"}, time.Now(), hour(), session.Limit{Max: 1})
			return fmt.Sprint(len(over)), err
		}, "0"},
		{"marking an index lists nobody", nil, func(t *testing.T, s *redis.Store) (string, error) {
			members, err := s.MarkIndex(t.Context(), "victim", time.Now(), time.Minute)
			return fmt.Sprint(len(members)), err
		}, "0"},
		{"read answers", create, func(t *testing.T, s *redis.Store) (string, error) {
			rec, err := s.Read(t.Context(), "victim")
			return string(rec.Sealed), err
		}, "x"},
	} {
		for _, times := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/lost %d times", c.name, times), func(t *testing.T) {
				t.Parallel()
				s, proxy := lossy(t)
				if c.before != nil {
					c.before(t, s)
				}
				proxy.Lose("{victim}", times)
				got, err := c.call(t, s)
				if err != nil || got != c.want {
					t.Errorf("answer %q, %v, want %q", got, err, c.want)
				}
				if proxy.Lost() != times {
					t.Errorf("%d answers were lost, want %d", proxy.Lost(), times)
				}
			})
		}
	}
}

// TestTouchIsNotRepeated shows that the one write without a name of its own is sent once: a lost answer is an outage.
func TestTouchIsNotRepeated(t *testing.T) {
	s, proxy := lossy(t)
	if err := s.Create(t.Context(), "victim", session.Record{Version: 1}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	proxy.Lose("{victim}", 3)
	_, err := s.Touch(t.Context(), "victim", time.Now().Add(2*time.Hour))
	if err == nil || errors.Is(err, session.ErrNone) {
		t.Errorf("error %v, want an outage", err)
	}
	if proxy.Lost() != 1 {
		t.Errorf("sent %d times, want once", proxy.Lost())
	}
}

// TestAnswerLostForGood shows that a write that stays without an answer is an outage and no verdict.
func TestAnswerLostForGood(t *testing.T) {
	s, proxy := lossy(t)
	proxy.Lose("{victim}", 100)
	err := s.Create(t.Context(), "victim", session.Record{Version: 1, Write: session.WriteID{1}}, time.Now().Add(time.Hour))
	for _, state := range []error{nil, session.ErrNone, session.ErrConflict, session.ErrEnded, session.ErrFull, session.ErrCorrupt} {
		if errors.Is(err, state) {
			t.Errorf("error %v, want an outage", err)
		}
	}
}
