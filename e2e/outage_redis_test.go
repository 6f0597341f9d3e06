package e2e

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

const (
	// storeTimeout is session.redis.timeout in these stories.
	storeTimeout = 500 * time.Millisecond
	// staleness is the default of session.staleness.
	staleness = 2 * time.Second
	// redisUser has the password of redisURL in these stories, until a story changes it.
	redisUser, redisPassword = "cloakroom", "the-right-one-is-long-enough"
)

// onStores tells stories on two replicas: the first asks Redis for each request, the second as by default.
func onStores(t *testing.T, configure ...func(*stack.Config)) *story {
	t.Helper()
	s := onOwn(t, stack.Options{Configure: func(c *stack.Config) {
		c.RedisTimeout = storeTimeout
		for _, f := range configure {
			f(c)
		}
	}})
	s.allow(redisPassword)
	shared.corpus.Learn("redis password", redisPassword)
	s.Config.RedisURL = "redis://" + redisUser + ":" + redisPassword + "@" + s.Redis.Link.Address + "/0"
	for _, keys := range []string{"  staleness: 0", ""} {
		s.Config.Session = keys
		_, err := s.StartReplica(s.ctx)
		s.check(err)
	}
	s.check(s.Ready(s.ctx))
	return s
}

// allow gives the replicas' user this password and no other.
func (s *story) allow(password string) {
	s.Helper()
	s.check(s.Redis.Client.Do(s.ctx, "ACL", "SETUSER", redisUser, "on", "resetpass", ">"+password, "~*", "&*", "+@all").Err())
}

// storeOutage is one way in which Redis is out for everybody.
type storeOutage struct {
	name       string
	begin, end func(*story)
	// says is in the log.
	says string
	// copies tells whether a replica that trusts its copies goes on for a while: its connection does not break.
	copies bool
	// silent tells whether nothing says anything, a refusal for example.
	silent bool
}

var storeOutages = []storeOutage{
	{
		"refused",
		func(s *story) { s.check(s.Redis.Link.Refuse()) },
		func(s *story) { s.check(s.Redis.Link.Accept(s.Redis.Direct())) },
		"connection refused", false, true,
	},
	{
		"frozen",
		func(s *story) { s.check(s.Redis.Signal(syscall.SIGSTOP)) },
		func(s *story) { s.check(s.Redis.Signal(syscall.SIGCONT)) },
		"context deadline exceeded", true, true,
	},
	{
		"slow",
		func(s *story) { s.Redis.Link.Delay(5 * time.Second) },
		func(s *story) { s.Redis.Link.Delay(0) },
		"context deadline exceeded", true, true,
	},
	{
		"password",
		func(s *story) { s.allow("another-one"); s.Redis.Link.Reset() },
		func(s *story) { s.allow(redisPassword) },
		"WRONGPASS", false, false,
	},
}

// SES-10, SES-11: while Redis is out, what needs it answers 503 in bounded time and touches no cookie, what does not
// need it answers, and afterwards the same cookie works and nothing is left behind.
func TestRedisOutages(t *testing.T) {
	t.Parallel()
	s := onStores(t)
	for _, o := range storeOutages {
		t.Run(o.name, func(t *testing.T) { (&story{t, s.Stack, deadline(t)}).outOfRedis(o) })
	}
}

func (s *story) outOfRedis(o storeOutage) {
	asking := s.Replicas[0]
	user, other := s.signedIn("alice"), s.browser()
	b, trusting := s.at(user, 0), s.at(user, 1)
	callback := s.begin(s.at(other, 0), "bob", "/public/x")
	codes, ticket := s.exchanges(), user.Ticket()
	s.storm(b, "/api/json", 100, 5*time.Millisecond, func(*browse.Answer) {}) // the load that a process holds something for
	s.trusted(1, 1)
	s.back(trusting)
	b.Close()
	before, errors := []load{s.load(s.Replicas[0]), s.load(s.Replicas[1])}, s.metric(asking, "cloakroom_store_errors_total")
	opened := s.metric(asking, "cloakroom_store_breaker_opened_total")

	end := sync.OnceFunc(func() { o.end(s) })
	defer end() // a story that fails leaves Redis to the next ones
	o.begin(s)
	copies := s.outOfCopies(trusting)
	for _, c := range []struct{ method, path string }{
		{"GET", "/api/x"}, {"POST", "/api/x"}, {"GET", "/bff/user"}, {"POST", "/bff/keepalive"}, {"POST", "/bff/logout"},
	} {
		a, err := b.Fetch(s.ctx, c.method, c.path, "")
		s.check(err)
		s.unavailable(a, 503, "session_store_unavailable")
	}
	if a := s.arrive(s.at(other, 0), callback); a.Status != 503 || s.exchanges() != codes {
		s.Errorf("a callback during the outage: %d, %d codes spent", a.Status, s.exchanges()-codes)
	}
	s.bounded(storeTimeout+100*time.Millisecond, func() time.Duration {
		return s.storm(b, "/api/json", 200, 5*time.Millisecond, func(a *browse.Answer) { s.unavailable(a, 503, "session_store_unavailable") })
	})
	s.alive(b, asking)
	s.readiness(asking, 503, "store: redis: ping: ")
	s.record(asking, "code", "session_store_unavailable", "err", o.says)
	s.counted(asking, "cloakroom_store_errors_total", errors)
	if o.silent {
		s.counted(asking, "cloakroom_store_breaker_opened_total", opened)
	}
	if served := <-copies; o.copies && served == 0 || !o.copies && served > staleness/2 {
		s.Errorf("served from copies for %s", served)
	}
	s.trusted(1, 0)

	end()
	s.check(s.Ready(s.ctx))
	for _, b := range []*browse.Browser{b, trusting} {
		s.back(b)
	}
	if user.Ticket() != ticket {
		s.Error("the ticket changed")
	}
	if a := s.arrive(s.at(other, 0), callback); a.Status != 200 || a.URL.Path != "/public/x" {
		s.Errorf("the same callback afterwards: %d at %s", a.Status, a.URL.Path)
	}
	b.Close()
	for n, r := range s.Replicas {
		s.settled(r, before[n])
	}
	if o.copies {
		documented(s.T, "session.staleness", "cloakroom_copies_trusted")
	}
	documented(s.T, "503", "session_store_unavailable", "cloakroom_store_errors_total", "store: redis: ping: …", o.says)
}

// outOfCopies watches a replica that may trust its copies while Redis is out: it serves the user or answers 503, and no request that
// begins later than staleness is served. It ends with the first 503 from then on, and says until when users were served.
func (s *story) outOfCopies(b *browse.Browser) <-chan time.Duration {
	done := make(chan time.Duration, 1)
	began := time.Now()
	go func() {
		served := time.Duration(0)
		defer func() { done <- served }()
		for {
			asked := time.Since(began)
			a, err := b.Fetch(s.ctx, "GET", "/api/json", "")
			switch {
			case err != nil:
				s.Error(err)
				return
			case a.Status == 200 && asked > staleness:
				s.Errorf("served %s after the outage began", asked)
				return
			case a.Status == 200:
				served = asked
			default:
				s.unavailable(a, 503, "session_store_unavailable")
				if asked > staleness || s.Failed() {
					s.Logf("served from copies for %s", served.Round(time.Millisecond))
					return
				}
			}
		}
	}()
	return done
}

// back waits until a request is served again: a breaker takes half a second to notice.
func (s *story) back(b *browse.Browser) {
	s.Helper()
	s.eventually("the same cookie works", func() bool {
		a, err := b.Fetch(s.ctx, "GET", "/api/json", "")
		s.check(err)
		if a.Status != 200 && a.Status != 503 {
			s.Fatalf("after the outage: %d\n%s", a.Status, s.brief(a))
		}
		return a.Status == 200
	})
}

// SES-13: a Redis that comes back empty has signed everybody out; a copy is served for staleness at most.
func TestRedisRestartedEmpty(t *testing.T) {
	t.Parallel()
	s := onStores(t)
	user := s.signedIn("alice")
	for n := range s.Replicas {
		s.get(s.at(user, n), "/api/json", 200)
	}
	s.check(s.Redis.Restart(s.ctx))
	s.allow(redisPassword)
	began := time.Now()
	for n, bound := range []time.Duration{0, staleness} {
		b := s.at(user, n)
		s.eventually("the session is gone", func() bool {
			asked := time.Since(began)
			a, err := b.Fetch(s.ctx, "GET", "/api/json", "")
			s.check(err)
			if a.Status != 401 && a.Status != 503 && !(a.Status == 200 && asked <= bound) {
				s.Fatalf("replica %d, %s after the restart: %d", n+1, asked, a.Status)
			}
			return a.Status == 401
		})
		s.problem(s.get(b, "/api/json", 401), "signed_out")
		if m := s.fields(s.get(b, "/bff/user", 200)); m["authenticated"] != false {
			t.Errorf("replica %d: %v", n+1, m)
		}
	}
	s.check(s.Ready(s.ctx))
	s.get(s.signedIn("alice"), "/api/json", 200)
	documented(t, "401", "signed_out", "store: ok")
}

// SES-13: sessions that somebody deleted by hand are announced by nobody. The copies of a session in use are confirmed again and again.
func TestRedisEmptiedByHand(t *testing.T) {
	t.Parallel()
	const idle = 20 * time.Second
	s := onStores(t, func(c *stack.Config) { c.IdleTimeout = idle })
	user := s.signedIn("alice")
	s.trusted(1, 1)
	for n := range s.Replicas {
		s.get(s.at(user, n), "/api/json", 200)
	}
	s.check(s.Redis.Client.FlushAll(s.ctx).Err())
	began := time.Now()
	s.problem(s.get(s.at(user, 0), "/api/json", 401), "signed_out")
	s.eventually("the session is gone", func() bool {
		asked := time.Since(began)
		a, err := s.at(user, 1).Fetch(s.ctx, "GET", "/api/json", "")
		s.check(err)
		if a.Status != 401 && !(a.Status == 200 && asked <= idle/10) {
			s.Fatalf("%s later: %d", asked, a.Status)
		}
		return a.Status == 401
	})
	s.readiness(s.Replicas[0], 200, "store: ok")
	documented(t, "401", "signed_out", "store: ok")
}

// A Redis without memory takes no new sessions; who is signed in stays so, and can sign out.
func TestRedisOutOfMemory(t *testing.T) {
	t.Parallel()
	s := onStores(t)
	r := s.Replicas[0]
	user, leaving, other := s.at(s.signedIn("alice"), 0), s.at(s.signedIn("carol"), 0), s.at(s.browser(), 0)
	callback := s.begin(other, "bob", "/public/x")
	codes, errors := s.exchanges(), s.metric(r, "cloakroom_store_errors_total")
	s.limit("1")
	s.get(user, "/api/json", 200)
	s.get(user, "/bff/user", 200)
	s.fetch(user, "POST", "/bff/keepalive", 204)
	s.fetch(leaving, "POST", "/bff/logout", 200)
	s.get(leaving, "/api/json", 401)
	a := s.arrive(other, callback)
	if a.Status != 503 || a.Header.Get("Retry-After") == "" || other.Ticket() != "" || s.exchanges() != codes {
		t.Errorf("a sign-in: %d, ticket %t, %d codes spent\n%s", a.Status, other.Ticket() != "", s.exchanges()-codes, s.brief(a))
	}
	s.alive(user, r)
	s.readiness(r, 200, "store: ok")
	s.record(r, "code", "session_store_unavailable", "err", "OOM")
	s.counted(r, "cloakroom_store_errors_total", errors)
	s.limit("0")
	if a := s.arrive(other, callback); a.Status != 200 {
		t.Errorf("the same callback afterwards: %d\n%s", a.Status, s.brief(a))
	}
	s.get(other, "/api/json", 200)
	documented(t, "200", "503", "session_store_unavailable", "cloakroom_store_errors_total", "OOM", "store: ok")
}

func (s *story) limit(bytes string) {
	s.Helper()
	s.check(s.Redis.Client.ConfigSet(s.ctx, "maxmemory", bytes).Err())
}

// While Redis is out a back-channel logout is not acknowledged; the session goes on until the provider
// tries again.
func TestABackchannelLogoutWithoutRedis(t *testing.T) {
	t.Parallel()
	s := onStores(t)
	b := s.signedIn("alice")
	s.check(s.Redis.Link.Refuse())
	told, err := s.Provider.Logout(s.ctx, "alice")
	s.check(err)
	for _, answer := range told {
		if !strings.Contains(answer.Said, "503") {
			t.Errorf("the provider was told: %s", answer.Said)
		}
	}
	if len(told) == 0 {
		t.Error("the provider told nobody")
	}
	s.check(s.Redis.Link.Accept(s.Redis.Direct()))
	s.check(s.Ready(s.ctx))
	s.back(b)
	documented(t, "503")
}
