package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// doors is a story about the limits that are always there, with few places. What they take for the client's address comes from a trusted proxy: each story, and each part
// of one, has addresses of its own.
type doors struct{ *story }

// openDoors starts two replicas with them.
func openDoors(t *testing.T, more ...func(*stack.Config)) *doors {
	t.Helper()
	return &doors{onOwn(t, stack.Options{Replicas: 2, Configure: func(c *stack.Config) {
		c.Server = "  trusted_proxies: [127.0.0.1/32, 10.9.0.0/16]"
		c.Sections = `limits:
  timeout: 5s
  replicas: 2
  exempt: [192.0.2.0/24]
  login: {rate: 4/1h, burst: 4}
  callback: {rate: 4/1h, burst: 4}
  backchannel: {rate: 4/1h, burst: 4}
  callers: {rate: 4/1h, burst: 4}
callers: {api_key: X-API-Key}
`
		c.Routes = fmt.Sprintf(`  - {path: /api/, upstream: %[1]q}
  - {path: /keyed/, upstream: %[1]q, callers: [api_key]}
  - {path: /public/, upstream: %[1]q, auth: none}
  - {path: /address/, upstream: %[1]q, auth: none, limit: {rate: 4/1h, burst: 4, per: ip}}
  - {path: /open/, upstream: %[1]q, auth: none, limit: {rate: 4/1h, burst: 4, per: ip, outage: open}}
  - {path: /closed/, upstream: %[1]q, auth: none, limit: {rate: 4/1h, burst: 4, per: ip, outage: closed}}
  - {path: /probe/, upstream: %[1]q, auth: none, limit: {rate: 1000/1s, burst: 1000, per: route, outage: closed}}
`, c.Upstream)
		for _, change := range more {
			change(c)
		}
	}})}
}

// What a window and a script of the app's page say of themselves.
var (
	window = []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	script = []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}
)

// knock asks from an address, without cookies, at the nth replica.
func (s *doors) knock(n int, from, method, path string, header ...string) *browse.Answer {
	s.Helper()
	return s.program(n, method, path, append([]string{"X-Forwarded-For: " + from}, header...)...)
}

// RL-04, RL-06, LOG-01: each door of ours lets four of an address through, over both replicas and whatever they bring; the next is refused, from that address alone.
func TestTheDoorsAreLimited(t *testing.T) {
	t.Parallel()
	s := openDoors(t)
	for name, d := range map[string]struct {
		method, path string
		status       int
		header       []string
	}{
		"login":       {"GET", "/bff/login", 303, window},
		"callback":    {"GET", "/bff/callback?code=x&state=y", 400, nil},
		"backchannel": {"POST", "/bff/backchannel", 400, []string{"Content-Type: application/x-www-form-urlencoded"}},
		"key":         {"GET", "/keyed/x", 401, []string{"X-API-Key: ck_nonsense"}},
		"nobody":      {"GET", "/api/x", 401, script},
	} {
		t.Run(name, func(t *testing.T) {
			s := &doors{&story{t, s.Stack, s.ctx}}
			from := fmt.Sprintf("203.0.113.%d", 1+strings.IndexByte("lcbkn", name[0]))
			if name == "callback" {
				from = "203.0.113.99"
			}
			for n := range 4 {
				path := d.path
				if n == 3 {
					path = strings.Replace(path, "?", "?ui_locales=de&", 1)
				}
				if a := s.knock(n%2, from, d.method, path, d.header...); a.Status != d.status {
					t.Fatalf("%d: %d, want %d\n%s", n, a.Status, d.status, s.brief(a))
				}
			}
			limit := map[string]string{"key": "callers", "nobody": "callers"}[name]
			if limit == "" {
				limit = name
			}
			for n := range 2 {
				a := s.knock(n, from, d.method, d.path, append(d.header, "Sec-Fetch-Mode: cors")...) // for a problem rather than a page
				s.refusedOnce(a, 429, refusal{"too_many_requests", limit, "limit_rate"})
				if a.Header.Get("Retry-After") == "" || a.Header.Get("RateLimit") != "" || a.Header.Get("RateLimit-Policy") != "" {
					t.Errorf("it tells %v", a.Header)
				}
			}
			if a := s.knock(0, "198.51.100."+from[10:], d.method, d.path, d.header...); a.Status != d.status {
				t.Errorf("another address: %d", a.Status)
			}
		})
	}
}

// RL-04, RL-06: what a client says of where it comes from counts as far as trusted proxies say it; an IPv6 network of 64 bits is one address, and so is one of IPv4 in another spelling.
func TestAnAddressIsWhatTrustedProxiesSay(t *testing.T) {
	t.Parallel()
	s := openDoors(t)
	for name, spellings := range map[string][]string{
		"what the client adds on the left": {"198.51.100.1", "1.1.1.1, 198.51.100.1", "192.0.2.1, 198.51.100.1", "127.0.0.1, 198.51.100.1", "10.9.0.1, 198.51.100.1, 10.9.0.2", "x, 198.51.100.1"},
		"spellings of IPv4":                {"198.51.100.2", "::ffff:198.51.100.2", "198.51.100.2:4711", "::ffff:c633:6402", " 198.51.100.2 "},
		"a /64 of IPv6":                    {"2001:db8:1:2::1", "2001:db8:1:2::2", "2001:DB8:1:2:ffff:ffff:ffff:ffff", "[2001:db8:1:2::3]:443", "2001:0db8:0001:0002:0:0:0:9"},
		"addresses that make no sense":     {"198.51.100.300", "unknown", "_hidden", "1e9", "198.51.100", "0x7f.1"}, // the proxy itself, then
	} {
		came := 0
		for n := range 4 * len(spellings) {
			if a := s.knock(n%2, spellings[n%len(spellings)], "GET", "/address/x"); a.Status == 200 {
				came++
			}
		}
		if came != 4 {
			t.Errorf("%s: %d came through, want 4", name, came)
		}
	}
	if a := s.knock(0, "2001:db8:1:3::1", "GET", "/address/x"); a.Status != 200 {
		t.Errorf("another /64: %d", a.Status)
	}
	for n := range 8 {
		if a := s.knock(n%2, "192.0.2.77", "GET", "/address/x"); a.Status != 200 {
			t.Errorf("an exempt address: %d", a.Status)
		}
		if a := s.knock(n%2, "192.0.2.77", "GET", "/bff/login", window...); a.Status != 303 {
			t.Errorf("an exempt address signs in: %d", a.Status)
		}
	}
}

// RL-05: Redis goes away and comes back: each limit does what it says, and what Redis had counted counts again.
func TestLimitsWithoutRedis(t *testing.T) {
	t.Parallel()
	s := openDoors(t)
	from := "203.0.113.50"
	for n := range 3 {
		for _, path := range []string{"/address/x", "/open/x", "/closed/x"} {
			if a := s.knock(n%2, from, "GET", path); a.Status != 200 {
				t.Fatalf("%s with Redis: %d", path, a.Status)
			}
		}
	}
	s.check(s.Redis.Link.Refuse())
	as := map[string][]string{"/bff/login": window, "/api/x": script}
	for path, want := range map[string]map[int]int{"/address/x": {200: 4, 429: 8}, "/open/x": {200: 12}, "/closed/x": {503: 12}, "/bff/login": {303: 4, 429: 8}, "/api/x": {401: 4, 429: 8}} {
		by := s.through(12, func(n int) *browse.Answer { return s.knock(n%2, from, "GET", path, as[path]...) })
		if fmt.Sprint(by) != fmt.Sprint(want) {
			t.Errorf("%s without Redis: %v, want %v", path, by, want)
		}
	}
	closed := s.knock(0, "203.0.113.51", "GET", "/closed/x")
	s.refusedOnce(closed, 503, refusal{"limits_unavailable", "ip", "limit_outage"})
	if closed.Header.Get("Retry-After") == "" || closed.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a closed limit tells %v", closed.Header)
	}
	s.check(s.Redis.Link.Accept(s.Redis.Direct()))
	for n := range 2 {
		s.eventually("Redis counts again", func() bool { return s.knock(n, from, "GET", "/probe/x").Status == 200 })
	}
	for _, path := range []string{"/open/x", "/closed/x"} {
		by := s.through(6, func(n int) *browse.Answer { return s.knock(n%2, from, "GET", path) })
		if by[200] != 1 || by[429] != 5 {
			t.Errorf("%s with Redis again: %v, want the one that was left", path, by)
		}
	}
}

// RL-04: with the defaults 500 users behind one address come in the morning: their tabs find out that they are signed out, and they sign in, all at once.
func TestAnOfficeComesIn(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	const users, whole = 500, 25
	var wg sync.WaitGroup
	room := make(chan struct{}, 16)
	for n := range users {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			b := s.at(s.browser(), n%2)
			for range 3 {
				if a := s.sends(b, "GET", "/api/x"); a.Status != 401 {
					t.Errorf("a tab of user %d: %d", n, a.Status)
				}
			}
			if n%(users/whole) == 0 {
				if a, err := b.SignIn(s.ctx, fmt.Sprintf("office-%d", n), "/public/welcome"); err != nil || a.Status != 200 || b.Ticket() == "" {
					t.Errorf("user %d does not come in: %v, %v", n, a, err)
				}
				return
			}
			s.asFarAsTheProvider(b, n)
		})
	}
	wg.Wait()
}

// asFarAsTheProvider goes to the provider, and comes back with a refusal of its own, which costs it nothing.
func (s *rules) asFarAsTheProvider(b *browse.Browser, n int) {
	a, err := b.Go(s.ctx, nav("/bff/login", s.PublicURL, "/auth"))
	if err != nil || a.Next == nil {
		s.Errorf("user %d begins: %v, %v", n, a, err)
		return
	}
	q := url.Values{"state": {a.Next.Query().Get("state")}, "error": {"access_denied"}, "iss": {s.Provider.Issuer}}
	a, err = b.Go(s.ctx, nav("/bff/callback?"+q.Encode(), s.Provider.Issuer, ""))
	if err != nil || a.Status != 400 {
		s.Errorf("user %d comes back: %v, %v", n, a, err)
	}
}
