package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// flow is one open stream of a client.
type flow struct {
	kind    string // as in the metric
	replica int
	done    chan struct{} // closed at its end
	ended   string        // how: a close code, an event, or that it broke off
	at      time.Time
}

// rightEnds are how a stream of each kind ends with its session.
func rightEnds(reason string) map[string]string {
	return map[string]string{
		"websocket":    "4401 session ended: " + reason,
		"event_stream": "broken off",
		"events":       `ended {"reason":"` + reason + `"}`,
	}
}

// flows opens n streams on these sessions, half of them WebSockets, a quarter each of proxied and own event streams, spread over both replicas.
func (s *story) flows(users []*browse.Browser, n int) []*flow {
	s.Helper()
	all := make([]*flow, n)
	var opening sync.WaitGroup
	for worker := range 8 {
		opening.Go(func() {
			for i := worker; i < n; i += 8 {
				f := &flow{kind: []string{"websocket", "event_stream", "websocket", "events"}[i%4], replica: i / 4 % 2, done: make(chan struct{})}
				if err := s.open(f, users[i/8%len(users)].Ticket()); err != nil {
					s.Errorf("%s on replica %d: %v", f.kind, f.replica+1, err)
					close(f.done)
				}
				all[i] = f
			}
		})
	}
	opening.Wait()
	if s.Failed() {
		s.FailNow()
	}
	return all
}

// open opens a stream, waits until something has come of it, and reads on until it ends.
func (s *story) open(f *flow, ticket string) error {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	header := http.Header{"Cookie": {browse.SessionCookie + "=" + ticket}, "Origin": {s.PublicURL}, "Sec-Fetch-Site": {"same-origin"}}
	end := func(how string) {
		f.at, f.ended = time.Now(), how
		cancel()
		close(f.done)
	}
	at := s.Replicas[f.replica].Address
	if f.kind == "websocket" {
		c, _, err := websocket.Dial(ctx, "ws://"+at+"/api/ws", &websocket.DialOptions{
			Host: strings.TrimPrefix(s.PublicURL, "http://"), HTTPHeader: header,
		})
		if err != nil {
			return err
		}
		go func() {
			_, _, err := c.Read(ctx)
			_ = c.CloseNow()
			if closed, ok := errors.AsType[websocket.CloseError](err); ok {
				end(fmt.Sprintf("%d %s", closed.Code, closed.Reason))
				return
			}
			end(err.Error())
		}()
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+at+map[string]string{"event_stream": "/api/sse", "events": "/bff/events"}[f.kind], nil)
	if err != nil {
		return err
	}
	req.Host, req.Header, req.Close = strings.TrimPrefix(s.PublicURL, "http://"), header, true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(res.Body)
	name, data := event(lines)
	if res.StatusCode != 200 || data == "" {
		return fmt.Errorf("%d, begins with %s %q", res.StatusCode, name, data)
	}
	go func() {
		defer res.Body.Close()
		last := "nothing"
		for {
			name, data := event(lines)
			if data == "" {
				break
			}
			last = name + " " + data
		}
		switch {
		case lines.Err() == nil:
		case f.kind == "event_stream":
			last = "broken off"
		default:
			last += ", broken off: " + lines.Err().Error()
		}
		end(last)
	}()
	return nil
}

// overBy waits for these streams' ends, demands that each ended as it should, within a second after begin, and returns the latest.
func (s *story) overBy(begin time.Time, flows []*flow) (latest time.Duration) {
	s.Helper()
	wrong, right := map[string]int{}, rightEnds("device")
	for _, f := range flows {
		select {
		case <-f.done:
		case <-s.ctx.Done():
			s.Fatalf("a stream has not ended: %s on replica %d", f.kind, f.replica+1)
		}
		if f.ended != right[f.kind] {
			wrong[f.kind+" ended with "+f.ended]++
		}
		latest = max(latest, f.at.Sub(begin))
	}
	if len(wrong) > 0 || latest > time.Second {
		s.Errorf("%d streams were over after %s; wrong: %v", len(flows), latest, wrong)
	}
	return latest
}

// on are the streams on one replica.
func on(replica int, flows []*flow) (some []*flow) {
	for _, f := range flows {
		if f.replica == replica {
			some = append(some, f)
		}
	}
	return some
}

// everywhere signs one user in on so many devices, and returns the last apart.
func (s *story) everywhere(sub string, n int) (others []*browse.Browser, this *browse.Browser) {
	s.Helper()
	all := make([]*browse.Browser, n+1)
	var coming sync.WaitGroup
	for worker := range 4 {
		coming.Go(func() {
			for i := worker; i <= n; i += 4 {
				all[i] = s.browser()
				if _, err := all[i].SignIn(s.ctx, sub, "/public/welcome"); err != nil {
					s.Error(err)
				}
			}
		})
	}
	coming.Wait()
	if s.Failed() {
		s.FailNow()
	}
	return all[:n], all[n]
}

// WS-06, SSE-01: a thousand streams of twenty sessions on two replicas end within a second of one sign-out everywhere, each is counted, and nothing of them is left behind;
// also those of a replica that did not hear of it, within a second of hearing again.
func TestAThousandStreamsEnd(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < 4096 {
		t.Fatalf("%d files may be open (%v); the test needs 4096: ulimit -n 4096", files.Cur, err)
	}
	// A busy machine gets to an answer late while it closes a thousand streams; that is not what this is about.
	s := onOwn(t, stack.Options{Replicas: 1, Configure: func(c *stack.Config) { c.RedisTimeout = 5 * time.Second }})
	link, err := stack.NewSwitch(s.Redis.Direct())
	s.check(err)
	t.Cleanup(func() { _ = link.Close() })
	s.Config.RedisURL = "redis://" + link.Address + "/0"
	_, err = s.StartReplica(s.ctx)
	s.check(err)
	s.check(s.Ready(s.ctx))
	s.trusted(0, 1)
	s.trusted(1, 1)
	defer s.Upstream.Hold("sse").Release() // its second event never comes

	t.Run("everywhere at once", func(t *testing.T) {
		(&story{t, s.Stack, s.ctx}).endFlows("everywhere", 1000, func(s *story, this *browse.Browser, flows []*flow) {
			began := time.Now()
			s.fetch(s.at(this, 0), "DELETE", "/bff/sessions", 200)
			answer := time.Now()
			late := s.overBy(answer, flows)
			s.Logf("the sign-out took %s, and the last stream ended %s after its answer", answer.Sub(began).Round(time.Millisecond), late.Round(time.Millisecond))
		})
	})
	t.Run("and where it was not heard", func(t *testing.T) {
		(&story{t, s.Stack, s.ctx}).endFlows("unheard", 400, func(s *story, this *browse.Browser, flows []*flow) {
			s.check(link.Refuse())
			s.trusted(1, 0)
			s.fetch(s.at(this, 0), "DELETE", "/bff/sessions", 200)
			s.overBy(time.Now(), on(0, flows))
			for _, f := range on(1, flows) {
				select {
				case <-f.done:
					s.Fatalf("without announcements a %s ended with %q", f.kind, f.ended)
				default:
				}
			}
			heard := len(s.Replicas[1].Events("announcements_heard"))
			s.check(link.Accept(s.Redis.Direct()))
			s.eventually("announcements are heard again", func() bool { return len(s.Replicas[1].Events("announcements_heard")) > heard })
			late := s.overBy(time.Now(), on(1, flows))
			s.Logf("the last stream ended %s after announcements were heard again", late.Round(time.Millisecond))
		})
	})
}

// endFlows opens n streams of twenty sessions of one user, ends them, and demands that each is counted and nothing of them is left.
func (s *story) endFlows(sub string, n int, end func(*story, *browse.Browser, []*flow)) {
	s.Helper()
	others, this := s.everywhere(sub, 20)
	var before []holding
	var closed []float64
	for i, r := range s.Replicas {
		before, closed = append(before, s.holds(r)), append(closed, s.closed(i))
	}
	began := time.Now()
	flows := s.flows(others, n)
	s.Logf("%d streams were opened in %s", n, time.Since(began).Round(time.Millisecond))
	for i, r := range s.Replicas {
		if open := s.metric(r, "cloakroom_streams_open"); open != float64(n/2) {
			s.Errorf("replica %d counts %v open streams, want %d", i+1, open, n/2)
		}
	}
	peak := s.holds(s.Replicas[0])
	end(s, this, flows)
	for i, r := range s.Replicas {
		s.eventually("no stream is open", func() bool { return s.metric(r, "cloakroom_streams_open") == 0 })
		if over := s.closed(i) - closed[i]; over != float64(n/2) {
			s.Errorf("replica %d counts %v streams that ended, want %d", i+1, over, n/2)
		}
		s.emptied(r, before[i], peak)
	}
}

// holding is what a process holds of streams. Not its resident memory: a race detector gives nothing back.
type holding struct{ goroutines, files, heap float64 }

func (s *story) holds(r *stack.Replica) holding {
	s.Helper()
	return holding{s.metric(r, "go_goroutines"), s.metric(r, "process_open_fds"), s.metric(r, "go_memstats_heap_alloc_bytes")}
}

// emptied waits until a process holds what it held before, with room for idle connections. The heap shrinks when it is collected, to which asking
// for metrics contributes.
func (s *story) emptied(r *stack.Replica, before, peak holding) {
	s.Helper()
	const idle, kept = 50, 8 << 20
	var now holding
	defer func() {
		s.Logf("%s: goroutines %.0f → %.0f → %.0f, files %.0f → %.0f → %.0f, heap %.1f → %.1f → %.1f MiB", r.Name, before.goroutines, peak.goroutines,
			now.goroutines, before.files, peak.files, now.files, before.heap/(1<<20), peak.heap/(1<<20), now.heap/(1<<20))
	}()
	s.eventually(r.Name+" holds what it held before", func() bool {
		now = s.holds(r)
		return now.goroutines <= before.goroutines+idle && now.files <= before.files+idle && now.heap <= before.heap+kept
	})
}

// closed is how many streams a replica has closed because their session ended.
func (s *story) closed(n int) float64 {
	s.Helper()
	return s.metric(s.Replicas[n], `cloakroom_streams_closed_total{reason="device"}`)
}
