package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// nowhere is the URL of a port where nobody listens.
func nowhere(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// status is how a gateway's upstream is doing, by the servers' URLs.
func (g *gateway) status() map[string]ServerStatus {
	all := map[string]ServerStatus{}
	for _, s := range g.table.Upstreams() {
		all[s.Server] = s
	}
	return all
}

// eventually waits for ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(2*time.Millisecond), time.After(15*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestServersAreAskedInTurns(t *testing.T) {
	a, b, c := newEcho(t), newEcho(t), newEcho(t)
	g := newGatewayTo(t, Upstream{URLs: []string{a.URL + "/v2", b.URL + "/v2", c.URL + "/v2"}}, nil)
	for range 30 {
		if res, _ := get(t, g.URL+"/x"); res.StatusCode != 200 {
			t.Fatalf("got %d", res.StatusCode)
		}
	}
	for _, up := range []*echo{a, b, c} {
		last := up.request()
		if up.requests() != 10 || last.URI != "/v2/x" || "http://"+last.Host != up.URL || last.Header.Get("Via") != "1.1 cloakroom-1" {
			t.Errorf("%s: %d requests, the last to %s%s by %s", up.URL, up.requests(), last.Host, last.URI, last.Header.Get("Via"))
		}
	}
}

func TestAServerThatIsAwayIsLeftAloneAndMissedByNobody(t *testing.T) { // PRX-43
	up, away := newEcho(t), nowhere(t)
	for _, method := range []string{"GET", "POST", "PUT", "PATCH"} {
		g := newGatewayTo(t, Upstream{URLs: []string{away, up.URL}, Health: HealthConfig{Failures: 3}}, nil)
		before := up.requests()
		for range 20 {
			body := ""
			if method != "GET" {
				body = "order"
			}
			if res, _ := do(t, newRequest(t, method, g.URL+"/x", body)); res.StatusCode != 200 || up.request().Body != body {
				t.Fatalf("%s: got %d, the server %q; %v", method, res.StatusCode, up.request().Body, g.lastError())
			}
		}
		if s := g.status()[away]; up.requests() != before+20 || s.Picks != 3 || s.Failures != 3 || !s.LeftAlone {
			t.Errorf("%s: %d requests at the other server, %+v", method, up.requests()-before, s)
		}
	}
}

func TestWhatMayHaveBeenDoneIsNotDoneTwice(t *testing.T) { // PRX-43
	for _, c := range []struct {
		name, method, body string
		header             []string
		status, requests   int
	}{
		{"GET is repeated", "GET", "", nil, 200, 1},
		{"HEAD is repeated", "HEAD", "", nil, 200, 1},
		{"DELETE is repeated", "DELETE", "", nil, 200, 1},
		{"POST is not", "POST", "order", nil, 502, 1},
		{"POST without a body is not", "POST", "", nil, 502, 1},
		{"PATCH is not", "PATCH", "x", nil, 502, 1},
		{"PUT is not, whose body is gone", "PUT", "x", nil, 502, 1},
		{"an event stream is not", "GET", "", []string{"Accept", "text/event-stream"}, 502, 1},
		{"a socket is not", "GET", "", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 502, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			hangsUp, asked := rawUpstream(t, "")
			good := newEcho(t)
			g := newGatewayTo(t, Upstream{URLs: []string{good.URL, hangsUp}}, nil) // turns begin with the second
			res, _ := do(t, newRequest(t, c.method, g.URL+"/x", c.body, c.header...))
			if res.StatusCode != c.status || asked() != c.requests || good.requests() > 0 != (c.status == 200) {
				t.Errorf("got %d; the first was asked %d times, the second %d times", res.StatusCode, asked(), good.requests())
			}
		})
	}
}

func TestAKeptBodyIsSentToAnotherServer(t *testing.T) {
	hangsUp, _ := rawUpstream(t, "")
	good := newEcho(t)
	g := newGatewayTo(t, Upstream{URLs: []string{good.URL, hangsUp}}, func(_ *Config, c *Caller) { c.Renew = func(context.Context) (string, bool) { return "", false } })
	if res, _ := do(t, newRequest(t, "PUT", g.URL+"/x", "order")); res.StatusCode != 200 || good.request().Body != "order" {
		t.Errorf("got %d, %q", res.StatusCode, good.request().Body)
	}
}

func TestOnlyOneOtherServerIsAsked(t *testing.T) {
	a, askedA := rawUpstream(t, "")
	b, askedB := rawUpstream(t, "")
	c, askedC := rawUpstream(t, "")
	g := newGatewayTo(t, Upstream{URLs: []string{a, b, c}}, nil)
	res, _ := get(t, g.URL+"/x")
	if n := askedA() + askedB() + askedC(); res.StatusCode != 502 || n != 2 || !errors.Is(g.lastError(), ErrUpstream) {
		t.Errorf("got %d after %d servers: %v", res.StatusCode, n, g.lastError())
	}
}

func TestASlowServerIsLeftAlone(t *testing.T) { // PRX-42
	end := make(chan struct{})
	slow := upstream(t, func(_ http.ResponseWriter, r *http.Request) { <-end })
	defer close(end)
	good := newEcho(t)
	g := newGatewayTo(t, Upstream{URLs: []string{good.URL, slow}, Health: HealthConfig{Failures: 2}}, func(c *Config, _ *Caller) { c.Timeout = 50 * time.Millisecond })
	var got []int
	for range 8 {
		res, _ := get(t, g.URL+"/x")
		got = append(got, res.StatusCode)
	}
	if want := []int{504, 200, 504, 200, 200, 200, 200, 200}; !slices.Equal(got, want) || !g.status()[slow].LeftAlone {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A client that hangs up says nothing about the server.
func TestAClientThatIsGoneIsNoFailureOfTheServer(t *testing.T) {
	entered, end := make(chan struct{}), make(chan struct{})
	up := upstream(t, func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-end })
	defer close(end)
	g := newGatewayTo(t, Upstream{URL: up, Health: HealthConfig{Failures: 1}}, nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /x HTTP/1.1\r\nHost: app\r\n\r\n")
	<-entered
	c.Close()
	eventually(t, "the exchange is over", func() bool { return errors.Is(g.lastError(), ErrClientGone) })
	if s := g.status()[up]; s.Failures != 0 || s.LeftAlone {
		t.Errorf("%+v", s)
	}
}

// Whatever a server answers, it is there: what a handler does with a request is the handler's.
func TestAnErrorThatAServerAnswersIsAnAnswer(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	g := newGatewayTo(t, Upstream{URL: up, Health: HealthConfig{Failures: 1}}, nil)
	for range 3 {
		get(t, g.URL+"/x")
	}
	if s := g.status()[up]; s.Picks != 3 || s.Failures != 0 || s.LeftAlone {
		t.Errorf("%+v", s)
	}
}

// Where nobody is well, somebody is asked all the same, and an answer ends it.
func TestWhereAllServersAreLeftAloneTheyAreAskedAllTheSame(t *testing.T) {
	var well atomic.Bool
	answer := func(w http.ResponseWriter, r *http.Request) {
		if !well.Load() {
			panic(http.ErrAbortHandler)
		}
	}
	a, b := upstream(t, answer), upstream(t, answer)
	g := newGatewayTo(t, Upstream{URLs: []string{a, b}, Health: HealthConfig{Failures: 1}}, nil)
	get(t, g.URL+"/x")
	for url, s := range g.status() {
		if !s.LeftAlone {
			t.Fatalf("%s is not left alone", url)
		}
	}
	for range 3 {
		if res, _ := get(t, g.URL+"/x"); res.StatusCode != 502 {
			t.Fatalf("got %d", res.StatusCode)
		}
	}
	if s := g.status(); s[a].Picks != s[b].Picks || s[a].Picks != 4 {
		t.Errorf("not in turns: %+v", s)
	}
	for range 4 { // what cannot be repeated shows who is asked first: whose last failure is longest ago
		do(t, newRequest(t, "POST", g.URL+"/x", "order"))
	}
	if s := g.status(); s[a].Picks != 6 || s[b].Picks != 6 {
		t.Errorf("not in turns: %+v", s)
	}
	well.Store(true)
	if res, _ := get(t, g.URL+"/x"); res.StatusCode != 200 {
		t.Errorf("got %d once they are well", res.StatusCode)
	}
}

func TestARedirectToAnyOfTheServersIsOne(t *testing.T) { // PRX-27
	c := conf("/api/")
	c.Upstream, c.Upstreams, c.StripPrefix = "", []string{"http://a:9001/v2", "http://b:9002/v2"}, "/api"
	rt := compile(t, c).routes[0]
	asked := httptest.NewRequest("GET", "http://a:9001/v2/x", nil).URL
	for location, want := range map[string]string{
		"http://b:9002/v2/y": "/api/y", "http://a:9001/v2/y": "/api/y", "/v2/y": "/api/y",
		"http://b:9001/v2/y": "", "http://b:9002/admin": "", "https://b:9002/v2/y": "",
	} {
		if got, _ := rt.location(location, asked, Caller{Proto: "https", Host: "app.example.com"}); got != want {
			t.Errorf("%s: got %q, want %q", location, got, want)
		}
	}
}

func TestASocketFileIsAnUpstream(t *testing.T) {
	path := t.TempDir() + "/orders.sock"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var host, uri string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, uri = r.Host, r.RequestURI
		w.Header().Set("Location", "http://localhost/v2/there")
		w.WriteHeader(302)
	}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	g := newGateway(t, "unix:"+path+":/v2", nil)
	res, _ := get(t, g.URL+"/x?q=1")
	if res.StatusCode != 302 || host != "localhost" || uri != "/v2/x?q=1" || res.Header.Get("Location") != "/there" {
		t.Errorf("got %d to %q; the server %s%s", res.StatusCode, res.Header.Get("Location"), host, uri)
	}
}

// A client's Idempotency-Key is between it and the server. net/http takes it for leave to send a POST again on another connection.
func TestAPOSTWithAnIdempotencyKeyIsNotSentAgain(t *testing.T) { // PRX-43
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		for _, body := range []string{"", "order"} {
			t.Run(name+" "+body, func(t *testing.T) {
				var orders atomic.Int32
				var key atomic.Value
				up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Method == "POST" {
						orders.Add(1)
						key.Store(r.Header.Get(name))
						panic(http.ErrAbortHandler)
					}
				})
				g := newGatewayTo(t, Upstream{URL: up}, func(_ *Config, c *Caller) { c.Renew = func(context.Context) (string, bool) { return "", false } })
				get(t, g.URL+"/x") // leaves a connection
				res, _ := do(t, newRequest(t, "POST", g.URL+"/x", body, name, "k"))
				if res.StatusCode != 502 || orders.Load() != 1 || key.Load() != "k" {
					t.Errorf("got %d; the server saw %d orders, with the key %q", res.StatusCode, orders.Load(), key.Load())
				}
			})
		}
	}
}
