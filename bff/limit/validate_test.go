package limit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/limit"
)

// mistakes are what Validate reports, as key: problem.
func mistakes(c interface {
	Validate(report func(key, problem string))
}) (all []string) {
	c.Validate(func(key, problem string) { all = append(all, key+": "+problem) })
	return all
}

// reports checks that there is exactly one mistake, of that key and with these words; none if key is empty.
func reports(t *testing.T, got []string, key, words string) {
	t.Helper()
	if key == "" && len(got) == 0 {
		return
	}
	if len(got) != 1 || key == "" || !strings.HasPrefix(got[0], key+": ") || !strings.Contains(got[0], words) {
		t.Errorf("got %q, want %s: … %s", got, key, words)
	}
}

func TestLimitsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		name       string
		limit      limit.Limit
		key, words string
	}{
		{"a rate", limit.Limit{Rate: "100/1m"}, "", ""},
		{"a rate with everything", limit.Limit{Rate: "100/1m", Burst: 20, Per: "ip", Outage: "closed", ReportOnly: true}, "", ""},
		{"places", limit.Limit{Concurrent: 5, Per: "session", Outage: "local"}, "", ""},
		{"a name", limit.Limit{Shared: "search", Per: "user", Outage: "local"}, "", ""},
		{"nothing", limit.Limit{}, "rate", "is missing"},
		{"only a burst", limit.Limit{Burst: 5}, "rate", "is missing"},
		{"no rate", limit.Limit{Rate: "often"}, "rate", "100/1m"},
		{"rate and places", limit.Limit{Rate: "100/1m", Concurrent: 5}, "concurrent", "of its own"},
		{"fewer than no places", limit.Limit{Concurrent: -1}, "concurrent", "-1"},
		{"more places than a process has", limit.Limit{Concurrent: 100001}, "concurrent", "100000"},
		{"places with a burst", limit.Limit{Concurrent: 5, Burst: 2}, "burst", "for a rate"},
		{"places that ask nobody", limit.Limit{Concurrent: 5, Outage: "closed"}, "outage", "asks Redis nothing"},
		{"fewer than no burst", limit.Limit{Rate: "100/1m", Burst: -1}, "burst", "-1"},
		{"a burst that never comes back", limit.Limit{Rate: "1/24h", Burst: 31}, "burst", "720h"},
		{"a burst that takes a month", limit.Limit{Rate: "1/24h", Burst: 30}, "", ""},
		{"a name and a rate", limit.Limit{Shared: "search", Rate: "100/1m"}, "shared", "limits.shared.search"},
		{"a name that is to count otherwise", limit.Limit{Shared: "search", Per: "ip"}, "shared", "limits.shared.search"},
		{"a name that is to be reported only", limit.Limit{Shared: "search", ReportOnly: true}, "shared", "limits.shared.search"},
	} {
		t.Run(c.name, func(t *testing.T) { reports(t, mistakes(c.limit), c.key, c.words) })
	}
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		name       string
		spoil      func(*limit.Config)
		key, words string
	}{
		{"the defaults", func(*limit.Config) {}, "", ""},
		{"networks and addresses", func(c *limit.Config) { c.Exempt = []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/48", "::1"} }, "", ""},
		{"a network that is a host", func(c *limit.Config) { c.Exempt = []string{"10.0.0.1/8"} }, "exempt[0]", "write 10.0.0.0/8"},
		{"a name as a network", func(c *limit.Config) { c.Exempt = []string{"10.0.0.0/8", "office"} }, "exempt[1]", `"office"`},
		{"mapped networks", func(c *limit.Config) { c.Exempt = []string{"::ffff:10.0.0.0/104"} }, "exempt[0]", "IPv4"},
		{"mapped addresses", func(c *limit.Config) { c.Exempt = []string{"::ffff:10.0.0.1"} }, "exempt[0]", "no network"},
		{"a shared name of a header's grammar", func(c *limit.Config) {
			c.Shared = map[string]limit.Limit{`a"b`: {Rate: "1/1s"}}
		}, `shared.a"b`, "no name"},
		{"a shared name that others have", func(c *limit.Config) {
			c.Shared = map[string]limit.Limit{"user": {Rate: "1/1s"}}
		}, "shared.user", "take another"},
		{"a shared limit of a shared limit", func(c *limit.Config) {
			c.Shared = map[string]limit.Limit{"a": {Shared: "b"}}
		}, "shared.a.shared", "the limit itself"},
		{"no time", func(c *limit.Config) { c.Timeout = time.Millisecond }, "timeout", "5ms"},
		{"too much time", func(c *limit.Config) { c.Timeout = time.Minute }, "timeout", "5s"},
		{"no replicas", func(c *limit.Config) { c.Replicas = 0 }, "replicas", "1 and 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := settings()
			c.spoil(&cfg)
			reports(t, mistakes(cfg), c.key, c.words)
		})
	}
	for name, fixed := range map[string]interface{ Validate(func(string, string)) }{
		"login":       limit.Login{Rate: "7/1m", Burst: 0},
		"callback":    limit.Callback{Rate: "7/1m", Burst: 0},
		"backchannel": limit.Backchannel{Rate: "7/1m", Burst: 0},
		"callers":     limit.Callers{Rate: "7/1m", Burst: 0},
	} {
		t.Run("no burst of "+name, func(t *testing.T) { reports(t, mistakes(fixed), "burst", "between 1 and") })
	}
	reports(t, mistakes(limit.Login{Rate: "sometimes", Burst: 1}), "rate", "100/1m")
	reports(t, mistakes(limit.Login{Rate: "off"}), "", "")
}

// Errors of a route's limits say which one.
func TestRoutesThatMakeNoSense(t *testing.T) {
	cfg := settings()
	cfg.Shared = map[string]limit.Limit{"search": {Rate: "9/1m"}}
	l := limiter(t, cfg, limit.Deps{})
	good := limit.Limit{Rate: "9/1m"}
	for _, c := range []struct {
		name   string
		limits []limit.Limit
		words  []string
	}{
		{"a name that nobody has", []limit.Limit{good, {Shared: "serch"}}, []string{"[1]", `"serch"`}},
		{"a limit that makes no sense", []limit.Limit{good, {Rate: "9"}}, []string{"[1]", "rate"}},
		{"one limit twice", []limit.Limit{good, {Shared: "search"}, {Rate: "10/60s", Burst: 7}}, []string{"[2]", "[0]", "per user in 1m"}},
		{"one shared limit twice", []limit.Limit{{Shared: "search"}, {Shared: "search"}}, []string{"[1]", "[0]"}},
		{"two numbers of places", []limit.Limit{{Concurrent: 1}, {Concurrent: 2}}, []string{"[1]", "[0]"}},
		{"nine", slices.Repeat([]limit.Limit{good}, 9), []string{"9", "8"}},
	} {
		_, err := l.Compile("/", c.limits)
		for _, word := range c.words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %s", c.name, err, word)
			}
		}
	}
}
