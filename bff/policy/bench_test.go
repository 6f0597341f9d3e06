package policy

import (
	"testing"
	"time"
)

// usual is a role and an expression, as most routes have them, and the article's business hours.
func usual(t testing.TB) (s *Set, roles, hours *Policy) {
	s = newSet(t, nil)
	roles = compile(t, s, Allow{Terms: Terms{Roles: []string{"admin", "support"}, When: `request.method == "GET" || user.claims.tenant == request.values.id`}}, false)
	hours = compile(t, s, Allow{Terms: Terms{
		Roles: []string{"support"}, Scopes: []string{"docs.write"}, ACR: []string{"urn:mfa"}, MaxAuthAge: 15 * time.Minute,
		When: `now.weekday in [1,2,3,4,5] && now.hour >= 8 && now.hour < 18 && "support" in user.roles`,
	}}, false)
	return s, roles, hours
}

func BenchmarkRolesAndExpression(b *testing.B) {
	s, p, _ := usual(b)
	u, r := s.Subject(alice()), request("GET", "/api/documents/7")
	b.ReportAllocs()
	for b.Loop() {
		if !p.Decide(u, r).Allow {
			b.Fatal("refused")
		}
	}
}

func BenchmarkEverythingAndBusinessHours(b *testing.B) {
	s, _, p := usual(b)
	u, r := s.Subject(alice()), request("GET", "/api/documents/7")
	b.ReportAllocs()
	for b.Loop() {
		if !p.Decide(u, r).Allow {
			b.Fatal("refused")
		}
	}
}

func BenchmarkSubject(b *testing.B) {
	s, _, _ := usual(b)
	id := alice()
	b.ReportAllocs()
	for b.Loop() {
		s.Subject(id)
	}
}

// Roles and an expression together cost a request at most three allocations.
func TestAllocations(t *testing.T) {
	s, roles, hours := usual(t)
	u, r := s.Subject(alice()), request("GET", "/api/documents/7")
	for name, p := range map[string]*Policy{"roles and an expression": roles, "everything": hours} {
		if n := testing.AllocsPerRun(200, func() {
			if !p.Decide(u, r).Allow {
				t.Error("refused")
			}
		}); n > decideAllocs {
			t.Errorf("%s: %v allocations, want at most %v", name, n, decideAllocs)
		}
	}
}
