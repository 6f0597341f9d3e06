package proxy

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// A table that was closed may still get requests that had found their route; what they leave behind does not stay.
func TestSweepClosesWhatAClosedTableLeavesBehind(t *testing.T) {
	var open atomic.Int32
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	up.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	up.Start()
	defer up.Close()
	d := Deps{OnError: func(http.ResponseWriter, *http.Request, error) {}}
	routes := []Config{{Path: "/", Upstream: up.URL, Auth: "none", WithoutFetchMetadata: "refuse", Timeout: time.Second, Idle: time.Second, Request: RequestConfig{MaxBody: 1}}}
	before, err := Compile(routes, nil, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := Compile(routes, nil, d, before)
	if err != nil {
		t.Fatal(err)
	}
	late := func(table *Table) {
		t.Helper()
		r := httptest.NewRequest("GET", "/x", nil)
		rt, _ := table.Match(r)
		rt.Forward(httptest.NewRecorder(), r, Caller{})
	}
	before.Close()
	late(before)
	if left := before.Sweep(); left || open.Load() == 0 {
		t.Errorf("what another table has was swept: %d connections, %t", open.Load(), left)
	}
	shared.Close()
	late(shared)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); shared.Sweep() || open.Load() > 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections stay", open.Load())
		}
	}
}
