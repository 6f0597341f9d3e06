package limit_test

import (
	"fmt"
	"testing"

	"cloakroom/bff/limit"
	"cloakroom/session/storetest"
)

// generous are limits that refuse nobody: what they cost is what every request pays.
func generous() []limit.Limit {
	return []limit.Limit{{Rate: "10000/1s", Burst: 1000000}, {Rate: "10000/1s", Burst: 1000000, Per: "ip"}}
}

// BenchmarkMemory is one request against limits in memory: of one user, of many, and one that is refused.
func BenchmarkMemory(b *testing.B) {
	none := limit.Limit{Rate: "1/24h"}
	for _, c := range []struct {
		name   string
		limits []limit.Limit
		users  int
	}{
		{"one limit", generous()[:1], 1},
		{"two limits", generous(), 1},
		{"two limits, 10000 users", generous(), 10000},
		{"refused", []limit.Limit{none}, 1},
		{"concurrent", []limit.Limit{{Concurrent: 100}}, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := inMemory(b, c.limits...)
			users := make([]limit.Who, c.users)
			for i := range users {
				users[i] = user(fmt.Sprint(i))
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				_, done := s.Take(b.Context(), users[n%len(users)])
				done()
				n++
			}
		})
	}
}

// BenchmarkFields is what the header fields cost besides.
func BenchmarkFields(b *testing.B) {
	v, _ := inMemory(b, generous()...).Take(b.Context(), user("anna"))
	b.ReportAllocs()
	for b.Loop() {
		if v.Policy() == "" || v.Remaining() == "" {
			b.Fatal("nothing to tell")
		}
	}
}

// BenchmarkRedis is one request against limits in Redis on this machine: one command, however many they are.
func BenchmarkRedis(b *testing.B) {
	server := storetest.StartRedis(b)
	for n := range 2 {
		b.Run(fmt.Sprintf("%d limits", n+1), func(b *testing.B) {
			s := compile(b, replica(b, patient(), at(server.Addr)), "/", generous()[:n+1]...)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if v, _ := s.Take(b.Context(), user("anna")); !v.Allow || v.Err != nil {
						b.Errorf("%+v", v)
						return
					}
				}
			})
		})
	}
}

// The usual request, which is allowed, costs memory nothing that must be collected.
func TestMemoryAllocatesNothing(t *testing.T) {
	s, who := inMemory(t, generous()...), user("anna")
	ctx := t.Context()
	ask(t, s, who, 1)
	if n := testing.AllocsPerRun(1000, func() {
		if v, done := s.Take(ctx, who); !v.Allow {
			t.Error("refused")
		} else {
			done()
		}
	}); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
