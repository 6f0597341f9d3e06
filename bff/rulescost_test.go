package bff

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"cloakroom/bff/edge"
	"cloakroom/bff/limit"
	"cloakroom/configs"
)

// costly are the rules whose cost is looked at.
var costly = []struct {
	name   string
	allocs int // at most
	change func(*configs.Route)
}{
	{"none", 0, func(*configs.Route) {}},
	{"roles", permitAllocs - 1, func(r *configs.Route) { r.Allow.Roles = []string{"support", "customer"} }},
	{"roles and an expression", permitAllocs, rolesAndExpression},
	{"with a limit in memory", permitAllocs + 3, func(r *configs.Route) {
		rolesAndExpression(r)
		r.Limit = []limit.Limit{{Rate: "10000/1s", Burst: 1000000, Per: "user", Outage: "local"}}
	}},
}

func rolesAndExpression(r *configs.Route) {
	r.Allow.Roles, r.Allow.When = []string{"support", "customer"}, `request.method == "GET" && user.kind == "session" && request.values.id != ""`
}

// permitted is what a route's rules cost one signed-in request: all that is done for them between the session and the upstream.
func permitted(t testing.TB, change func(*configs.Route)) (permit func()) {
	t.Helper()
	h := newHouse(t, guarded("/guarded/{id}", change))
	br := h.browser()
	br.signIn("/bff/login")
	s := h.server.current.Load()
	r := httptest.NewRequest("GET", "/guarded/7", nil).WithContext(t.Context())
	r.Header.Set("Cookie", ticketCookie+"="+br.cookie(ticketCookie))
	edge.RequestID()(http.HandlerFunc(func(_ http.ResponseWriter, in *http.Request) { r = in })).ServeHTTP(&sink{h: make(http.Header)}, r)
	route, _ := s.table.Match(r)
	sess, err := s.sessions.FromRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	w, v := &sink{h: make(http.Header)}, visitor{sess: sess, known: s.meet(sess)}
	return func() {
		clear(w.h)
		over, err := s.permit(w, r, route, v)
		if over(); err != nil {
			t.Fatal(err)
		}
	}
}

// Roles and an expression together cost a request at most three allocations, in all that the server does for them and not in the decision alone. Where there are no rules they cost none.
func TestRulesAllocateLittle(t *testing.T) {
	for _, c := range costly {
		if n := testing.AllocsPerRun(500, permitted(t, c.change)); n > float64(c.allocs) {
			t.Errorf("%s: %.0f allocations, want at most %d", c.name, n, c.allocs)
		}
	}
}

// BenchmarkPermit is what rules cost a signed-in request, past its session.
func BenchmarkPermit(b *testing.B) {
	for _, c := range costly {
		b.Run(c.name, func(b *testing.B) {
			permit := permitted(b, c.change)
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				permit()
			}
			b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op") // what else the machine does is not in it
		})
	}
}
