package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tree must find what ServeMux finds, whose rules the documentation promises.
func TestTheTreeFindsWhatServeMuxFinds(t *testing.T) {
	words := []string{"a", "b", "c", "{x}", "{y}", ""}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(n int) string { return words[random.IntN(n)] }
	found := 0
	for range 100 {
		var routes []Config
		for range 30 { // those that may stand side by side
			var segments []string
			for range random.IntN(4) {
				segments = append(segments, strings.Replace(pick(5), "}", fmt.Sprint(len(segments), "}"), 1))
			}
			path := "/" + strings.Join(append(segments, []string{"", "{$}", "{r...}", "d"}[random.IntN(4)]), "/")
			if more := append(slices.Clone(routes), Config{Path: path}); len(Conflicts(more)) == 0 {
				routes = more
			}
		}
		l := newLayout()
		for i, c := range routes {
			l.add(&Route{Config: c, index: i})
		}
		l.addBare()
		for range 200 {
			var segments []string
			for range random.IntN(5) {
				segments = append(segments, []string{"a", "b", "c", "d", "e", ".."}[random.IntN(6)])
			}
			path := "/" + strings.Join(append(segments, []string{"", "a", "d"}[random.IntN(3)]), "/")
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.Path = path
			h, _ := l.mux.Handler(r)
			want, _ := h.(*group)
			var got *group
			if clean(path) {
				got = l.tree.find(path)
			}
			if got != want {
				t.Fatalf("%s: got %+v, ServeMux has %+v", path, got, want)
			}
			if got != nil {
				found++
			}
		}
	}
	if found < 5_000 {
		t.Errorf("only %d of the paths had a route: the test shows little", found)
	}
}

// manyRoutes are routes as a company with a thousand teams has them: for each resource a list, an item, things below it, and for some a prefix.
func manyRoutes(n int) []Config {
	routes := make([]Config, 0, n)
	for i := 0; len(routes) < n; i++ {
		team, resource := i%1000, i/1000
		base := fmt.Sprintf("/api/team%d/res%d", team, resource)
		below := conf(base + "/{id}/lines/{line}")
		if team%10 == 2 {
			below = conf(fmt.Sprintf("/v%d/{tenant}/team%d/{rest...}", resource, team))
		}
		for _, c := range []Config{conf(base, "GET"), conf(base, "POST"), conf(base + "/{id}"), below, conf(base + "/{id}/notes")} {
			c.Upstream = fmt.Sprintf("http://team%d:9001/v2", team)
			routes = append(routes, c)
		}
	}
	return routes[:n]
}

// matched are requests to manyRoutes, and the number of the route; -1 for none.
var matched = map[string]int{
	"/api/team43/res1":                  5215,
	"/api/team43/res1/4711":             5217,
	"/api/team43/res1/4711/lines/3":     5218,
	"/api/team43/res1/4711/notes":       5219,
	"/v1/acme/team42/orders/4711/lines": 5213,
	"/v1/acme/team42":                   5213,
	"/api/team43/res1/4711/lines":       -1,
	"/assets/index-4711.js":             -1,
}

// Each request is matched, those to the app's own files too.
func TestMatchingAmongTenThousandRoutesCostsLittle(t *testing.T) {
	table := compile(t, manyRoutes(10_000)...)
	for path, want := range matched {
		r := httptest.NewRequest("GET", path, nil)
		rt, _ := table.Match(r)
		if got := slices.Index(table.routes, rt); got != want {
			t.Errorf("%s: got route %d, want %d", path, got, want)
		}
		if n := testing.AllocsPerRun(100, func() { table.Match(r) }); n > 0 { // 3 are allowed; none is needed
			t.Errorf("%s: %.0f allocations", path, n)
		}
		least := time.Hour // of many short rounds: what else the machine does is not meant
		for range 300 {
			start := time.Now()
			for range 20 {
				table.Match(r)
			}
			least = min(least, time.Since(start)/20)
		}
		if least > time.Microsecond*raceFactor {
			t.Errorf("%s: %s, want less than %s", path, least, time.Microsecond*raceFactor)
		}
	}
}

// A mistake in a pattern that many routes have is a mistake many times, and is told in seconds all the same.
func TestManyConflictsAreFoundInTime(t *testing.T) {
	routes := make([]Config, 0, 4000)
	for i := range cap(routes) / 2 {
		routes = append(routes, conf(fmt.Sprintf("/r%d/{id}/lines", i)), conf(fmt.Sprintf("/r%d/x/{line}", i)))
	}
	start := time.Now()
	found := Conflicts(routes)
	if took := time.Since(start); len(found) != len(routes)/2 || took > 20*time.Second {
		t.Errorf("%d conflicts after %s", len(found), took)
	}
	for _, c := range found {
		if c.A+1 != c.B || c.B%2 != 1 {
			t.Fatalf("%+v: want neighbours", c)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	table := compile(b, manyRoutes(10_000)...)
	for path := range matched {
		b.Run(path[1:], func(b *testing.B) {
			r := httptest.NewRequest("GET", path, nil)
			b.ReportAllocs()
			for b.Loop() {
				table.Match(r)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	routes := manyRoutes(10_000)
	for b.Loop() {
		table, err := Compile(routes, nil, Deps{OnError: func(http.ResponseWriter, *http.Request, error) {}}, nil)
		if err != nil {
			b.Fatal(err)
		}
		table.Close()
	}
}
