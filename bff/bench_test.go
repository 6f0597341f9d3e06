package bff

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"cloakroom/configs"
	"cloakroom/session/storetest"
)

// BenchmarkSignedInRequest is the hot path over real sockets: client, server, Redis connection and upstream in one process. Look at its profile
// rather than its total; `make bench` measures the server alone.
func BenchmarkSignedInRequest(b *testing.B) {
	redis := storetest.StartRedis(b)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":7,"total":"12.50"}`)
	}))
	defer upstream.Close()
	h := newHouse(b, func(c *configs.Config) {
		c.Session.Store, c.Session.Redis.URL = "redis", redis.URL()
		c.Routes[0].Upstream = upstream.URL
	})
	br := h.browser()
	br.signIn("/bff/login")
	ticket := br.cookie(ticketCookie)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest("GET", h.origin+"/api/orders", nil)
			req.Header.Set("Cookie", ticketCookie+"="+ticket)
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != 200 {
				b.Errorf("%d", res.StatusCode)
				return
			}
		}
	})
}
