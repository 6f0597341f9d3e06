package limit_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/limit"
)

// A burst may come at once, and then what the rate gives back. Who waits as long as the answer says gets through, and who comes sooner does not.
func TestARateComesBackEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, limit.Limit{Rate: "60/1m", Burst: 5})
		for range 3 {
			if got := ask(t, s, user("anna"), 50); got != 5 {
				t.Errorf("of 50 at once %d were allowed, want 5", got)
			}
			v, _ := s.Take(t.Context(), user("anna"))
			if v.Allow || v.Limit != "user" || v.Reason != limit.ReasonRate || v.RetryAfter != time.Second || v.Unavailable {
				t.Errorf("the next: %+v", v)
			}
			time.Sleep(v.RetryAfter - time.Millisecond)
			if ask(t, s, user("anna"), 1) != 0 {
				t.Error("allowed before its time")
			}
			time.Sleep(time.Millisecond)
			if got := ask(t, s, user("anna"), 2); got != 1 {
				t.Errorf("after %s %d were allowed, want 1", v.RetryAfter, got)
			}
			time.Sleep(5 * time.Second)
		}
		time.Sleep(24 * time.Hour)
		if got := ask(t, s, user("anna"), 50); got != 5 {
			t.Errorf("after a day %d were allowed at once, want 5: what is not used is not saved", got)
		}
	})
}

// RL-04: what is counted apart, and what together.
func TestWhoCountsApart(t *testing.T) {
	anna, berta := user("anna"), user("berta")
	elsewhere := anna
	elsewhere.Client, elsewhere.Session = netip.MustParseAddr("198.51.100.7"), "another one"
	otherIssuer := limit.Who{User: limit.User("https://id.tes", "tanna"), Client: anna.Client}
	key := limit.Who{Caller: "api_key:7", Client: anna.Client}
	otherKey := limit.Who{Caller: "api_key:8", Client: anna.Client}
	for _, c := range []struct {
		name     string
		per      string
		a, b     limit.Who
		together bool
	}{
		{"a user in two sessions at two addresses", "user", anna, elsewhere, true},
		{"two users at one address", "user", anna, berta, false},
		{"users of two issuers whose names run together alike", "user", anna, otherIssuer, false},
		{"nobody counts by address where users count", "user", from("192.0.2.1"), from("192.0.2.1"), true},
		{"nobody elsewhere is another nobody", "user", from("192.0.2.1"), from("192.0.2.2"), false},
		{"a user is not the nobody of the same address", "user", anna, from("192.0.2.1"), false},
		{"a user who is called like an address", "user", limit.Who{User: "\xc0\x00\x02\x01"}, from("192.0.2.1"), false},
		{"a user who is called like a credential", "user", limit.Who{User: "api_key:7"}, key, false},
		{"two credentials where users count", "user", key, otherKey, false},
		{"sessions of one user", "session", anna, elsewhere, false},
		{"one session at two addresses", "session", anna, limit.Who{Session: anna.Session, Client: elsewhere.Client}, true},
		{"nobody has no session", "session", from("192.0.2.1"), from("192.0.2.1"), true},
		{"a credential without a session", "session", key, otherKey, false},
		{"one credential at two addresses", "caller", key, limit.Who{Caller: key.Caller, Client: elsewhere.Client}, true},
		{"two credentials at one address", "caller", key, otherKey, false},
		{"two users where callers count", "caller", anna, berta, false},
		{"two users at one address, by address", "ip", anna, berta, true},
		{"a credential and a user at one address, by address", "ip", key, anna, true},
		{"one user at two addresses, by address", "ip", anna, elsewhere, false},
		{"IPv4 that came as IPv6", "ip", from("192.0.2.1"), from("::ffff:192.0.2.1"), true},
		{"IPv4 that came through a translator", "ip", from("192.0.2.1"), from("64:ff9b::c000:201"), true},
		{"two IPv4 through a translator", "ip", from("64:ff9b::c000:202"), from("64:ff9b::c000:201"), false},
		{"two addresses of a /64", "ip", from("2001:db8::1"), from("2001:db8::ffff:ffff:ffff:ffff"), true},
		{"two /64", "ip", from("2001:db8::1"), from("2001:db8:0:1::1"), false},
		{"an address on two interfaces", "ip", from("fe80::1%eth0"), from("fe80::1%eth1"), true},
		{"no address", "ip", limit.Who{}, limit.Who{}, true},
		{"no address is not 0.0.0.0", "ip", limit.Who{}, from("0.0.0.0"), false},
		{"everybody", "route", anna, from("2001:db8::1"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := inMemory(t, limit.Limit{Rate: "1/1h", Per: c.per})
			if ask(t, s, c.a, 2) != 1 {
				t.Fatal("the first is not counted")
			}
			if together := ask(t, s, c.b, 1) == 0; together != c.together {
				t.Errorf("counted together: %t, want %t", together, c.together)
			}
		})
	}
}

// A request that one limit refuses costs nothing of another's budget, whichever is written first.
func TestARefusalCostsNothing(t *testing.T) {
	wide, narrow := limit.Limit{Rate: "100/1h", Burst: 10}, limit.Limit{Rate: "3/1h", Per: "ip"}
	for _, limits := range [][]limit.Limit{{wide, narrow}, {narrow, wide}} {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, limits...)
			allowed := 0
			for range 20 {
				allowed += ask(t, s, user("anna"), 5)
				time.Sleep(2 * time.Second) // so that it is judged anew, not remembered
			}
			if allowed != 3 {
				t.Fatalf("%d allowed, want 3", allowed)
			}
			for n := range 2 {
				elsewhere := limit.Who{User: user("anna").User, Client: netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})}
				if got := ask(t, s, elsewhere, 3); got != 3 {
					t.Errorf("elsewhere %d of 3 allowed: refused requests were counted", got)
				}
			}
		})
	}
}

// What would have been refused is told, and is not.
func TestReportOnlyRefusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, limit.Limit{Rate: "1/1m", ReportOnly: true, Per: "ip"}, limit.Limit{Rate: "100/1h", Burst: 4}, limit.Limit{Concurrent: 1, ReportOnly: true})
		for i, want := range []struct {
			allow   bool
			reports []string
		}{{true, nil}, {true, []string{"ip", "user-concurrent"}}, {true, []string{"ip", "user-concurrent"}}, {true, []string{"ip", "user-concurrent"}}, {false, []string{"user-concurrent", "ip"}}} {
			v, _ := s.Take(t.Context(), user("anna")) // none of them ends
			for _, name := range want.reports[:min(len(want.reports), 2*btoi(want.allow))] {
				if !slices.Contains(v.Reports(), name) {
					t.Errorf("request %d reports %q, want %q", i, v.Reports(), want.reports)
				}
			}
			if v.Allow != want.allow || want.reports == nil && v.Reports() != nil {
				t.Errorf("request %d: allowed %t, reports %q", i, v.Allow, v.Reports())
			}
		}
		time.Sleep(time.Minute)
		if v, _ := s.Take(t.Context(), user("anna")); slices.Contains(v.Reports(), "ip") {
			t.Error("what would have been refused was counted")
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Exempt addresses count nowhere by address. Who is known counts there like everywhere.
func TestExemptAddresses(t *testing.T) {
	cfg := settings()
	cfg.Exempt = []string{"10.0.0.0/8", "2001:db8::/48", "203.0.113.9"}
	cfg.Login.Rate, cfg.Login.Burst = "1/1h", 1
	l := limiter(t, cfg, limit.Deps{})
	one := []limit.Limit{{Rate: "1/1h"}}
	for _, c := range []struct {
		address string
		exempt  bool
	}{
		{"10.255.0.1", true}, {"::ffff:10.0.0.1", true}, {"2001:db8::7", true}, {"203.0.113.9", true},
		{"11.0.0.1", false}, {"203.0.113.10", false}, {"2001:db8:1::7", false},
	} {
		want := 1 + 9*btoi(c.exempt)
		if got := ask(t, l.Login(), from(c.address), 10); got != want {
			t.Errorf("%s: %d of 10 sign-ins allowed, want %d", c.address, got, want)
		}
		if got := ask(t, compile(t, l, c.address, one...), from(c.address), 10); got != want {
			t.Errorf("%s: %d of 10 requests of nobody allowed, want %d", c.address, got, want)
		}
		known := limit.Who{User: "known", Client: netip.MustParseAddr(c.address)}
		if got := ask(t, compile(t, l, "known "+c.address, one...), known, 10); got != 1 {
			t.Errorf("%s: %d of 10 requests of a user allowed, want 1", c.address, got)
		}
	}
}

// Limits of two routes are two, but for those that they share.
func TestSharedLimitsAreShared(t *testing.T) {
	cfg := settings()
	cfg.Shared = map[string]limit.Limit{"search": {Rate: "5/1h"}}
	l := limiter(t, cfg, limit.Deps{})
	own, shared := limit.Limit{Rate: "3/1h"}, limit.Limit{Shared: "search"}
	a, b := compile(t, l, "/a", own, shared), compile(t, l, "/b", own, shared)
	if got := ask(t, a, user("anna"), 10); got != 3 {
		t.Errorf("%d allowed by the first route, want its own 3", got)
	}
	if got := ask(t, b, user("anna"), 10); got != 2 {
		t.Errorf("%d allowed by the other one, want what the first left of 5", got)
	}
	if got := ask(t, b, user("berta"), 10); got != 3 {
		t.Errorf("%d allowed to somebody else, want 3", got)
	}
}

// RL-07: memory has a bound. Addresses, of which there are plenty, do not push out who is signed in.
func TestMemoryIsBounded(t *testing.T) {
	l := limiter(t, settings(), limit.Deps{})
	users := compile(t, l, "/users", limit.Limit{Rate: "1/24h"})
	addresses := compile(t, l, "/addresses", limit.Limit{Rate: "1/24h", Per: "ip"})
	const crowd = 1<<16 + 1
	ask(t, users, user("anna"), 1)
	ask(t, addresses, from("192.0.2.1"), 1)
	for i := range crowd {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if v, _ := addresses.Take(t.Context(), limit.Who{Client: a}); !v.Allow {
			t.Fatalf("%s is refused", a)
		}
	}
	if ask(t, users, user("anna"), 1) != 0 {
		t.Error("a user was forgotten for addresses")
	}
	if ask(t, addresses, from("192.0.2.1"), 1) != 1 {
		t.Error("65537 addresses are remembered")
	}
}

// 5000 people behind one address sign in within a minute; a machine that hammers does not get far beyond them.
func TestAnOfficeSignsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, settings(), limit.Deps{})
		office := from("198.51.100.1")
		for person := range 5000 {
			for _, s := range []*limit.Set{l.Login(), l.Callback()} {
				if ask(t, s, office, 1) != 1 {
					t.Fatalf("person %d is refused", person)
				}
			}
			if got := ask(t, l.Callers(), office, 4); got != 4 { // what a tab from yesterday asks for
				t.Fatalf("of the four requests of person %d %d were allowed", person, got)
			}
			time.Sleep(12 * time.Millisecond)
		}
		for n := range 5000 { // all of them are signed out by the provider at once
			if ask(t, l.Backchannel(), from("203.0.113.1"), 1) != 1 {
				t.Fatalf("logout %d is refused", n)
			}
		}
		for _, s := range []*limit.Set{l.Login(), l.Callback(), l.Backchannel(), l.Callers()} {
			if got := ask(t, s, from("198.51.100.66"), 20000); got > 10000 {
				t.Errorf("a machine is allowed %d at once", got)
			}
		}
	})
}

// A reload frees nobody, and what is under way stays so.
func TestAReloadForgetsNothing(t *testing.T) {
	before := limiter(t, settings(), limit.Deps{})
	limits := []limit.Limit{{Rate: "3/1h"}, {Concurrent: 4}}
	s := compile(t, before, "/a", limits...)
	if ask(t, s, user("anna"), 3) != 3 {
		t.Fatal("refused")
	}
	_, done := s.Take(t.Context(), user("anna")) // refused
	done()
	after, err := before.With(settings(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, compile(t, after, "/a", limits...), user("anna"), 3); got != 0 {
		t.Errorf("after a reload %d are allowed", got)
	}
	if got := ask(t, compile(t, after, "/a", limit.Limit{Rate: "4/1h"}), user("anna"), 3); got > 1 {
		t.Errorf("a limit that was raised by one allows %d", got)
	}
}

// A limit that is changed locks nobody out for longer than it says now.
func TestALimitThatIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, settings(), limit.Deps{})
		if got := ask(t, compile(t, l, "/", limit.Limit{Rate: "60/1m", Burst: 39}), user("anna"), 38); got != 38 {
			t.Fatal("refused")
		}
		fast := compile(t, l, "/", limit.Limit{Rate: "600/1m", Burst: 5})
		if got := ask(t, fast, user("anna"), 1); got != 0 {
			t.Error("the change frees")
		}
		time.Sleep(time.Second)
		if got := ask(t, fast, user("anna"), 20); got != 5 {
			t.Errorf("a second later %d are allowed, want the burst of 5", got)
		}
	})
}

// What was refused is known without asking; what was allowed is not counted by asking.
func TestPeekDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := settings()
		cfg.Callers.Rate, cfg.Callers.Burst = "5/1h", 5
		s := limiter(t, cfg, limit.Deps{}).Callers()
		who := from("192.0.2.1")
		for i := range 5 {
			for range 10 {
				if v := s.Peek(who); !v.Allow {
					t.Fatalf("refused after %d", i)
				}
			}
			ask(t, s, who, 1)
		}
		for _, wait := range []time.Duration{0, time.Second, time.Minute, 10 * time.Minute} {
			time.Sleep(wait)
			if v := s.Peek(who); v.Allow || v.Limit != "callers" || v.RetryAfter <= 0 {
				t.Errorf("%s later: %+v", wait, v)
			}
		}
		if v := s.Peek(from("192.0.2.2")); !v.Allow {
			t.Error("somebody else is refused")
		}
		time.Sleep(time.Minute) // 12m1s and more since
		if v := s.Peek(who); !v.Allow {
			t.Errorf("after its time: %+v", v)
		}
	})
}

func TestNoLimitsAllowEverything(t *testing.T) {
	cfg := settings()
	cfg.Login.Rate, cfg.Callback.Rate, cfg.Backchannel.Rate, cfg.Callers.Rate = "off", "off", "off", "off"
	l := limiter(t, cfg, limit.Deps{})
	var none *limit.Set
	for i, s := range []*limit.Set{none, {}, compile(t, l, "/"), l.Login(), l.Callback(), l.Backchannel(), l.Callers()} {
		v, done := s.Take(t.Context(), from("192.0.2.1"))
		done()
		if peeked := s.Peek(from("192.0.2.1")); !v.Allow || !peeked.Allow || v.Policy()+v.Remaining() != "" || s.Limits() != nil && len(s.Limits()) > 0 {
			t.Errorf("%d: %+v", i, v)
		}
	}
}

func TestLimitsInWords(t *testing.T) {
	cfg := settings()
	cfg.Shared = map[string]limit.Limit{"search": {Rate: "10/30s", Per: "ip"}}
	s := compile(t, limiter(t, cfg, limit.Deps{}), "/", limit.Limit{Rate: "100/1m"}, limit.Limit{Concurrent: 5, ReportOnly: true}, limit.Limit{Shared: "search"})
	const want = `["user: 100/1m per user, 10 at once" "user-concurrent: 5 at a time per user, report only" "search: 10/30s per ip, 10 at once"]`
	if got := fmt.Sprintf("%q", s.Limits()); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
