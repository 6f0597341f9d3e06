package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// ends are the ways in which a session ends at one replica. Each returns when the answer has arrived, which says that it is over.
var ends = map[string]func(s *story, b *browse.Browser, sub string) error{
	"logout": func(s *story, b *browse.Browser, _ string) error {
		a, err := s.at(b, 0).Fetch(s.ctx, "POST", "/bff/logout", "")
		if err == nil && a.Status != 200 {
			err = fmt.Errorf("logout: %d", a.Status)
		}
		return err
	},
	"back-channel logout": func(s *story, _ *browse.Browser, sub string) error {
		told, err := s.Provider.Logout(s.ctx, sub)
		if err == nil && (len(told) != 1 || told[0].Said != "ok") {
			err = fmt.Errorf("back-channel logout: %v", told)
		}
		return err
	},
}

// BCL-01: an end that was acknowledged is obeyed by the other replica: with announcements the median is under 20 ms and the 99th percentile under 250 ms, while both
// replicas serve 500 requests a second.
func TestAnEndIsSeenEverywhere(t *testing.T) {
	s := onOwn(t, stack.Options{Replicas: 2})
	s.trusted(1, 1)
	s.Switch.Use(s.Replicas[0].Address) // the provider tells the first replica
	stop := s.busy(500)
	defer stop()
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			var took []time.Duration
			for n := range 30 {
				sub := fmt.Sprintf("%s-%d", strings.Fields(name)[0], n)
				b := s.signedIn(sub)
				view := s.at(s.thief(b), 1)
				s.get(view, "/api/json", 200)
				s.get(view, "/api/json", 200) // from a copy
				s.check(end(s, b, sub))
				took = append(took, s.obeyed(view, 5*time.Second))
			}
			slices.Sort(took)
			median, p99, worst := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
			t.Logf("%s obeyed on the other replica after: median %v, 99th percentile %v, worst %v", name, median, p99, worst)
			if median > 20*time.Millisecond || p99 > 250*time.Millisecond {
				t.Error("that is too late")
			}
		})
	}
}

// Without announcements an end is obeyed after staleness at worst, whether they are known to be lost, so that every request asks, or hang.
func TestAnEndIsSeenWithoutAnnouncements(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 1})
	link, err := stack.NewSwitch(s.Redis.Client.Options().Addr)
	s.check(err)
	t.Cleanup(func() { _ = link.Close() })
	s.Config.RedisURL = "redis://" + link.Address + "/0"
	_, err = s.StartReplica(s.ctx)
	s.check(err)
	s.check(s.Ready(s.ctx))
	s.trusted(1, 1)
	s.Switch.Use(s.Replicas[0].Address)
	const staleness = 2 * time.Second // its default
	users := map[string]*browse.Browser{}
	for _, sub := range []string{"hanging", "lost", "outlived"} {
		users[sub] = s.signedIn(sub)
	}
	end := func(t *testing.T, sub string, harm func()) time.Duration {
		view := s.at(s.thief(users[sub]), 1)
		s.get(view, "/api/json", 200)
		s.get(view, "/api/json", 200)
		harm()
		s.check(ends["logout"](s, users[sub], sub))
		took := s.obeyed(view, 5*time.Second)
		t.Logf("obeyed after %v", took)
		return took
	}
	t.Run("everything that the other replica hears hangs", func(t *testing.T) {
		if took := end(t, "hanging", func() { link.Delay(time.Hour) }); took > staleness {
			t.Errorf("%v is longer than staleness", took)
		}
		link.Delay(0)
		link.Cut()
		link.Use(s.Redis.Client.Options().Addr)
		s.trusted(1, 1)
	})
	t.Run("subscribers are killed and may not come back", func(t *testing.T) {
		took := end(t, "lost", func() {
			s.check(s.Redis.Client.Do(s.ctx, "acl", "setuser", "default", "-subscribe").Err())
			s.check(s.Redis.Client.Do(s.ctx, "client", "kill", "type", "pubsub").Err())
		})
		if took > staleness {
			t.Errorf("%v is longer than staleness", took)
		}
		s.trusted(1, 0)
		s.get(s.at(users["outlived"], 1), "/api/json", 200) // by asking
		if len(s.Replicas[1].Events("announcements_lost")) == 0 {
			t.Error("the loss is not in the log")
		}
	})
	t.Run("and are heard again", func(t *testing.T) {
		s.check(s.Redis.Client.Do(s.ctx, "acl", "setuser", "default", "+subscribe").Err())
		s.trusted(1, 1)
		if took := end(t, "outlived", func() {}); took > staleness {
			t.Errorf("%v is longer than staleness", took)
		}
	})
}

// A signed-in request asks Redis nothing in the steady state.
func TestASignedInRequestAsksRedisNothing(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 1})
	s.trusted(0, 1)
	b := s.signedIn("alice")
	s.get(b, "/api/json", 200)
	s.get(b, "/api/json", 200)
	before := s.reads()
	for range 200 {
		s.get(b, "/api/json", 200)
	}
	if asked := s.reads() - before; asked != 0 {
		t.Errorf("200 requests read %d times from Redis", asked)
	}
}

// reads is how many commands about a session Redis got so far, but for touches, one a minute.
func (s *story) reads() (n int) {
	s.Helper()
	info, err := s.Redis.Client.Info(s.ctx, "commandstats").Result()
	s.check(err)
	for line := range strings.Lines(info) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if slices.Contains([]string{"get", "pttl", "evalsha", "eval", "hgetall"}, name) {
			var calls int
			_, err := fmt.Sscan(strings.Split(rest, ",")[0], &calls)
			s.check(err)
			n += calls
		}
	}
	return n
}

// thief is another browser with the same ticket, which a sign-out does not take from it.
func (s *story) thief(b *browse.Browser) *browse.Browser {
	t := s.browser()
	t.SetTicket(b.Ticket())
	return t
}

// trusted waits until the nth replica trusts its copies, or with 0 does not.
func (s *story) trusted(n, want int) {
	s.Helper()
	s.eventually(fmt.Sprintf("copies_trusted is %d", want), func() bool {
		_, text, err := s.Replicas[n].Get(s.ctx, "/metrics")
		return err == nil && strings.Contains(text, fmt.Sprintf("\ncloakroom_copies_trusted %d\n", want))
	})
}

// obeyed is how long after now the last request began that was still served. 503 is no service.
func (s *story) obeyed(b *browse.Browser, look time.Duration) time.Duration {
	s.Helper()
	end, last := time.Now(), time.Duration(0)
	for refused := 0; refused < 20; {
		asked := time.Since(end)
		if asked > look {
			break
		}
		a, err := b.Fetch(s.ctx, "GET", "/api/json", "")
		s.check(err)
		switch a.Status {
		case 200:
			last, refused = asked, 0
		case 401:
			refused++
		}
	}
	return last
}

// busy makes so many requests a second, spread over the replicas, until its end, which it fails if many were not served.
func (s *story) busy(perSecond int) (stop func()) {
	s.Helper()
	var tickets []string
	for n := range 8 {
		tickets = append(tickets, s.signedIn(fmt.Sprintf("crowd-%d", n)).Ticket())
	}
	ctx, cancel := context.WithCancel(s.ctx)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second}
	var all sync.WaitGroup
	var served, failed atomic.Int64
	one := func(n int) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Replicas[n%len(s.Replicas)].Address+"/api/json", nil)
		if err != nil {
			failed.Add(1)
			return
		}
		req.Host = strings.TrimPrefix(s.PublicURL, "http://")
		req.Header = http.Header{"Cookie": {browse.SessionCookie + "=" + tickets[n%len(tickets)]}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}}
		res, err := client.Do(req)
		if err != nil {
			if ctx.Err() == nil {
				failed.Add(1)
			}
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			failed.Add(1)
			return
		}
		served.Add(1)
	}
	began, slots := time.Now(), make(chan struct{}, 64)
	all.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			slots <- struct{}{}
			all.Go(func() { one(n); <-slots })
		}
	})
	return func() {
		cancel()
		all.Wait()
		client.CloseIdleConnections()
		s.Logf("beside them %.0f requests a second were served, %d failed", float64(served.Load())/time.Since(began).Seconds(), failed.Load())
		if failed.Load() > 0 {
			s.Errorf("%d requests beside them failed", failed.Load())
		}
	}
}
