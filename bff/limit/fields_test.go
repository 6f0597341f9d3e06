package limit_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"

	"cloakroom/bff/limit"
)

// field reads a header field as a list of quoted names with parameters, and writes them in one form.
func field(t *testing.T, value string) string {
	t.Helper()
	list, err := httpsfv.UnmarshalList([]string{value})
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	text := ""
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			t.Fatalf("%q: a member is a %T", value, member)
		}
		name, ok := item.Value.(string) // a token would be another type
		if !ok {
			t.Fatalf("%q: a name is a %T", value, item.Value)
		}
		text += name + ":"
		for _, p := range item.Params.Names() {
			v, _ := item.Params.Get(p)
			if n, whole := v.(int64); whole && n < 0 || !whole && p != "qu" {
				t.Errorf("%q: %s is %v", value, p, v)
			}
			text += fmt.Sprintf(" %s=%v", p, v)
		}
		text += "\n"
	}
	return text
}

// RL-03: the fields of draft-ietf-httpapi-ratelimit-headers-11, read by somebody else's parser. What is left goes down one by one, and when it is 0, t is Retry-After.
func TestHeaderFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := settings()
		cfg.Shared = map[string]limit.Limit{"search": {Rate: "3600/1h", Per: "ip", Burst: 100}}
		s := compile(t, limiter(t, cfg, limit.Deps{}), "/",
			limit.Limit{Rate: "20/1m", Burst: 3}, limit.Limit{Shared: "search"}, limit.Limit{Concurrent: 5},
			limit.Limit{Rate: "9/1s", Per: "route"}, limit.Limit{Rate: "9/1s", Per: "ip", ReportOnly: true})
		for i, want := range []string{
			"user: r=2 t=3\nsearch: r=99 t=1\nuser-concurrent: r=4\n",
			"user: r=1 t=6\nsearch: r=98 t=2\nuser-concurrent: r=4\n",
			"user: r=0 t=3\nsearch: r=97 t=3\nuser-concurrent: r=4\n",
			"user: r=0 t=3\nuser-concurrent: r=4\n", // refused; of the rest nothing is asked
		} {
			v, done := s.Take(t.Context(), user("anna"))
			done()
			if i == 3 {
				want = "user: r=0 t=3\n"
			}
			if got := field(t, v.Remaining()); got != want {
				t.Errorf("request %d: got %q, want %q", i+1, got, want)
			}
			if v.Allow != (i < 3) || !v.Allow && v.RetryAfter != 3*time.Second {
				t.Errorf("request %d: %+v", i+1, v)
			}
			const policy = "user: q=20 w=60\nsearch: q=3600 w=3600\nuser-concurrent: q=5 qu=concurrent-requests\n"
			if got := field(t, v.Policy()); got != policy {
				t.Errorf("request %d: policy %q, want %q", i+1, got, policy)
			}
		}
	})
}

// RL-03: how much the server's own endpoints take is nobody's business; only when to come again is told.
func TestOwnLimitsTellNothing(t *testing.T) {
	cfg := settings()
	cfg.Login.Rate, cfg.Login.Burst = "7/1m", 1
	s := limiter(t, cfg, limit.Deps{}).Login()
	for range 3 {
		v, _ := s.Take(t.Context(), from("192.0.2.1"))
		if v.Policy()+v.Remaining() != "" {
			t.Errorf("tells %q %q", v.Policy(), v.Remaining())
		}
		if !v.Allow && v.RetryAfter != 9*time.Second {
			t.Errorf("try again in %s, want 9s: 8.6 rounded up", v.RetryAfter)
		}
	}
}

// Several limits per user have names that differ, in the fields and for metrics; one that is alone keeps its short one.
func TestNamesDiffer(t *testing.T) {
	s := inMemory(t, limit.Limit{Rate: "1/1s"}, limit.Limit{Rate: "100/1h"}, limit.Limit{Rate: "9/1m", Per: "ip"})
	v, _ := s.Take(t.Context(), user("anna"))
	if got := field(t, v.Policy()); got != "user-1s: q=1 w=1\nuser-1h: q=100 w=3600\nip: q=9 w=60\n" {
		t.Errorf("policy %q", got)
	}
	v, _ = s.Take(t.Context(), user("anna"))
	if fmt.Sprint(v.Violated()) != "[user-1s]" || v.Limit != "user-1s" {
		t.Errorf("violated %q, first %q", v.Violated(), v.Limit)
	}
}
