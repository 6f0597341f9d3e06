package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"cloakroom/e2e/browse"
)

// Rates are per hour here: in the seconds that a story takes a burst comes through, and nothing more.
const burst = 12

// limitRoutes have limits; each story has routes, or users, of its own.
func limitRoutes(upstream string) string {
	return fmt.Sprintf(`  - {path: /limited/, upstream: %[1]q, limit: {rate: %[2]d/1h, burst: %[2]d}}
  - {path: /address/, upstream: %[1]q, auth: none, limit: {rate: %[2]d/1h, burst: %[2]d, per: ip}}
  - {path: /nobody/, upstream: %[1]q, auth: optional, limit: {rate: %[2]d/1h, burst: %[2]d}}
  - {path: /sessions/, upstream: %[1]q, limit: [{rate: 4/1h, burst: 4, per: session}, {rate: 6/1h, burst: 6, per: user}]}
  - {path: /search/a/, upstream: %[1]q, limit: search}
  - {path: /search/b/, upstream: %[1]q, limit: [search, {rate: 4/1h, burst: 4}]}
  - {path: /busy/, upstream: %[1]q, limit: {concurrent: 2}}
  - {path: /watched/, upstream: %[1]q, limit: {rate: 1/1h, burst: 1, report_only: true}}
`, upstream, burst)
}

// through asks many times at once, by turns at both replicas, and counts the answers by their status.
func (s *story) through(times int, ask func(n int) *browse.Answer) map[int]int {
	s.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	by := map[int]int{}
	for n := range times {
		all.Go(func() {
			a := ask(n)
			mu.Lock()
			defer mu.Unlock()
			by[a.Status]++
		})
	}
	all.Wait()
	return by
}

// RL-01, RL-06: of what a user asks of two replicas at once, with three sessions, exactly the burst comes through.
func TestTwoReplicasShareALimit(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	var at [6]*browse.Browser
	for n := range at {
		if n < 3 {
			at[n] = s.at(s.signedIn("lena"), n%2)
			continue
		}
		at[n] = s.at(at[n-3], (n+1)%2)
	}
	by := s.through(6*burst, func(n int) *browse.Answer {
		return s.sends(at[n%6], "GET", fmt.Sprintf("/limited/lena?%d", n))
	})
	if got := len(reached(s.Upstream, "/limited/lena")); got != burst || by[200] != burst || by[429] != 5*burst {
		t.Errorf("%d came through, want %d: %v", got, burst, by)
	}
	s.get(s.signedIn("luis"), "/limited/luis", 200) // another user
}

// item is a member of a list of structured fields.
func (s *story) item(a *browse.Answer, field, name string) httpsfv.Item {
	s.Helper()
	list, err := httpsfv.UnmarshalList(a.Header.Values(field))
	s.check(err)
	for _, m := range list {
		if item, ok := m.(httpsfv.Item); ok && item.Value == name {
			return item
		}
	}
	s.Fatalf("%s %q has no %q", field, a.Header.Values(field), name)
	return httpsfv.Item{}
}

func (s *story) param(a *browse.Answer, field, name, param string) int64 {
	s.Helper()
	value, _ := s.item(a, field, name).Params.Get(param)
	n, ok := value.(int64)
	if !ok {
		s.Fatalf("%s %q: %s of %s is no integer", field, a.Header.Values(field), param, name)
	}
	return n
}

// RL-02, RL-03, LOG-01: whoever is refused learns when there is room again, from fields that agree, and no cache keeps it. What is left counts down over both replicas.
func TestWhatALimitTells(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("mila")
	for left := int64(burst - 1); left >= 0; left-- {
		a := s.get(s.at(b, int(left%2)), "/limited/mila", 200)
		if got := s.param(a, "RateLimit", "user", "r"); got != left {
			t.Errorf("%d left, want %d", got, left)
		}
		if q, w := s.param(a, "RateLimit-Policy", "user", "q"), s.param(a, "RateLimit-Policy", "user", "w"); q != burst || w != 3600 {
			t.Errorf("the policy is %d in %d s", q, w)
		}
	}
	for n := range 2 {
		a := s.sends(s.at(b, n), "GET", "/limited/mila")
		s.refusedOnce(a, 429, refusal{"too_many_requests", "user", "limit_rate"})
		s.problem(a, "too_many_requests")
		again, err := strconv.ParseInt(a.Header.Get("Retry-After"), 10, 64)
		s.check(err)
		if r, when := s.param(a, "RateLimit", "user", "r"), s.param(a, "RateLimit", "user", "t"); r != 0 || when != again || again < 1 || again > 3600/burst {
			t.Errorf("r=%d, t=%d, Retry-After %d", r, when, again)
		}
		if cache := a.Header.Get("Cache-Control"); cache != "no-store" {
			t.Errorf("Cache-Control %q", cache)
		}
	}
}

// RL-07: what is counted is forgotten again by Redis itself.
func TestCountsExpire(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("zoe")
	s.get(b, "/limited/zoe", 200)
	s.get(b, "/search/b/zoe", 200)
	counts, err := s.Redis.Client.Keys(s.ctx, "cloakroom:r:*").Result()
	s.check(err)
	for _, key := range counts {
		left, err := s.Redis.Client.PTTL(s.ctx, key).Result()
		s.check(err)
		if left == -1 || left > time.Hour {
			t.Errorf("%s is there for %v", key, left)
		}
	}
	if len(counts) < 3 {
		t.Errorf("%d counts", len(counts))
	}
}

// variants are requests that are the same to a limit by address, or are none at all.
var variants = []struct {
	method, path string
	header       []string
}{
	{"GET", "/address/x", nil}, {"HEAD", "/address/x", nil}, {"POST", "/address/x", nil}, {"PUT", "/address/x?q=1", nil}, {"QUERY", "/address/x", nil},
	{"GET", "/address/%78", nil}, {"GET", "/address/./x", nil}, {"GET", "/address//x", nil}, {"GET", "//address/x", nil}, {"GET", "/ADDRESS/x", nil}, {"GET", "/address/x/", nil},
	{"GET", "/address/y/../x", nil}, {"GET", "/address/%2e/x", nil}, {"GET", "/address/x;v=1", nil}, {"GET", "/%61ddress/x", nil}, {"GET", "/address%2fx", nil}, {"GET", "/public/../address/x", nil},
	{"GET", "/address/x", []string{"X-Forwarded-For: 203.0.113.1"}}, {"GET", "/address/x", []string{"X-Forwarded-For: 203.0.113.2, 203.0.113.3"}},
	{"GET", "/address/x", []string{"Forwarded: for=203.0.113.4"}}, {"GET", "/address/x", []string{"X-Real-Ip: 203.0.113.5"}}, {"GET", "/address/x", []string{"True-Client-Ip: 203.0.113.6"}},
	{"GET", "/address/x", []string{"Cf-Connecting-Ip: 203.0.113.7"}}, {"GET", "/address/x", []string{"X-Forwarded-For: 127.0.0.1"}}, {"GET", "/address/x", []string{"Client-Ip: ::1"}},
	{"POST", "/address/x", []string{"X-Http-Method-Override: GET"}}, {"POST", "/address/x", []string{"X-Http-Method-Override: TRACE"}}, {"GET", "/address/x", []string{"User-Agent: other"}},
	{"GET", "/address/x", []string{"Authorization: Bearer y"}}, {"GET", "/address/x", []string{"X-Api-Key: ck_y"}}, {"GET", "/address/x", []string{"Accept-Encoding: br"}},
	{"OPTIONS", "/address/x", nil},
}

// RL-06: no way to write a request raises the total of an address; each comes in a browser of its own, without cookies or with those of a user.
func TestNothingRaisesALimitByAddress(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	user := s.signedIn("vera")
	for n := range 2 * len(variants) {
		v := variants[n%len(variants)]
		b := s.browser()
		if n%3 == 0 {
			b = user
		}
		s.sends(s.at(b, n%2), v.method, v.path, v.header...)
	}
	var came []string
	for _, r := range s.Upstream.Seen() {
		if strings.Contains(strings.ToLower(r.Target), "ddress") {
			came = append(came, r.Method+" "+r.Target)
		}
	}
	if len(came) != burst {
		t.Errorf("%d came through, want %d: %q", len(came), burst, came)
	}
	for n := range burst + 5 { // a limit per user, of nobody
		s.sends(s.at(s.browser(), n%2), "GET", "/nobody/x", fmt.Sprintf("Cookie: __Host-Http-session=%043d", n), fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", n))
	}
	if n := len(reached(s.Upstream, "/nobody/")); n != burst {
		t.Errorf("%d of nobody came through, want %d", n, burst)
	}
}

// A limit per session is one of several: a new session has its own, and not its user's. What one limit refuses counts against none.
func TestSeveralLimitsAtOnce(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	first := s.signedIn("sara")
	for n := range 4 {
		s.get(s.at(first, n%2), "/sessions/sara", 200)
	}
	for n := range 4 {
		s.refusedOnce(s.sends(s.at(first, n%2), "GET", "/sessions/sara"), 429, refusal{"too_many_requests", "session", "limit_rate"})
	}
	second := s.signedIn("sara")
	for n := range 2 {
		s.get(s.at(second, n), "/sessions/sara", 200)
	}
	for n := range 2 {
		s.refusedOnce(s.sends(s.at(second, n), "GET", "/sessions/sara"), 429, refusal{"too_many_requests", "user", "limit_rate"})
	}
}

// A shared limit is one over all routes that name it.
func TestRoutesShareALimit(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("rosa")
	for n := range 4 {
		s.get(s.at(b, n%2), "/search/b/rosa", 200)
	}
	s.refusedOnce(s.sends(b, "GET", "/search/b/rosa"), 429, refusal{"too_many_requests", "user", "limit_rate"})
	for n := range 2 {
		s.get(s.at(b, n), "/search/a/rosa", 200)
	}
	s.refusedOnce(s.sends(b, "GET", "/search/a/rosa"), 429, refusal{"too_many_requests", "search", "limit_rate"})
}

// RL-08: a stream has its place for as long as it is open, and whoever waits for an answer has one; each replica has its own. Places that are given back can be had again.
func TestAStreamHoldsAPlace(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("cora")
	at := s.at(b, 0)
	defer s.Upstream.Hold("sse").Release() // its second event never comes
	stream := s.opened(at, "/busy/sse")
	gate := s.Upstream.Hold("silent/cora")
	waiting := s.under(at, "GET", "/busy/silent/cora")
	select {
	case <-gate.Arrived():
	case <-s.ctx.Done():
		t.Fatal("the request has not arrived")
	}
	full := refusal{"too_many_requests", "user-concurrent", "limit_concurrent"}
	s.refusedOnce(s.sends(at, "GET", "/busy/cora"), 429, full)
	s.refusedOnce(s.sends(s.at(s.signedIn("cora"), 0), "GET", "/busy/cora"), 429, full)
	s.get(s.at(b, 1), "/busy/cora", 200)
	s.get(s.at(s.signedIn("carl"), 0), "/busy/carl", 200)
	stream.Body.Close() // the client is gone
	s.eventually("the stream's place is free", func() bool { return s.sends(at, "GET", "/busy/cora").Status == 200 })
	gate.Release()
	if status := <-waiting; status != 200 {
		t.Errorf("the request that waited: %d", status)
	}
	s.get(at, "/busy/cora", 200)
}

// opened opens an event stream, and leaves it open.
func (s *story) opened(b *browse.Browser, path string) *http.Response {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx, "GET", b.Origin+path, nil)
	s.check(err)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := b.Send(req, false, false)
	s.check(err)
	s.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		s.Fatalf("%s: %d", path, res.StatusCode)
	}
	return res
}

// A limit that only reports lets through, and is counted.
func TestALimitThatOnlyReports(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.at(s.signedIn("wim"), 0)
	for range 3 {
		if a := s.get(b, "/watched/wim", 200); a.Header.Get("RateLimit") != "" {
			t.Error("it is told to clients")
		}
	}
	if n := s.metric(s.Replicas[0], `cloakroom_limited_total{limit="user",reason="reported",route="/watched/"}`); n != 2 {
		t.Errorf("%v were counted, want 2", n)
	}
}
