package bff

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"cloakroom/configs"
)

// aThousandRoutes is a configuration of so many, each with rules that are like no other's where rules are wanted.
func aThousandRoutes(ruled bool) []byte {
	var text strings.Builder
	text.WriteString(`
server: {listen: 127.0.0.1:0, public_url: "https://app.example.com", admin_listen: "off"}
providers: {main: {issuer: https://id.example.com, client_id: spa, client_secret: m7Qv2kXw9RtB4nLzD1sYhJ6p, roles_claim: groups}}
session: {store: memory, secrets: [b0Nkq7YxVd2Lw9sJm5RtZe4Hu6Pf1Aj3Mc8Gi5]}
routes:
`)
	for i := range 1000 {
		fmt.Fprintf(&text, "  - path: '/part-%d/{id}'\n    upstream: http://127.0.0.1:9001\n", i)
		if ruled {
			fmt.Fprintf(&text, "    allow: {roles: [role-%d], when: 'request.method == \"GET\" || user.sub == request.values.id + \"-%d\"'}\n    limit: {rate: 100/1m, burst: 20}\n", i, i)
		}
	}
	return []byte(text.String())
}

// BenchmarkWiring is what a thousand routes take until requests can come, without rules and with: a configuration read, its site wired, and the heap that the site keeps. A reload does
// the first two.
func BenchmarkWiring(b *testing.B) {
	for name, ruled := range map[string]bool{"plain": false, "ruled": true} {
		text := aThousandRoutes(ruled)
		parse := func(b *testing.B) *configs.Config {
			cfg, err := configs.Parse("bench.yaml", text, func(string) (string, bool) { return "", false })
			if err != nil {
				b.Fatal(err)
			}
			return cfg
		}
		b.Run(name+"/read", func(b *testing.B) {
			began := cpu(b)
			for b.Loop() {
				parse(b)
			}
			b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
		b.Run(name+"/wire", func(b *testing.B) {
			cfg := parse(b)
			s, err := New(cfg, Options{Log: discard()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.close()
			var kept []*site
			before, began := heap(), cpu(b)
			for b.Loop() {
				n, err := s.newSite(cfg, s.current.Load())
				if err != nil {
					b.Fatal(err)
				}
				kept = append(kept, n)
			}
			b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(heap()-before)/float64(len(kept)), "kept-B/op")
			for _, n := range kept {
				n.table.Close()
			}
		})
	}
}

// heap is what is in use once garbage is gone.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
