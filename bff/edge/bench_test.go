package edge_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"cloakroom/bff/edge"
)

// sink is a ResponseWriter that costs what net/http's header map costs, and no more.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

// BenchmarkChain is what a request pays for the edge, with the log as JSON. Compare with "bare".
func BenchmarkChain(b *testing.B) {
	body := []byte(`{"ok":true}`)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := edge.From(r.Context())
		rec.Route, rec.Subject, rec.Session = "/api/orders/", "pseudonym123", "abcdefgh"
		rec.Upstream = 1000
		w.Header()["Content-Type"] = []string{"application/json"}
		_, _ = w.Write(body)
	})
	jsonLog := slog.New(slog.NewJSONHandler(io.Discard, nil))
	for _, bb := range []struct {
		name string
		h    http.Handler
	}{
		{"bare", h},
		{"chain", whole(jsonLog, nil)(h)},
		{"chain without log", whole(slog.New(slog.DiscardHandler), nil)(h)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/api/orders/7?limit=5", nil)
			r.Host = own.Host
			r.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}}
			b.ReportAllocs()
			for b.Loop() {
				bb.h.ServeHTTP(&sink{h: make(http.Header)}, r)
			}
		})
	}
}

func BenchmarkCanonical(b *testing.B) {
	for _, raw := range []string{"/api/orders/7/items/detail", "/api/caf%C3%A9/a%40b"} {
		b.Run(raw, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				edge.Canonical(raw)
			}
		})
	}
}

func BenchmarkSameOrigin(b *testing.B) {
	r := &http.Request{Method: "GET", Header: http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}}
	b.ReportAllocs()
	for b.Loop() {
		edge.SameOrigin(edge.CrossingOf(r), own, edge.CrossSiteRule{})
	}
}
