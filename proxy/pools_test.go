package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// names is a name server that a test can change its mind for.
type names struct {
	address atomic.Pointer[[4]byte]
	asked   atomic.Int64
}

// newNames serves address under every name.
func newNames(t testing.TB, address [4]byte) (*names, *net.Resolver) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{}
	n.address.Store(&address)
	var serving sync.WaitGroup
	serving.Go(func() {
		buf := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			conn.WriteTo(n.answer(buf[:size]), from)
		}
	})
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}
	return n, &net.Resolver{PreferGo: true, Dial: dial}
}

func (n *names) answer(query []byte) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		n.asked.Add(1)
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: *n.address.Load()}}}
	}
	answer, _ := m.Pack()
	return answer
}

// serveAt serves h at an address; port 0 takes a free one.
func serveAt(t testing.TB, address string, h http.HandlerFunc) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// A connection that is always in use would keep a server for ever that its name has left long ago.
func TestANameThatLeadsElsewhereIsFollowed(t *testing.T) {
	resolver, system := newNames(t, [4]byte{127, 0, 0, 1})
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) }
	}
	port := serveAt(t, "127.0.0.1:0", say("old"))
	serveAt(t, "127.0.0.2:"+port, say("new"))
	c := conf("/")
	c.Upstream = "up"
	table, err := Compile([]Config{c}, map[string]Upstream{"up": {URL: "http://orders.test:" + port, MaxConnectionAge: time.Minute}}, Deps{OnError: (&gateway{}).onError, Resolver: system}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	front := upstream(t, func(w http.ResponseWriter, r *http.Request) { table.routes[0].Forward(w, r, Caller{}) })
	service, now := table.routes[0].up, time.Now()
	ask := func() string { _, body := get(t, front+"/x"); return body }
	if got := ask(); got != "old" || resolver.asked.Load() != 1 {
		t.Fatalf("got %q after %d questions", got, resolver.asked.Load())
	}
	resolver.address.Store(&[4]byte{127, 0, 0, 2})
	service.upkeep(now.Add(50 * time.Second))
	if got := ask(); got != "old" || resolver.asked.Load() != 1 {
		t.Errorf("a connection that is not old: got %q after %d questions", got, resolver.asked.Load())
	}
	service.upkeep(now.Add(61 * time.Second))
	if got := ask(); got != "new" {
		t.Errorf("after max_connection_age got %q", got)
	}
	eventually(t, "the old connection is closed", func() bool { service.upkeep(now.Add(62 * time.Second)); return table.Upstreams()[0].Connections == 1 })
}

// The bound holds while connections of two generations are open.
func TestConnectionsAreBoundedWhileTheyAreRenewed(t *testing.T) {
	entered, leave := make(chan struct{}, 8), make(chan struct{})
	up := upstream(t, func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-leave })
	g := newGatewayTo(t, Upstream{URL: up, MaxConnections: 2, MaxConnectionAge: time.Second}, nil)
	service, now := g.table.routes[0].up, time.Now()
	var clients sync.WaitGroup
	ask := func() {
		clients.Go(func() {
			if res, _ := get(t, g.URL+"/x"); res.StatusCode != 200 {
				t.Errorf("got %d: %v", res.StatusCode, g.lastError())
			}
		})
	}
	ask()
	ask()
	<-entered
	<-entered
	before := service.servers[0].current.Load()
	service.upkeep(now.Add(2 * time.Second))
	renewed := service.servers[0].current.Load()
	if renewed == before {
		t.Fatal("no renewal")
	}
	ask()
	eventually(t, "the third waits", func() bool { return g.status()[up].Picks == 3 })
	select {
	case <-entered:
		t.Fatal("a third connection beside two that are open")
	case <-time.After(50 * time.Millisecond):
	}
	leave <- struct{}{}
	eventually(t, "the third has its turn", func() bool { service.upkeep(now.Add(2 * time.Second)); return len(entered) == 1 })
	if n := g.status()[up].Connections; n != 2 {
		t.Errorf("%d connections", n)
	}
	close(leave)
	clients.Wait()
}

func TestNobodyIsCutOffByARenewal(t *testing.T) {
	up := newEcho(t)
	g := newGatewayTo(t, Upstream{URL: up.URL, MaxConnections: 3, MaxConnectionAge: time.Second}, nil)
	service, now := g.table.routes[0].up, time.Now()
	stopped := make(chan struct{})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 40 {
				if res, _ := do(t, newRequest(t, "POST", g.URL+"/x", "order")); res.StatusCode != 200 {
					t.Errorf("got %d: %v", res.StatusCode, g.lastError())
					return
				}
			}
		})
	}
	go func() { clients.Wait(); close(stopped) }()
	renewals := 0
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-stopped:
			done = true
		case <-tick.C:
			now = now.Add(2 * time.Second)
			before := service.servers[0].current.Load()
			if service.upkeep(now); service.servers[0].current.Load() != before {
				renewals++
			}
		}
	}
	if renewals < 3 || up.requests() != 8*40 {
		t.Errorf("%d renewals, %d requests", renewals, up.requests())
	}
	eventually(t, "retired connections are closed", func() bool { service.upkeep(now); return g.status()[up.URL].Connections <= 3 })
}

func TestUpstreamsGoOnOverAReload(t *testing.T) {
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	away := nowhere(t)
	deps := Deps{OnError: (&gateway{}).onError}
	build := func(previous *Table, named Upstream, base string) *Table {
		own, shared := conf("/own/"), conf("/shared/")
		own.Upstream, shared.Upstream = s.URL+base, "shared"
		table, err := Compile([]Config{own, shared}, map[string]Upstream{"shared": named}, deps, previous)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	ask := func(table *Table, path string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		rt, _ := table.Match(r)
		rt.Forward(w, r, Caller{})
		return w.Code
	}
	both := Upstream{URLs: []string{s.URL, away}, Health: HealthConfig{Failures: 1}}
	first := build(nil, both, "")
	for range 2 {
		if ask(first, "/own/x") != 200 || ask(first, "/shared/x") != 200 {
			t.Fatal("no answer")
		}
	}
	second := build(first, both, "/v2") // a base path is the route's
	first.Close()
	first.Close() // twice is once
	before := connections.Load()
	if ask(second, "/own/x") != 200 || ask(second, "/shared/x") != 200 || connections.Load() != before {
		t.Errorf("%d connections more", connections.Load()-before)
	}
	if got := second.Upstreams(); len(got) != 3 || got[0].Picks != 3 || !leftAlone(got, away) {
		t.Errorf("what was known is forgotten: %+v", got)
	}
	changed := both
	changed.MaxConnections = 7
	third := build(second, changed, "/v2")
	second.Close()
	if got := third.Upstreams(); leftAlone(got, away) || got[0].Picks != 3 {
		t.Errorf("the changed one begins anew, the other does not: %+v", got)
	}
	third.Close()
	eventually(t, "all connections are closed", func() bool {
		n := 0
		for _, table := range []*Table{second, third} {
			for _, s := range table.Upstreams() {
				n += s.Connections
			}
		}
		return n == 0
	})
	_, err := Compile([]Config{conf("/a"), conf("/a")}, nil, deps, third)
	if err == nil || !strings.Contains(err.Error(), "conflict") && !strings.Contains(err.Error(), "same paths") {
		t.Errorf("got %v", err)
	}
}

func leftAlone(all []ServerStatus, server string) bool {
	for _, s := range all {
		if s.Server == server {
			return s.LeftAlone
		}
	}
	return false
}

// Two upstreams may have one name in the metrics: there is one line for both.
func TestNoServerIsToldTwice(t *testing.T) {
	a, b := conf("/a"), conf("/b")
	a.Upstream, b.Upstream, a.Upstreams, b.Upstreams = "", "", []string{"http://x:1"}, []string{"http://x:1"}
	b.Health = HealthConfig{Path: "/healthz"}
	if got := compile(t, a, b).Upstreams(); len(got) != 1 || got[0].Upstream != "http://x:1" || got[0].Server != "http://x:1" {
		t.Errorf("got %+v", got)
	}
}
