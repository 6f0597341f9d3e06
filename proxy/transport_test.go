package proxy

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// Every open page may hold an event stream. Requests must not wait for one of those to end.
func TestStreamsTakeNoConnectionFromRequests(t *testing.T) {
	end := make(chan struct{})
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			w.Header().Set("Content-Type", "text/event-stream")
			http.NewResponseController(w).Flush()
			<-end
		}
	})
	g := newGatewayTo(t, Upstream{URL: up, MaxConnections: 2}, func(c *Config, _ *Caller) { c.Timeout = 500 * time.Millisecond })
	var streams sync.WaitGroup
	for range 8 {
		r := newRequest(t, "GET", g.URL+"/events", "", "Accept", "text/event-stream")
		res, err := client.Do(r)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("stream: %v, %v", res, err)
		}
		streams.Go(func() { res.Body.Close() })
		defer streams.Wait()
	}
	res, _ := get(t, g.URL+"/x")
	close(end)
	if res.StatusCode != 200 {
		t.Errorf("a request beside the streams got %d", res.StatusCode)
	}
}

func TestAnUpstreamThatHangsTakesNothingFromAnother(t *testing.T) { // PRX-42
	end, entered := make(chan struct{}), make(chan struct{}, 8)
	slow := upstream(t, func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-end })
	fast := newEcho(t)
	a, b := conf("/slow"), conf("/fast")
	a.Upstream, b.Upstream = "slow", fast.URL
	table, err := Compile([]Config{a, b}, map[string]Upstream{"slow": {URL: slow, MaxConnections: 2}}, Deps{OnError: (&gateway{}).onError}, nil)
	if err != nil {
		t.Fatal(err)
	}
	front := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		rt, _ := table.Match(r)
		rt.Forward(w, r, Caller{})
	})
	var waiting sync.WaitGroup
	for range 4 {
		waiting.Go(func() {
			if res, err := client.Get(front + "/slow"); err == nil {
				res.Body.Close()
			}
		})
	}
	<-entered
	<-entered
	res, _ := get(t, front+"/fast")
	close(end)
	waiting.Wait()
	if res.StatusCode != 200 {
		t.Errorf("got %d", res.StatusCode)
	}
}
