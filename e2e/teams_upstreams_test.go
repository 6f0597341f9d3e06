package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// upstreamFiles are of a team with several servers of several kinds.
func (p *places) upstreamFiles() map[string]string {
	return map[string]string{"teams/platform/servers.yaml": fmt.Sprintf(`upstreams:
  pair: {urls: ["http://%[1]s", "http://%[2]s"], health: {failures: 1}}
  checked: {urls: ["http://%[3]s", "http://%[4]s"], health: {path: /alive/json, interval: 200ms, timeout: 200ms, failures: 1}}
  brittle: {urls: ["http://%[8]s", "http://%[9]s"], health: {failures: 1}}
routes:
  - {path: /brittle/, upstream: brittle}
  - {path: /pair/, upstream: pair}
  - {path: /turns/, upstreams: ["%[5]s", "%[6]s"]}
  - {path: /checked/, upstream: checked}
  - {path: /files/, strip_prefix: /files, upstream: "unix:%[7]s:/v1"}
  - {path: /modern/, upstream: modern}
`, p.pair[0].link.Address, p.pair[1].link.Address, p.checked[0].link.Address, p.checked[1].link.Address, p.pair[0].URL, p.pair[1].URL, p.unix, p.brittle[0].link.Address, p.brittle[1].link.Address),
		"teams/going.yaml":  "routes: [{path: /going/, upstream: \"${env:ECHO_URL}\"}]\n",
		"teams/modern.yaml": fmt.Sprintf("upstreams:\n  modern: {url: %q, protocol: h2c}\n", p.h2c),
	}
}

// startH2C starts a server that speaks HTTP/2 without TLS and nothing else, and says what it was asked with.
func (r *run) startH2C() string {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprint(w, req.Proto)
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	r.undo(func() error { server.Close(); return nil })
	return server.URL
}

// Requests go to the servers in turns, by whatever way they are reached.
func TestServersTakeTurns(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("dora")
	for range 6 {
		s.get(b, "/turns/x", 200)
	}
	for i, server := range s.pair {
		if n := len(reached(server.Upstream, "/turns/x")); n != 3 {
			t.Errorf("server %d got %d of 6 requests", i, n)
		}
	}
	if a := s.get(b, "/files/a?b", 200); !strings.Contains(a.Body, `"/v1/a?b"`) || !slices.Equal(reached(s.files, "/v1/a?b")[0].Values("Host"), []string{"localhost"}) {
		t.Errorf("over a unix socket: %s", a.Body)
	}
	if a := s.get(b, "/modern/x", 200); a.Body != "HTTP/2.0" {
		t.Errorf("asked by %s", a.Body)
	}
}

// healthy is what the metric says of a server.
func (s *teams) healthy(p place) string {
	s.Helper()
	_, metrics, err := s.Replicas[0].Get(s.ctx, "/metrics")
	s.check(err)
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "cloakroom_upstream_healthy{") && strings.Contains(line, p.link.Address) {
			return strings.TrimSpace(line[strings.LastIndex(line, " "):])
		}
	}
	return "unknown"
}

// A server that went away costs nobody an answer, is left alone, and gets requests again when it is back: where users' requests are the probe, and where it is checked.
func TestAServerThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	s := onOwnTeams(t) // of its own, as others share the servers' health
	b := s.signedIn("emil")
	for path, servers := range map[string][2]place{"/pair/": s.pair, "/checked/": s.checked} {
		away := servers[0]
		s.check(away.link.Refuse())
		for i := range 8 {
			s.get(b, fmt.Sprintf("%sget/%d", path, i), 200)
			s.post(b, fmt.Sprintf("%spost/%d", path, i), "text/plain", "once", 200)
		}
		s.eventually(path+"'s first server is left alone", func() bool { return s.healthy(away) == "0" })
		if s.healthy(servers[1]) != "1" {
			t.Errorf("%s: the other server is left alone, too", path)
		}
		s.check(away.back())
		s.eventually(path+"'s first server gets requests again", func() bool {
			s.get(b, path+"return", 200)
			return len(reached(away.Upstream, path+"return")) > 0
		})
		for i := range 8 {
			target := fmt.Sprintf("%spost/%d", path, i)
			if n := len(reached(servers[0].Upstream, target)) + len(reached(servers[1].Upstream, target)); n != 1 {
				t.Errorf("%s was executed %d times", target, n)
			}
		}
	}
	if _, err := s.Replicas[0].Await(s.ctx, "line about the return", func(l stack.Line) bool { return l.Is("upstream is back") }); err != nil {
		t.Error(err)
	}
}

// PRX-43: what a server may have seen is asked for again at another if it is a GET, and never if it is a POST.
func TestWhatIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s := onOwnTeams(t)
	b := s.signedIn("fred")
	gates := [2]<-chan struct{}{s.brittle[0].Hold("hold").Arrived(), s.brittle[1].Hold("hold").Arrived()}
	for method, times := range map[string]int{"GET": 2, "DELETE": 2, "POST": 1, "PATCH": 1} {
		path := "/brittle/" + strings.ToLower(method) + "/hold"
		done := s.under(b, method, path)
		for range times {
			select {
			case <-gates[0]:
				s.brittle[0].link.Reset()
			case <-gates[1]:
				s.brittle[1].link.Reset()
			case <-s.ctx.Done():
				t.Fatalf("%s has not arrived %d times", method, times)
			}
		}
		if status := <-done; status != 502 {
			t.Errorf("%s that two servers broke off was answered %d", method, status)
		}
		if n := len(reached(s.brittle[0].Upstream, path)) + len(reached(s.brittle[1].Upstream, path)); n != times {
			t.Errorf("%s arrived %d times, want %d", method, n, times)
		}
	}
}

// under asks in the background, and tells the answer's status.
func (s *story) under(b *browse.Browser, method, path string) <-chan int {
	done := make(chan int, 1)
	var wg sync.WaitGroup
	s.Cleanup(wg.Wait)
	wg.Go(func() {
		a, err := b.Fetch(s.ctx, method, path, "")
		if err != nil {
			s.Error(err)
			done <- 0
			return
		}
		done <- a.Status
	})
	return done
}
