package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestBrokenFramingOfARequestEndsHere(t *testing.T) { // PRX-04 PRX-05 PRX-06 PRX-08 PRX-09 PRX-15
	const post, chunked = "POST /x HTTP/1.1\r\nHost: app\r\n", "POST /x HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n"
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	for name, text := range map[string]string{
		"two lengths":                post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"length list":                post + "Content-Length: 5, 6\r\n\r\nhello",
		"length with a sign":         post + "Content-Length: +5\r\n\r\nhello",
		"negative length":            post + "Content-Length: -1\r\n\r\n",
		"hexadecimal length":         post + "Content-Length: 0x5\r\n\r\nhello",
		"huge length":                post + "Content-Length: 99999999999999999999\r\n\r\n",
		"identity":                   post + "Transfer-Encoding: identity\r\n\r\n",
		"chunked not last":           post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
		"xchunked":                   post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"space before the colon":     post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"tab before the name":        post + "\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"CR in a value":              post + "X-A: a\rb\r\n\r\n",
		"NUL in a value":             post + "X-A: a\x00b\r\n\r\n",
		"NUL in a name":              post + "X-\x00A: b\r\n\r\n",
		"DEL in a name":              post + "X-\x7fA: b\r\n\r\n",
		"chunk size ended by LF":     chunked + "2\nok\r\n0\r\n\r\n",
		"LF in a chunk extension":    chunked + "2;a=\nb\r\nok\r\n0\r\n\r\n",
		"chunk size of 20 digits":    chunked + "00000000000000000002\r\nok\r\n0\r\n\r\n",
		"chunk size that is no size": chunked + "zz\r\nok\r\n0\r\n\r\n",
		"no Host":                    "GET /x HTTP/1.1\r\n\r\n",
		"two Hosts":                  "GET /x HTTP/1.1\r\nHost: app\r\nHost: b\r\n\r\n",
		"Host with a space":          "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
		"Expect nobody knows":        post + "Expect: foo\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			before := up.requests()
			answer, closed := raw(t, g.URL, text)
			if !strings.HasPrefix(answer, "HTTP/1.1 4") && !strings.HasPrefix(answer, "HTTP/1.1 501") {
				t.Errorf("got %q, want 4xx or 501", answer)
			}
			if !closed && name != "Expect nobody knows" {
				t.Error("the connection stays open")
			}
			if up.requests() != before {
				t.Errorf("the upstream got %+v", up.request())
			}
		})
	}
}

func TestFoldedFieldsBecomeOneLine(t *testing.T) { // PRX-07
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	raw(t, g.URL, "GET /x HTTP/1.1\r\nHost: app\r\nConnection: close\r\nX-A: one\r\n two\r\n\r\n")
	if got := up.request().Header["X-A"]; len(got) != 1 || got[0] != "one two" {
		t.Errorf("got %q", got)
	}
}

func TestExpectIsAnsweredHere(t *testing.T) { // PRX-15
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	answer, _ := raw(t, g.URL, "POST /x HTTP/1.1\r\nHost: app\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok")
	if got := up.request(); !strings.HasPrefix(answer, "HTTP/1.1 100") || got.Body != "ok" || got.Header["Expect"] != nil {
		t.Errorf("answer %q, upstream got %+v", answer, got)
	}
}

func TestRequestTrailersAreDropped(t *testing.T) { // PRX-16
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	raw(t, g.URL, "POST /x HTTP/1.1\r\nHost: app\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization, X-T\r\n\r\n2\r\nok\r\n0\r\nAuthorization: evil\r\nX-T: 1\r\n\r\n")
	got := up.request()
	if got.Body != "ok" || len(got.Trailer) > 0 || got.Header["Trailer"] != nil {
		t.Errorf("upstream got %+v", got)
	}
}

func TestBodiesThatAreTooLarge(t *testing.T) { // PRX-30
	up := newEcho(t)
	g := newGateway(t, up.URL, func(c *Config, _ *Caller) { c.Request.MaxBody = 100_000 })
	for name, body := range map[string]io.Reader{
		"announced": strings.NewReader(strings.Repeat("x", 100_001)),
		"in chunks": io.MultiReader(strings.NewReader(strings.Repeat("x", 100_001))),
	} {
		res, err := client.Post(g.URL+"/x", "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 413 || up.requests() != 0 {
			t.Errorf("%s: got %d, upstream has %d requests", name, res.StatusCode, up.requests())
		}
	}
	for name, body := range map[string]io.Reader{
		"just fits, announced": strings.NewReader(strings.Repeat("x", 100_000)),
		"just fits, in chunks": io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000))),
	} {
		res, err := client.Post(g.URL+"/x", "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 || len(up.request().Body) != 100_000 {
			t.Errorf("%s: got %d", name, res.StatusCode)
		}
	}
}

func TestAnswersThatAreTooLarge(t *testing.T) {
	for name, chunked := range map[string]bool{"announced: 502": false, "not announced: cut off": true} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
				if chunked {
					w.(http.Flusher).Flush()
				} else {
					w.Header().Set("Content-Length", "1000")
				}
				io.WriteString(w, strings.Repeat("x", 1000))
			}), func(c *Config, _ *Caller) { c.Response.MaxBody = 999 })
			res, err := client.Get(g.URL + "/x")
			if err != nil && chunked {
				return // cut off before the headers were flushed: as good
			}
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			_, err = io.ReadAll(res.Body)
			if chunked && err == nil || !chunked && (res.StatusCode != 502 || !errors.Is(g.lastError(), ErrResponseTooLarge)) {
				t.Errorf("got %d, %v", res.StatusCode, err)
			}
		})
	}
}

func TestPatience(t *testing.T) {
	release := make(chan struct{})
	slow := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent" {
			<-release
			return
		}
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the upstream closes, which waits for its handlers
	quick := func(c *Config, _ *Caller) { c.Timeout, c.Idle = 50*time.Millisecond, 50*time.Millisecond }
	g := newGateway(t, slow, quick)
	t.Run("no headers in time: 504", func(t *testing.T) {
		if res, _ := get(t, g.URL+"/silent"); res.StatusCode != 504 || !errors.Is(g.lastError(), ErrUpstreamTimeout) {
			t.Errorf("got %d, %v", res.StatusCode, g.lastError())
		}
	})
	t.Run("silence inside a body breaks it off (PRX-45)", func(t *testing.T) {
		res, err := client.Get(g.URL + "/stalls")
		if err != nil {
			return // broken off before the headers were flushed: as good
		}
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("got %q as a complete answer", b)
		}
	})
	t.Run("a client that stops sending: 408", func(t *testing.T) {
		answer, closed := raw(t, g.URL, "POST /silent HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\nx")
		if !strings.HasPrefix(answer, "HTTP/1.1 408") || !closed {
			t.Errorf("got %q, closed %v", answer, closed)
		}
	})
	t.Run("a connection is none the worse for a deadline that was met", func(t *testing.T) {
		up := newEcho(t)
		g := newGateway(t, up.URL, quick)
		u, _ := url.Parse(g.URL)
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		br := bufio.NewReader(c)
		timer := time.NewTicker(120 * time.Millisecond) // longer than idle: that time must pass is the point
		defer timer.Stop()
		for range 3 {
			io.WriteString(c, "POST /x HTTP/1.1\r\nHost: app\r\nContent-Length: 2\r\n\r\nok")
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			<-timer.C
		}
	})
}

func TestAnUpstreamThatFails(t *testing.T) {
	t.Run("POST is sent once (PRX-43)", func(t *testing.T) {
		up, count := rawUpstream(t, "")
		g := newGateway(t, up, nil)
		res, _ := do(t, newRequest(t, "POST", g.URL+"/x", "body"))
		if res.StatusCode != 502 || count() != 1 {
			t.Errorf("got %d after %d requests", res.StatusCode, count())
		}
	})
	t.Run("a body that ends early is never a complete answer (PRX-45)", func(t *testing.T) {
		for _, answer := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"} {
			up, _ := rawUpstream(t, answer)
			res, err := client.Get(newGateway(t, up, nil).URL + "/x")
			if err != nil {
				continue // broken off before the first byte: as good
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err == nil {
				t.Errorf("got %q as a complete answer", b)
			}
		}
	})
	t.Run("nobody there: 502, and the answer does not say where", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		g := newGateway(t, "http://"+addr, nil)
		res, body := get(t, g.URL+"/x")
		if res.StatusCode != 502 || strings.Contains(fmt.Sprint(res.Header, body), addr) {
			t.Errorf("got %d, %v, %q", res.StatusCode, res.Header, body)
		}
		if err := g.lastError(); !errors.Is(err, ErrUpstream) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("the log gets %v", err)
		}
	})
	t.Run("a certificate that nobody vouches for: 502 (PRX-44)", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = quiet
		s.StartTLS()
		t.Cleanup(s.Close)
		g := newGateway(t, s.URL, nil)
		if res, _ := get(t, g.URL+"/x"); res.StatusCode != 502 || !strings.Contains(g.lastError().Error(), "certificate") {
			t.Errorf("got %d, %v", res.StatusCode, g.lastError())
		}
	})
	t.Run("what the upstream wrote is not in the error", func(t *testing.T) {
		up, _ := rawUpstream(t, "HTTP/9.9 secret-in-the-answer\r\nX\r\n\r\n")
		g := newGateway(t, up, nil)
		get(t, g.URL+"/x")
		if err := g.lastError(); !errors.Is(err, ErrUpstream) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAClientThatGoesAwayEndsTheUpstreamsWork(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan struct{})
	g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(ended)
	}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	r, _ := http.NewRequestWithContext(ctx, "GET", g.URL+"/x", nil)
	if _, err := client.Do(r); err == nil {
		t.Fatal("got an answer")
	}
	<-ended
}

func TestEventsComeAtOnce(t *testing.T) { // SSE-01
	for _, length := range []bool{false, true} { // with a length or without, nothing waits for a full buffer
		next := make(chan struct{})
		g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			if length {
				w.Header().Set("Content-Length", "20")
			}
			for i := range 2 {
				fmt.Fprintf(w, "data: %d\n\n\n", i)
				w.(http.Flusher).Flush()
				<-next
			}
		}), nil)
		res, err := client.Get(g.URL + "/x")
		if err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(res.Body)
		for i := range 2 {
			start := time.Now()
			line, err := br.ReadString('\n') // hangs, and times out, if the event waits for the next
			if want := fmt.Sprintf("data: %d\n", i); err != nil || line != want || time.Since(start) > time.Second {
				t.Errorf("got %q, %v after %v", line, err, time.Since(start))
			}
			br.ReadString('\n')
			br.ReadString('\n')
			next <- struct{}{}
		}
		if cc := res.Header.Get("Cache-Control"); cc != "no-store" {
			t.Errorf("Cache-Control %q", cc)
		}
		res.Body.Close()
	}
}

func TestRenewal(t *testing.T) {
	for _, c := range []struct {
		name, method, body string
		chunked, refuse    bool
		status             int
		attempts, renewals int32
	}{
		{"GET is repeated once with the new token", "GET", "", false, false, 200, 2, 1},
		{"small POST is repeated with its body", "POST", "small", false, false, 200, 2, 1},
		{"large POST is not", "POST", strings.Repeat("x", maxReplay+1), false, false, 401, 1, 0},
		{"body of unknown length is not", "POST", "small", true, false, 401, 1, 0},
		{"without a new token the 401 stands", "GET", "", false, true, 401, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var attempts, renewals atomic.Int32
			g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
				attempts.Add(1)
				b, _ := io.ReadAll(r.Body)
				if r.Header.Get("Authorization") != "Bearer new" {
					w.WriteHeader(401)
				} else if string(b) != c.body {
					w.WriteHeader(400)
				}
			}), func(_ *Config, caller *Caller) {
				caller.Renew = func(context.Context) (string, bool) { renewals.Add(1); return "new", !c.refuse }
			})
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			if c.chunked {
				body = io.MultiReader(body)
			}
			r, _ := http.NewRequest(c.method, g.URL+"/x", body)
			res, _ := do(t, r)
			if res.StatusCode != c.status || attempts.Load() != c.attempts || renewals.Load() != c.renewals {
				t.Errorf("got %d after %d attempts and %d renewals", res.StatusCode, attempts.Load(), renewals.Load())
			}
		})
	}
	t.Run("the second answer stands, also if it is 401", func(t *testing.T) {
		var attempts atomic.Int32
		g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) { attempts.Add(1); w.WriteHeader(401) }), func(_ *Config, caller *Caller) {
			caller.Renew = func(context.Context) (string, bool) { return "new", true }
		})
		if res, _ := get(t, g.URL+"/x"); res.StatusCode != 401 || attempts.Load() != 2 {
			t.Errorf("got %d after %d attempts", res.StatusCode, attempts.Load())
		}
	})
}

func TestTraceAndConnectStayHere(t *testing.T) { // PRX-13
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	for _, head := range []string{"TRACE /x HTTP/1.1", "trace /x HTTP/1.1", "TRACK /x HTTP/1.1", "CONNECT /x HTTP/1.1", "CONNECT app:443 HTTP/1.1"} {
		answer, _ := raw(t, g.URL, head+"\r\nHost: app:443\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 405") && !strings.HasPrefix(answer, "HTTP/1.1 400") {
			t.Errorf("%s: got %q", head, answer)
		}
	}
	if up.requests() > 0 {
		t.Errorf("upstream got %+v", up.request())
	}
}
