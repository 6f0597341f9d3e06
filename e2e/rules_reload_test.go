package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// reloads makes the replicas read another configuration, and waits until each of them holds it.
func (s *story) reloads(change func(*stack.Config)) {
	s.Helper()
	change(&s.Config)
	dir := s.TempDir()
	_, err := s.Config.Write(dir)
	s.check(err)
	for n, r := range s.Replicas {
		before := len(r.Events("config_reloaded"))
		own := filepath.Join(filepath.Dir(filepath.Dir(s.ConfigPath)), fmt.Sprintf("replica-%d", n+1))
		s.check(copyFile(filepath.Join(dir, "cloakroom.yaml"), filepath.Join(own, "cloakroom.yaml")))
		s.check(r.Signal(syscall.SIGHUP))
		s.eventually(r.Name+" holds the configuration", func() bool {
			if refused := r.Events("config_refused"); len(refused) > 0 {
				s.Fatalf("refused: %v", refused[0].Fields)
			}
			return len(r.Events("config_reloaded")) > before
		})
	}
}

// flipping is a configuration whose middle route is for those with a role, and that has the hour.
func flipping(role string, hour int) func(*stack.Config) {
	return func(c *stack.Config) {
		c.Sections = fmt.Sprintf(`policy: {time_zone: %q}
rules:
  business_hours: {when: 'now.hour >= 8 && now.hour < 18'}
limits: {timeout: 5s}
`, zoneWhereItIs(hour, time.Now()))
		routes := []string{
			"{path: /public/, upstream: %[1]q, auth: none}",
			`{path: /always/, upstream: %[1]q, allow: {roles: [customer], when: 'user.sub == "fay"'}}`,
			"{path: /never/, upstream: %[1]q, allow: {roles: [root]}}",
			"{path: /never/always/, upstream: %[1]q, allow: {roles: [customer]}}",
			"{path: /sometimes/, upstream: %[1]q, allow: {roles: [%[2]s]}}",
			"{path: /office/, upstream: %[1]q, allow: {rules: [business_hours]}}",
			"{path: /counted/, upstream: %[1]q, limit: {rate: 6/1h, burst: 6}}",
		}
		if role == "root" {
			slices.Reverse(routes) // whoever takes a route of one configuration and rules of another takes wrong ones
		}
		c.Routes = fmt.Sprintf("  - "+strings.Join(routes, "\n  - "), c.Upstream, role)
	}
}

// AUZ-07: rules change under load, again and again, on both replicas: what is always allowed is always allowed, what never is never comes through, and each request that begins after
// a change is judged by it. What a user has used up stays used up.
func TestRulesChangeUnderLoad(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, Configure: flipping("customer", 12)})
	b := s.signedIn("fay")
	at := []*browse.Browser{s.at(b, 0), s.at(b, 1)}
	for n := range 2 {
		s.get(at[n], "/counted/x", 200)
	}
	asked := s.press(at)
	for n := range 6 {
		hour, role, status := 0, "root", 403
		if n%2 == 1 {
			hour, role, status = 12, "customer", 200
		}
		s.reloads(flipping(role, hour))
		for n := range 2 {
			s.get(at[n], "/sometimes/x", status)
			s.get(at[n], "/office/x", status)
			if status == 403 {
				s.refusedOnce(s.sends(at[n], "GET", "/office/x"), 403, refusal{"forbidden", "business_hours", "when_false"})
			}
		}
	}
	if n := asked(); n < 50 {
		t.Errorf("%d requests are no load", n)
	}
	by := s.through(8, func(n int) *browse.Answer { return s.sends(at[n%2], "GET", "/counted/x") })
	if by[200] != 4 || by[429] != 4 {
		t.Errorf("after the reloads %v, want the 4 that were left", by)
	}
	for _, r := range s.Upstream.Seen() {
		if strings.HasPrefix(r.Target, "/never/") && !strings.HasPrefix(r.Target, "/never/always/") {
			t.Errorf("%s came through", r.Target)
		}
	}
}

// press asks at all of them, without a break, until the function is called, which says how often it was.
func (s *story) press(at []*browse.Browser) (stop func() int) {
	want := map[string]int{"/always/x": 200, "/never/x": 403, "/never/always/x": 200, "/NEVER/always/x": 404}
	over := make(chan struct{})
	var mu sync.Mutex
	var all sync.WaitGroup
	asked := 0
	for _, b := range at {
		for path, status := range want {
			all.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
					}
					if a, err := b.Fetch(s.ctx, "GET", path, ""); err != nil || a.Status != status {
						s.Errorf("%s: %v, %v, want %d", path, a, err, status)
						return
					}
					mu.Lock()
					asked++
					mu.Unlock()
				}
			})
		}
	}
	stop = sync.OnceValue(func() int { close(over); all.Wait(); return asked })
	s.Cleanup(func() { stop() })
	return stop
}

// AUZ-07: a request that waits for a new token while the rules change is judged by the configuration that it began with, the route, its rules and all; the next one by the other.
func TestARequestIsJudgedByOneConfiguration(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 1, TTL: map[string]int{"AccessToken": accessTTL}, Configure: flipping("customer", 12)})
	b := s.signedIn("fay")
	s.untilExpired()
	held, err := s.Provider.Break(s.ctx, stack.Fault{Path: "/token", Times: 1, Hold: "before"})
	s.check(err)
	done := s.under(b, "GET", "/sometimes/x")
	s.check(held.Arrived(s.ctx))
	s.reloads(flipping("root", 12))
	s.check(held.Release(s.ctx))
	if status := <-done; status != 200 {
		t.Errorf("the request that was under way: %d", status)
	}
	s.get(b, "/sometimes/x", 403)
}
