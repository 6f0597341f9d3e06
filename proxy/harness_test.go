package proxy

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// gateway is a real server in front of one upstream, with one route for everything.
type gateway struct {
	*httptest.Server
	table *Table
	mu    sync.Mutex
	errs  []error
}

// statuses are what the heart answers for the sentinels.
var statuses = map[error]int{ErrUpstream: 502, ErrUpstreamTimeout: 504, ErrResponseTooLarge: 502, ErrBodyTooLarge: 413, ErrBodyTimeout: 408,
	ErrBadRequest: 400, ErrUpgradeRefused: 400, ErrLoop: 508, ErrUndescribed: 502, ErrClientGone: 499, ErrIncomplete: 403}

const token = "the-access-token"

// newGateway starts a gateway. change may alter the route and the caller; nil leaves the defaults.
func newGateway(t testing.TB, upstream string, change func(*Config, *Caller)) *gateway {
	t.Helper()
	return newGatewayTo(t, Upstream{URL: upstream}, change)
}

// newGatewayTo is newGateway in front of an upstream as `upstreams` may describe it.
func newGatewayTo(t testing.TB, up Upstream, change func(*Config, *Caller)) *gateway {
	t.Helper()
	return newGatewayWith(t, up, Deps{}, change)
}

// newGatewayWith is newGatewayTo with more of the house's parts.
func newGatewayWith(t testing.TB, up Upstream, d Deps, change func(*Config, *Caller)) *gateway {
	t.Helper()
	c := conf("/")
	c.Upstream = "up"
	caller := Caller{Bearer: token, ClientIP: netip.MustParseAddr("192.0.2.1"), Proto: "https", Host: "app.example.com", RequestID: "req-1"}
	if change != nil {
		change(&c, &caller)
	}
	g := &gateway{}
	d.Via, d.OnError = "cloakroom-1", g.onError
	table, err := Compile([]Config{c}, map[string]Upstream{"up": up}, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.table = table
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rt, allow := table.Match(r)
		if rt == nil {
			w.Header().Set("Allow", strings.Join(allow, ", "))
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		rt.Forward(w, r, caller)
	}))
	g.Config.ErrorLog = quiet
	g.Start()
	t.Cleanup(func() { g.Close(); table.Close() })
	return g
}

func (g *gateway) onError(w http.ResponseWriter, _ *http.Request, err error) {
	g.mu.Lock()
	g.errs = append(g.errs, err)
	g.mu.Unlock()
	if refusal, ok := errors.AsType[*Refusal](err); ok && !errors.Is(err, ErrUndescribed) {
		w.WriteHeader(refusal.Status)
		return
	}
	for sentinel, status := range statuses {
		if errors.Is(err, sentinel) {
			w.WriteHeader(status)
			return
		}
	}
	w.WriteHeader(http.StatusTeapot) // an error without a sentinel is a defect
}

// lastError is the last that OnError got.
func (g *gateway) lastError() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.errs) == 0 {
		return nil
	}
	return g.errs[len(g.errs)-1]
}

// seen is a request as an upstream has received it.
type seen struct {
	Method, Host, URI, Body string
	Header, Trailer         http.Header
	Length                  int64
}

// echo is an upstream that answers with what it received, and counts.
type echo struct {
	*httptest.Server
	mu    sync.Mutex
	count int
	last  seen
}

func newEcho(t testing.TB) *echo {
	e := &echo{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // an incomplete request counts for nothing
		}
		e.mu.Lock()
		e.count++
		e.last = seen{Method: r.Method, Host: r.Host, URI: r.RequestURI, Body: string(body), Header: r.Header, Trailer: r.Trailer, Length: r.ContentLength}
		e.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"uri": r.RequestURI})
	}))
	e.Config.ErrorLog = quiet
	t.Cleanup(e.Close)
	return e
}

func (e *echo) requests() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

func (e *echo) request() seen {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// upstream serves h.
func upstream(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// rawUpstream answers the nth request of each connection with the nth text, and then closes it. It counts requests.
func rawUpstream(t testing.TB, answers ...string) (url string, requests func() int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	count := 0
	serve := func(c net.Conn) {
		defer c.Close()
		br := bufio.NewReader(c)
		for _, answer := range answers {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			io.Copy(io.Discard, r.Body)
			mu.Lock()
			count++
			mu.Unlock()
			io.WriteString(c, answer)
		}
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "http://" + l.Addr().String(), func() int { mu.Lock(); defer mu.Unlock(); return count }
}

// raw sends text over a socket and reads all that comes back until the server closes, or has been silent for a moment. closed tells which.
func raw(t testing.TB, server, text string) (answer string, closed bool) {
	t.Helper()
	u, _ := url.Parse(server)
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(700 * time.Millisecond))
	b, err := io.ReadAll(c)
	var timeout net.Error
	return string(b), !(errors.As(err, &timeout) && timeout.Timeout())
}

// do sends a request and reads the answer.
func do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// client follows no redirects and adds nothing.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func newRequest(t testing.TB, method, url, body string, header ...string) *http.Request {
	t.Helper()
	var b io.Reader
	if body != "" {
		b = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, url, b)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	return r
}

func get(t testing.TB, url string, header ...string) (*http.Response, string) {
	t.Helper()
	return do(t, newRequest(t, "GET", url, "", header...))
}

// newTLSFront serves a gateway's handler with TLS and HTTP/2.
func newTLSFront(t testing.TB, g *gateway) string {
	s := httptest.NewUnstartedServer(g.Config.Handler)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}
