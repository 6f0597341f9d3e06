package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// providerTimeout is the provider's timeout in these stories, the shortest that the configuration takes.
const providerTimeout = time.Second

// onProvider tells stories on one replica and a provider behind a link, with access tokens that expire soon.
func onProvider(t *testing.T) *story {
	t.Helper()
	return onOwn(t, stack.Options{Replicas: 1, ProviderLink: true, TTL: map[string]int{"AccessToken": accessTTL}, Configure: func(c *stack.Config) {
		c.Provider = "    timeout: 1s"
	}})
}

// An outage is a 503 and no sign-out, for as long as nobody can know better.
func TestProviderOutages(t *testing.T) {
	t.Parallel()
	s := onProvider(t)
	signIns := []struct {
		name       string
		begin, end func(*story)
		says       string
	}{
		{
			"sign-in-down",
			func(s *story) { s.check(s.Provider.Link.Refuse()) },
			func(s *story) { s.check(s.Provider.Restore()) },
			"connection refused",
		},
		{
			"sign-in-slow",
			func(s *story) { s.Provider.Link.Delay(5 * time.Second) },
			func(s *story) { s.Provider.Link.Delay(0) },
			"context deadline exceeded",
		},
	}
	for _, o := range signIns {
		t.Run(o.name, func(t *testing.T) { (&story{t, s.Stack, deadline(t)}).signInWithout(o.begin, o.end, o.says) })
	}
	t.Run("backchannel-down", func(t *testing.T) { logoutWhileDown(&story{t, s.Stack, deadline(t)}) })
	refreshes := []struct {
		name string
		tell func(*story, *browse.Browser)
	}{
		{"refresh-down", refreshDown},
		{"refresh-slow", refreshSlow},
		{"refresh-lost", refreshLost},
	}
	var browsers []*browse.Browser
	for range refreshes {
		browsers = append(browsers, s.signedIn("alice"))
	}
	s.untilExpired()
	for i, o := range refreshes {
		t.Run(o.name, func(t *testing.T) { o.tell(&story{t, s.Stack, deadline(t)}, browsers[i]) })
	}
}

// signInWithout meets the outage between the provider's page and the callback.
func (s *story) signInWithout(begin, undo func(*story), says string) {
	const failed = `cloakroom_provider_errors_total{kind="token",provider="main"}`
	r, b := s.Replicas[0], s.browser()
	callback, failures := s.begin(b, "bob", "/public/x"), s.metric(r, failed)
	end := sync.OnceFunc(func() { undo(s) })
	defer end() // a story that fails leaves the provider to the next ones
	begin(s)
	began := time.Now()
	a := s.arrive(b, callback)
	if took := time.Since(began); took > providerTimeout+time.Second {
		s.Errorf("a callback took %s", took)
	}
	if a.Status != 503 || a.Header.Get("Retry-After") == "" || b.Ticket() != "" || !strings.Contains(a.Body, "/bff/login") {
		s.Errorf("a callback: %d, ticket %t; want a 503 page with a way to try again\n%s", a.Status, b.Ticket() != "", s.brief(a))
	}
	s.alive(b, r)
	s.readiness(r, 200, "provider main: ok")
	s.record(r, "code", "provider_unavailable", "err", says)
	s.counted(r, failed, failures)
	end()
	if a, err := b.SignIn(s.ctx, "bob", "/public/x"); err != nil || a.Status != 200 || b.Ticket() == "" {
		s.Errorf("the next sign-in: %v %v", a, err)
	}
	documented(s.T, "503", "provider_unavailable", "cloakroom_provider_errors_total", "provider main: ok", says)
}

// logoutWhileDown needs nothing of the provider but the keys, which are known.
func logoutWhileDown(s *story) {
	b := s.signedIn("kate")
	s.check(s.Provider.Link.Refuse())
	told, err := s.Provider.Logout(s.ctx, "kate")
	s.check(s.Provider.Restore())
	s.check(err)
	if len(told) != 1 || told[0].Said != "ok" {
		s.Errorf("the provider was told: %v", told)
	}
	s.problem(s.get(b, "/api/x", 401), "signed_out")
	s.record(s.Replicas[0], "event", "backchannel_logout")
	documented(s.T, "200", "backchannel_logout")
}

// refreshResult is the counter of one result.
func refreshResult(result string) string { return `cloakroom_refreshes_total{result="` + result + `"}` }

// refreshFails asks while the provider fails and demands a 503 in bounded time.
func (s *story) refreshFails(b *browse.Browser) {
	s.Helper()
	began := time.Now()
	s.unavailable(s.get(b, "/api/x", 503), 503, "provider_unavailable")
	if took := time.Since(began); took > providerTimeout+time.Second {
		s.Errorf("took %s", took)
	}
	s.alive(b, s.Replicas[0])
	s.readiness(s.Replicas[0], 200, "provider main: ok")
	if m := s.fields(s.get(b, "/bff/user", 200)); m["authenticated"] != true {
		s.Errorf("during the outage: %v", m)
	}
}

func refreshDown(s *story, b *browse.Browser) {
	r, ticket := s.Replicas[0], b.Ticket()
	before := s.metric(r, refreshResult("unavailable"))
	s.check(s.Provider.Link.Refuse())
	s.refreshFails(b)
	s.counted(r, refreshResult("unavailable"), before)
	s.record(r, "code", "provider_unavailable", "err", "")
	s.check(s.Provider.Restore())
	s.back(b)
	if b.Ticket() != ticket {
		s.Error("the ticket changed")
	}
	s.noReuse()
	documented(s.T, "503", "provider_unavailable", "cloakroom_refreshes_total", "unavailable", "provider main: ok")
}

func refreshSlow(s *story, b *browse.Browser) {
	r := s.Replicas[0]
	held, err := s.Provider.Break(s.ctx, stack.Fault{Path: "/token", Hold: "before", Status: 503})
	s.check(err)
	s.refreshFails(b)
	s.check(held.Release(s.ctx))
	s.check(s.Provider.Mend(s.ctx))
	s.record(r, "event", "refresh_unknown")
	s.counted(r, refreshResult("unknown"), 0)
	s.back(b)
	s.record(r, "event", "refresh_repeated")
	s.counted(r, refreshResult("repeated"), 0)
	s.noReuse()
	documented(s.T, "503", "provider_unavailable", "refresh_unknown", "refresh_repeated", "cloakroom_refreshes_total", "unknown", "repeated", "provider main: ok")
}

func refreshLost(s *story, b *browse.Browser) {
	r := s.Replicas[0]
	held, err := s.Provider.Break(s.ctx, stack.Fault{Path: "/token", Hold: "after"})
	s.check(err)
	s.refreshFails(b)
	s.check(held.Release(s.ctx))
	s.eventually("the session ends", func() bool {
		a, err := b.Fetch(s.ctx, "GET", "/api/x", "")
		s.check(err)
		if a.Status != 503 && a.Status != 401 {
			s.Fatalf("%d\n%s", a.Status, s.brief(a))
		}
		return a.Status == 401
	})
	s.record(r, "event", "refresh_token_reuse")
	s.record(r, "event", "refresh_refused", "reason", "refresh_interrupted")
	s.counted(r, refreshResult("interrupted"), 0)
	s.counted(r, `cloakroom_sessions_ended_total{reason="refresh_interrupted"}`, 0)
	documented(s.T, "401", "signed_out", "refresh_token_reuse", "refresh_refused", "refresh_interrupted", "cloakroom_refreshes_total", "interrupted")
}
