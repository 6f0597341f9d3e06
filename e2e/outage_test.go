package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloakroom/e2e/stack"
)

// unavailable demands 503 with Retry-After, without a cookie set or cleared, in bounded time.
func (s *story) unavailable(method, path string, ask func() (int, string, int, error)) {
	s.Helper()
	began := time.Now()
	status, retry, cookies, err := ask()
	s.check(err)
	if took := time.Since(began); took > 10*time.Second {
		s.Errorf("%s %s took %s", method, path, took)
	}
	if status != 503 || retry == "" || cookies != 0 {
		s.Errorf("%s %s: %d, Retry-After %q, %d cookies; want 503 with Retry-After and none", method, path, status, retry, cookies)
	}
}

// SES-10: while Redis is out, what needs it answers 503 and keeps the cookie, what does not need it answers, and
// afterwards the same cookie works. Two outages: connections refused, and a server that hangs. Copies would
// serve the first two seconds of the second.
func TestAnOutageOfRedisIsNoSignOut(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 1, Configure: func(c *stack.Config) { c.Session = "  staleness: 0\n" }})
	r := s.Replicas[0]
	outages := map[string]struct{ begin, end func() }{
		"refused": {s.Redis.Link.Cut, s.Redis.Restore},
		"hanging": {
			func() { s.check(s.Redis.Signal(syscall.SIGSTOP)) },
			func() { s.check(s.Redis.Signal(syscall.SIGCONT)) },
		},
	}
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			b, other := s.signedIn("alice"), s.browser()
			unopened := s.begin(other, "bob", "/public/x")
			codes, ticket := s.exchanges(), b.Ticket()
			outage.begin()
			for _, c := range []struct{ method, path string }{
				{"GET", "/api/x"}, {"POST", "/api/x"}, {"GET", "/bff/user"}, {"POST", "/bff/keepalive"}, {"POST", "/bff/logout"},
			} {
				s.unavailable(c.method, c.path, func() (int, string, int, error) {
					a, err := b.Fetch(s.ctx, c.method, c.path, "")
					if err != nil {
						return 0, "", 0, err
					}
					return a.Status, a.Header.Get("Retry-After"), len(a.Header.Values("Set-Cookie")), nil
				})
			}
			if a := s.arrive(other, unopened); a.Status != 503 || s.exchanges() != codes {
				t.Errorf("a callback during the outage: %d, %d codes spent", a.Status, s.exchanges()-codes)
			}
			s.get(b, "/public/x", 200)
			if status, _, err := r.Get(s.ctx, "/livez"); err != nil || status != 200 {
				t.Errorf("/livez: %d %v", status, err)
			}
			s.eventually("readiness says no", func() bool {
				status, _, err := r.Get(s.ctx, "/readyz")
				return err == nil && status == 503
			})
			outage.end()
			s.check(s.Ready(s.ctx))
			s.get(b, "/api/x", 200)
			if b.Ticket() != ticket {
				t.Error("the ticket changed")
			}
			if a := s.arrive(other, unopened); a.Status != 200 || a.URL.Path != "/public/x" {
				t.Errorf("the same callback afterwards: %d at %s", a.Status, a.URL.Path)
			}
		})
	}
}

// The server starts without Redis, says so, serves what needs none, and is ready as soon as Redis is.
func TestAStoreThatIsDownAtStart(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{})
	s.Redis.Link.Cut()
	r, err := s.StartReplica(s.ctx)
	s.check(err)
	b := s.browser()
	s.get(b, "/public/x", 200)
	s.eventually("readiness names the store", func() bool {
		status, body, err := r.Get(s.ctx, "/readyz")
		return err == nil && status == 503 && strings.Contains(body, "store")
	})
	s.Redis.Restore()
	s.check(s.Ready(s.ctx))
	s.get(s.signedIn("alice"), "/api/x", 200)
}

// OIDC-17: the server starts without its provider, says so, answers a sign-in 503, and is ready as soon as the provider is.
func TestAProviderThatIsDownAtStart(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{})
	issuer, err := url.Parse(s.Provider.Issuer)
	s.check(err)
	s.check(s.Provider.Close())
	r, err := s.StartReplica(s.ctx)
	s.check(err)
	status, body, err := r.Get(s.ctx, "/readyz")
	if err != nil || status != 503 || !strings.Contains(body, "main") {
		t.Errorf("/readyz: %d %q %v, want 503 naming the provider", status, body, err)
	}
	b := s.browser()
	a, err := b.Go(s.ctx, nav("/bff/login", "", ""))
	s.check(err)
	if a.Status != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("/bff/login: %d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
	s.get(b, "/public/x", 200)

	var port int
	_, err = fmt.Sscan(issuer.Port(), &port)
	s.check(err)
	s.Stack.Provider, err = stack.StartProvider(s.ctx, port, s.Clients, nil)
	s.check(err)
	s.check(s.Ready(s.ctx))
	s.get(s.signedIn("alice"), "/api/x", 200)
}

// SES-06: after a day's work no key of ours lives for ever.
func TestNoKeyLivesForEver(t *testing.T) {
	s := onUsual(t)
	b := s.signedIn("otto")
	s.begin(s.browser(), "otto", "/public/x")
	s.get(b, "/api/x", 200)
	s.fetch(b, "POST", "/bff/keepalive", 204)
	s.fetch(s.signedIn("otto"), "POST", "/bff/logout", 200)
	immortal, err := s.Redis.Immortal(s.ctx)
	s.check(err)
	if len(immortal) > 0 {
		t.Errorf("without an expiry: %q", immortal)
	}
}
