package bff

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/configs"
	"cloakroom/proxy"
)

// witness is an upstream that may be reached in one way only: with a bearer token, or without. What comes otherwise was decided wrongly.
type witness struct {
	*httptest.Server
	wrong atomic.Int32
	open  atomic.Int32 // connections
}

func newWitness(t testing.TB, name string, bearer bool) *witness {
	w := new(witness)
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" && (r.Header.Get("Authorization") != "") != bearer {
			w.wrong.Add(1)
		}
		io.WriteString(rw, name)
	}))
	w.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			w.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			w.open.Add(-1)
		}
	}
	w.Start()
	t.Cleanup(w.Close)
	return w
}

// load is what many clients see while configurations change.
type load struct {
	h        *house
	answers  atomic.Int64
	problems atomic.Int64
	first    atomic.Value // the first problem
}

// expect sends a request and holds the answer against what it may be in any configuration.
func (l *load) expect(client *http.Client, cookie, path string, allowed ...string) {
	req, _ := http.NewRequest("GET", l.h.origin+path, nil)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if cookie != "" {
		req.Header.Set("Cookie", ticketCookie+"="+cookie)
	}
	got := ""
	if res, err := client.Do(req); err != nil {
		got = err.Error()
	} else {
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		got = fmt.Sprint(res.StatusCode)
		if res.StatusCode == http.StatusOK {
			got += " " + string(body)
		}
		if err != nil {
			got = err.Error()
		}
	}
	l.answers.Add(1)
	for _, a := range allowed {
		if got == a {
			return
		}
	}
	l.problems.Add(1)
	l.first.CompareAndSwap(nil, path+": "+got+", want "+strings.Join(allowed, " or "))
}

// AUZ-07: fifty reloads under load. No request fails, none is let through that no configuration lets through, and none is answered by half of one and half
// of another: /turn/ is open and goes to one upstream, or wants a session and goes to the other, in turns. Nothing is left behind of any of them.
func TestFiftyReloadsUnderLoad(t *testing.T) {
	h := newHouse(t, nil)
	free, guarded, moving := newWitness(t, "free", false), newWitness(t, "guarded", true), newWitness(t, "moving", false)
	turn := func(n int) func(*configs.Config) {
		return func(c *configs.Config) {
			route := func(path, upstream, auth string) configs.Route {
				r := configs.Default[configs.Route]()
				r.Path, r.Upstream, r.Auth = path, upstream, auth
				return r
			}
			c.Routes = []configs.Route{route("/api/", guarded.URL, "required"), route("/moving/", "moving", "none"), route("/turn/", free.URL, "none")}
			if n%2 == 1 {
				c.Routes[2] = route("/turn/", guarded.URL, "required")
			}
			up := configs.Default[proxy.Upstream]() // another one each time: its connections and checks end with it
			up.URL, up.MaxConnections, up.Health.Path, up.Health.Interval = moving.URL, 100+n, "/healthz", 100*time.Millisecond
			c.Upstreams = map[string]proxy.Upstream{"moving": up}
		}
	}
	h.reload(turn(0))
	b := h.browser()
	b.signIn("/bff/login")
	ticket, l := b.cookie(ticketCookie), &load{h: h}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second}
	all := func() {
		l.expect(client, ticket, "/api/x", "200 guarded")
		l.expect(client, "", "/api/x", "401")
		l.expect(client, ticket, "/turn/x", "200 free", "200 guarded")
		l.expect(client, "", "/turn/x", "200 free", "401")
		l.expect(client, "", "/moving/x", "200 moving")
		l.expect(client, "", "/bff/nothing", "404")
	}
	n := 0
	run := func(reloads int) (goroutines int) {
		stop := make(chan struct{})
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						all()
					}
				}
			})
		}
		for range reloads {
			n++
			h.reload(turn(n))
			all() // each configuration has met all of them
		}
		close(stop)
		workers.Wait()
		client.CloseIdleConnections()
		return runtime.NumGoroutine()
	}
	before := run(4) // what is there now may stay: connections that are in use, and who serves them
	run(50)
	h.eventually("nothing is left of the configurations before", func() bool {
		return runtime.NumGoroutine() <= before && moving.open.Load() <= 8
	})
	if n := l.problems.Load(); n > 0 {
		t.Errorf("%d of %d answers were wrong, the first: %v", n, l.answers.Load(), l.first.Load())
	}
	if n := free.wrong.Load() + guarded.wrong.Load() + moving.wrong.Load(); n > 0 {
		t.Errorf("%d requests reached an upstream that they must not reach so", n)
	}
}
