package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// canned is an upstream without a network, so that what is measured is the proxy.
type canned struct{}

func (canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: 11,
		Header: http.Header{"Content-Type": {"application/json"}, "Content-Length": {"11"}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"}, "Etag": {`"1"`}, "Vary": {"Accept"}},
		Body:   io.NopCloser(strings.NewReader(`{"ok":true}`))}, nil
}

// CloseIdleConnections has none to close.
func (canned) CloseIdleConnections() {}

// browserRequest has the headers that Chromium sends with a fetch.
func browserRequest() *http.Request {
	r := httptest.NewRequest("GET", "/api/orders/7", nil)
	for k, v := range map[string]string{"Accept": "*/*", "Accept-Encoding": "gzip, deflate, br, zstd", "Accept-Language": "en-US,en;q=0.9", "Connection": "keep-alive",
		"Cookie": "__Host-Http-session=" + strings.Repeat("x", 43), "Referer": "https://app.example.com/", "Sec-Ch-Ua": `"Chromium";v="140"`, "Sec-Ch-Ua-Mobile": "?0", "Sec-Ch-Ua-Platform": `"Linux"`,
		"Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"} {
		r.Header.Set(k, v)
	}
	return r
}

// BenchmarkForward compares a route with a bare ReverseProxy, in memory and over sockets.
func BenchmarkForward(b *testing.B) {
	caller := Caller{Bearer: strings.Repeat("t", 800), ClientIP: netip.MustParseAddr("192.0.2.1"), Proto: "https", Host: "app.example.com", RequestID: "0123456789abcdef"}
	route := func(upstream string) *Route {
		c := conf("/")
		c.Upstream = upstream
		return compile(b, c).routes[0]
	}
	bare := func(upstream string) *httputil.ReverseProxy {
		u, _ := url.Parse(upstream)
		return &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(u) }, BufferPool: buffers}
	}
	b.Run("memory/bare", func(b *testing.B) {
		p := bare("http://up.test")
		p.Transport = canned{}
		measure(b, p)
	})
	b.Run("memory/route", func(b *testing.B) {
		rt := route("http://up.test")
		rt.up.servers[0].current.Store(&pools{requests: canned{}})
		measure(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rt.Forward(w, r, caller) }))
	})
	up := upstream(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"ok":true}`)
	})
	b.Run("sockets/bare", func(b *testing.B) {
		p := bare(up)
		p.Transport = route(up).up.servers[0].current.Load().requests
		serve(b, p)
	})
	b.Run("sockets/route", func(b *testing.B) {
		rt := route(up)
		serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rt.Forward(w, r, caller) }))
	})
}

func measure(b *testing.B, h http.Handler) {
	r := browserRequest()
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

func serve(b *testing.B, h http.Handler) {
	s := httptest.NewServer(h)
	defer s.Close()
	r := browserRequest()
	r.RequestURI = ""
	r.URL, _ = url.Parse(s.URL + "/api/orders/7")
	b.ReportAllocs()
	for b.Loop() {
		res, err := client.Do(r)
		if err != nil || res.StatusCode != 200 {
			b.Fatal(res, err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}
