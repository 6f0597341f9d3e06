package bff

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"cloakroom/configs"
)

// PRX-46: whoever makes requests and gives them up at once (CVE-2023-44487) leaves no work behind, and others are served.
func TestAFloodOfResetsLeavesNothingBehind(t *testing.T) {
	var underway atomic.Int64
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		underway.Add(1)
		defer underway.Add(-1)
		<-r.Context().Done() // there is no end but that the request is given up
	}))
	t.Cleanup(up.Close)
	h, a := newTLSHouse(t, guarded("/held/", func(r *configs.Route) { r.Auth, r.Upstream = "none", up.URL }))
	f := newFrames(t, h, a)
	gone := make(chan struct{})
	go func() { // so that the server never waits for a reader
		defer close(gone)
		for {
			if _, err := f.ReadFrame(); err != nil {
				return
			}
		}
	}()
	for stream := uint32(1); stream < 2*10_000; stream += 2 {
		if f.open(stream, true, ":method", "GET", ":scheme", "https", ":path", "/held/x", ":authority", strings.TrimPrefix(h.origin, "https://")) != nil ||
			f.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			break // the server has had enough
		}
	}
	h.eventually("all requests are given up at the upstream", func() bool { return underway.Load() == 0 })
	other := newFrames(t, h, a)
	if err := other.open(1, true, ":method", "GET", ":scheme", "https", ":path", "/public/x", ":authority", strings.TrimPrefix(h.origin, "https://")); err != nil {
		t.Fatal(err)
	}
	if got := other.verdict(); got != "200" {
		t.Errorf("another client is answered %s", got)
	}
	f.conn.Close()
	<-gone
}
