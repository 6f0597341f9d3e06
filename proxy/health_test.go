package proxy

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	for _, c := range []struct {
		name    string
		checked bool
		do      func(h *health)
		at      time.Duration
		takes   bool
	}{
		{"a server is taken to be well", true, func(h *health) {}, 0, true},
		{"two failures of three are none", false, func(h *health) { h.failed(byRequest, at(0)); h.failed(byRequest, at(0)) }, 0, true},
		{"a success begins the count anew", false, func(h *health) {
			h.failed(byRequest, at(0))
			h.failed(byRequest, at(0))
			h.succeeded(byRequest)
			h.failed(byRequest, at(0))
			h.failed(byRequest, at(0))
		}, 0, true},
		{"three in a row are enough", false, func(h *health) { fail(h, byRequest, at(0), 3) }, 999 * time.Millisecond, false},
		{"requests that fail do not make up for checks that succeed", true, func(h *health) {
			h.failed(byRequest, at(0))
			h.failed(byRequest, at(0))
			h.succeeded(byCheck)
			h.failed(byCheck, at(0))
		}, 0, true},
		{"requests that succeed do not make up for checks that fail", true, func(h *health) {
			for range 3 {
				h.failed(byCheck, at(0))
				h.succeeded(byRequest)
			}
		}, time.Hour, false},
		{"after the while a request is the probe", false, func(h *health) { fail(h, byRequest, at(0), 3) }, time.Second, true},
		{"only one is", false, func(h *health) { fail(h, byRequest, at(0), 3); h.takes(at(time.Second)) }, time.Second, false},
		{"a probe of which nothing is heard is not waited for without end", false, func(h *health) { fail(h, byRequest, at(0), 3); h.takes(at(time.Second)) }, 6 * time.Second, true},
		{"a probe that fails doubles the while", false, func(h *health) {
			fail(h, byRequest, at(0), 3)
			h.takes(at(time.Second))
			h.failed(byRequest, at(time.Second))
		}, 2999 * time.Millisecond, false},
		{"and no more than that", false, func(h *health) {
			fail(h, byRequest, at(0), 3)
			h.takes(at(time.Second))
			h.failed(byRequest, at(time.Second))
		}, 3 * time.Second, true},
		{"what was on its way before does not", false, func(h *health) { fail(h, byRequest, at(0), 30) }, time.Second, true},
		{"the while has an end", false, func(h *health) {
			fail(h, byRequest, at(0), 3)
			for range 100 {
				h.probing = true
				h.failed(byRequest, at(0))
			}
		}, 30 * time.Second, true},
		{"a probe that succeeds lets the server back", false, func(h *health) {
			fail(h, byRequest, at(0), 3)
			h.takes(at(time.Second))
			h.succeeded(byRequest)
		}, time.Second, true},
		{"where there are checks, no request is a probe", true, func(h *health) { fail(h, byRequest, at(0), 3) }, time.Hour, false},
		{"and none lets the server back", true, func(h *health) { fail(h, byCheck, at(0), 3); h.succeeded(byRequest) }, time.Hour, false},
		{"but a check does", true, func(h *health) { fail(h, byRequest, at(0), 3); h.succeeded(byCheck) }, 0, true},
		{"once back, it takes three again", false, func(h *health) {
			fail(h, byRequest, at(0), 3)
			h.succeeded(byRequest)
			h.failed(byRequest, at(0))
			h.failed(byRequest, at(0))
		}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &health{limit: 3, checked: c.checked}
			c.do(h)
			if got := h.takes(at(c.at)); got != c.takes {
				t.Errorf("after %s: %v, want %v", c.at, got, c.takes)
			}
		})
	}
}

func fail(h *health, by evidence, now time.Time, times int) {
	for range times {
		h.failed(by, now)
	}
}

// run lets a table work until the test is over, and reports when it has stopped.
func run(t testing.TB, table *Table) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); table.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); await(t, "the table has stopped", done) })
	t.Cleanup(stop)
	return stop
}

func TestAServerWhoseCheckFailsIsLeftAloneUntilOneSucceeds(t *testing.T) {
	var draining atomic.Bool
	var checks atomic.Int64
	moody := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/healthz":
			w.Header().Set("X-From", "moody")
		case r.Header.Get("Authorization") != "":
			t.Error("a check has a token")
		default:
			checks.Add(1)
			if draining.Load() {
				w.WriteHeader(503)
			}
		}
	})
	steady := newEcho(t)
	g := newGatewayTo(t, Upstream{URLs: []string{moody + "/v2", steady.URL + "/v2"}, Health: HealthConfig{Path: "/healthz", Interval: 100 * time.Millisecond, Failures: 2}}, nil)
	stop := run(t, g.table)
	fromMoody := func() (n int) {
		for range 4 {
			res, _ := get(t, g.URL+"/x")
			if res.StatusCode != 200 {
				t.Errorf("got %d", res.StatusCode)
			}
			n += len(res.Header["X-From"])
		}
		return n
	}
	if n := fromMoody(); n != 2 {
		t.Errorf("%d of 4 requests to a healthy server, want 2", n)
	}
	draining.Store(true)
	eventually(t, "it is left alone", func() bool { return g.status()[moody].LeftAlone })
	if n := fromMoody(); n != 0 {
		t.Errorf("%d requests to a server that says no", n)
	}
	draining.Store(false)
	eventually(t, "it is back", func() bool { return !g.status()[moody].LeftAlone })
	if n := fromMoody(); n != 2 {
		t.Errorf("%d of 4 requests to a server that is back, want 2", n)
	}
	stop()
	if checks.Load() == 0 {
		t.Error("nobody has asked for its health")
	}
}

func TestAHealthyStatusIsTheConfigured(t *testing.T) {
	for _, c := range []struct {
		answer int
		status []int
		alone  bool
	}{{204, nil, false}, {302, nil, true}, {404, nil, true}, {404, []int{200, 404}, false}, {200, []int{204}, true}} {
		checked := make(chan struct{}, 100)
		up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.answer)
			checked <- struct{}{}
		})
		g := newGatewayTo(t, Upstream{URL: up, Health: HealthConfig{Path: "/healthz", Interval: 100 * time.Millisecond, Failures: 1, Status: c.status}}, nil)
		stop := run(t, g.table)
		if c.alone {
			eventually(t, "it is left alone", func() bool { return g.status()[up].LeftAlone })
		} else {
			<-checked
			<-checked // so that the first one has been judged
		}
		if got := g.status()[up].LeftAlone; got != c.alone {
			t.Errorf("%d where %v is healthy: left alone %v", c.answer, c.status, got)
		}
		stop()
	}
}

// A server that is alone is asked whatever is thought of it: there is no other, and no answer for certain helps nobody.
func TestASingleServerIsAlwaysAsked(t *testing.T) {
	var away atomic.Bool
	up := upstream(t, func(http.ResponseWriter, *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
	})
	g := newGatewayTo(t, Upstream{URL: up, Health: HealthConfig{Failures: 1}}, nil)
	away.Store(true)
	for range 2 {
		get(t, g.URL+"/x")
	}
	if !g.status()[up].LeftAlone {
		t.Error("its failures are not told")
	}
	away.Store(false)
	if res, _ := get(t, g.URL+"/x"); res.StatusCode != 200 || g.status()[up].LeftAlone {
		t.Errorf("got %d, %+v", res.StatusCode, g.status()[up])
	}
}
