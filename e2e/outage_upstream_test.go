package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// upstreamTimeout is the route's timeout in these stories.
const upstreamTimeout = 500 * time.Millisecond

// An upstream that fails is the upstream's failure: the session and the other routes go on, readiness says yes.
func TestUpstreamOutages(t *testing.T) {
	t.Parallel()
	link, err := stack.NewSwitch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = link.Close() })
	s := onOwn(t, stack.Options{Replicas: 1, Configure: func(c *stack.Config) {
		link.Use(strings.TrimPrefix(c.Upstream, "http://"))
		c.Routes = "  - {path: /api/, upstream: \"http://" + link.Address + "\", timeout: 500ms}\n" +
			"  - {path: /public/, upstream: \"" + c.Upstream + "\", auth: none}\n"
	}})
	address := strings.TrimPrefix(s.Upstream.URL, "http://")
	for _, o := range []struct {
		name       string
		status     int
		code       string
		begin, end func(*story)
	}{
		{
			"down", 502, "upstream_failed",
			func(s *story) { s.check(link.Refuse()) }, func(s *story) { s.check(link.Accept(address)) },
		},
		{
			"slow", 504, "upstream_timeout",
			func(s *story) { link.Delay(5 * time.Second) }, func(s *story) { link.Delay(0) },
		},
	} {
		t.Run(o.name, func(t *testing.T) {
			(&story{t, s.Stack, deadline(t)}).outOfUpstream(o.status, o.code, o.begin, o.end)
		})
	}
	t.Run("dying", func(t *testing.T) { upstreamDies(&story{t, s.Stack, deadline(t)}) })
}

func (s *story) outOfUpstream(status int, code string, begin, undo func(*story)) {
	r, b := s.Replicas[0], s.signedIn("alice")
	ticket, counter := b.Ticket(), fmt.Sprintf(`cloakroom_requests_total{route="/api/",status="%d"}`, status)
	s.storm(b, "/api/json", 100, 5*time.Millisecond, func(*browse.Answer) {})
	b.Close()
	before := s.load(r)
	end := sync.OnceFunc(func() { undo(s) })
	defer end() // a story that fails leaves the upstream to the next ones
	begin(s)
	s.bounded(upstreamTimeout+100*time.Millisecond, func() time.Duration {
		return s.storm(b, "/api/json", 100, 5*time.Millisecond, func(a *browse.Answer) {
			s.unavailable(a, status, code)
		})
	})
	s.alive(b, r)
	if m := s.fields(s.get(b, "/bff/user", 200)); m["authenticated"] != true {
		s.Errorf("during the outage: %v", m)
	}
	s.readiness(r, 200, "store: ok")
	s.record(r, "code", code, "route", "/api/")
	s.counted(r, counter, 0)
	end()
	s.get(b, "/api/json", 200)
	if b.Ticket() != ticket {
		s.Error("the ticket changed")
	}
	b.Close()
	s.settled(r, before)
	documented(s.T, strconv.Itoa(status), code, "cloakroom_requests_total", "store: ok")
}

// upstreamDies in the middle of an answer's body: the browser must be able to see that it is not the whole.
func upstreamDies(s *story) {
	r, b := s.Replicas[0], s.signedIn("alice")
	if a, err := b.Fetch(s.ctx, "GET", "/api/abort", ""); err == nil {
		s.Errorf("a broken-off answer arrived as a whole: %d %q", a.Status, a.Body)
	}
	_, err := r.Await(s.ctx, "record of an aborted request", func(l stack.Line) bool { return l.Is("request") && l.Fields["aborted"] == true })
	s.check(err)
	s.alive(b, r)
	s.readiness(r, 200, "store: ok")
	s.get(b, "/api/json", 200)
	documented(s.T, "aborted", "store: ok")
}
