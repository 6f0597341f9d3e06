package bff

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/proxy/compose"
)

// BenchmarkComposed compares a composed answer with its three parts, asked for one by one, over real sockets: a browser's connection, the whole chain, connections to upstreams. The client
// and the upstream are in this process and count on both sides; the upstream answers both with the same requests.
func BenchmarkComposed(b *testing.B) {
	items := strings.Repeat(`{"id":7,"total":"12.50","currency":"EUR","state":"shipped","customer":"0b7c1f","lines":3},`, 20)
	up := newStillUpstreamOf(b, `{"name":"Ada","items":[`+strings.TrimSuffix(items, ",")+`]}`) // 1.8 KB
	leg := func(path string) compose.Leg {
		return compose.Leg{URL: up + path, Timeout: 10 * time.Second, MaxBody: 1 << 20}
	}
	h := newHouse(b, func(c *configs.Config) {
		c.Routes[0].Upstream = up
		home := func(path, shape string) {
			rt := proxy.Config{Path: path, Auth: "required", WithoutFetchMetadata: "refuse", Timeout: 5 * time.Second, Idle: 5 * time.Second, Request: proxy.RequestConfig{MaxBody: 1 << 10}}
			rt.Shape, rt.Legs = shape, map[string]compose.Leg{"me": leg("/me"), "orders": leg("/orders"), "rates": leg("/rates")}
			c.Routes = append(c.Routes, configs.Route{Config: rt})
		}
		home("/plain", "")
		home("/shaped", `{name: .me.name, recent: [.orders.items[]? | {id, total}], rates: (.rates.items | length)}`)
	})
	b.Cleanup(func() { h.server.current.Load().table.Close() })
	br := h.browser()
	br.signIn("/bff/login")
	h.eventually("copies are trusted", h.server.sessions.CopiesTrusted)
	for _, c := range []struct {
		name  string
		paths []string
	}{
		{"parts", []string{"/api/me", "/api/orders", "/api/rates"}},
		{"plain", []string{"/plain"}},
		{"shaped", []string{"/shaped"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			before := cpu(b)
			b.ReportAllocs()
			for b.Loop() {
				for _, path := range c.paths {
					if res := br.fetch("GET", path); res.StatusCode != http.StatusOK {
						b.Fatalf("%s: %d %s", path, res.StatusCode, res.body)
					}
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpu is the process' time on processors so far.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
