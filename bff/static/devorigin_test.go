package static

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Any site can open a socket to localhost, and Vite's tells what the sources say (WS-01, V-07).
func TestTheSocketIsForPagesOfThisOriginOnly(t *testing.T) {
	up, seen := vite(t)
	front := serve(t, handler(t, Config{DevServer: up}))
	for _, origin := range [][]string{nil, {""}, {"null"}, {"https://evil.test"}, {"https://localhost:8080"}, {"http://localhost"}, {"http://localhost:8080.evil.test"},
		{"http://localhost:8080/"}, {"HTTP://LOCALHOST:8080"}, {"http://localhost:8080", "https://evil.test"}, {up}, {front}} {
		_, res, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(front, "http"), &websocket.DialOptions{HTTPHeader: http.Header{"Origin": origin}})
		if err == nil || res == nil || res.StatusCode != 403 {
			t.Errorf("%q: got %v, %v", origin, res, err)
		}
		select {
		case r := <-seen:
			t.Errorf("%q: the dev server was asked for %s", origin, r.URL)
		default:
		}
	}
}

func TestTheSocketSpeaksBothWaysAndSetsNothing(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		if own := "http://" + r.Host; r.Header.Get("Origin") != own || r.Header.Get("Cookie") != "" {
			t.Errorf("the dev server got Origin %q, want %q; Cookie %q", r.Header.Get("Origin"), own, r.Header.Get("Cookie"))
		}
		c, err := websocket.Accept(w, r, nil) // compares Origin and Host
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		kind, text, err := c.Read(r.Context())
		if err == nil {
			err = c.Write(r.Context(), kind, text)
		}
		if err != nil {
			t.Error(err)
		}
		c.Close(websocket.StatusNormalClosure, "")
	}))
	defer s.Close()
	front := serve(t, handler(t, Config{DevServer: s.URL}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(front, "http"), &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://localhost:8080"}, "Cookie": {"ticket=1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if res.Header.Get("Set-Cookie") != "" {
		t.Error("a cookie came with the handshake")
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(ctx); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTheDevServersPolicy(t *testing.T) { // HDR-05
	up, _ := vite(t)
	res := ask(handler(t, Config{DevServer: up}), "GET", "/")
	csp := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"script-src 'self' 'unsafe-inline';", "connect-src 'self' ws://localhost:8080;", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("%q lacks %s", csp, want)
		}
	}
	if got := devPolicy("https://app.test"); !strings.Contains(got, "wss://app.test;") {
		t.Error(got)
	}
	if got := res.Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := res.Header.Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("Referrer-Policy %q", got)
	}
	if got := ask(handler(t, Config{DevServer: up, CSP: "default-src 'self' cdn.test"}), "GET", "/").Header.Get("Content-Security-Policy"); got != "default-src 'self' cdn.test" {
		t.Errorf("own policy: got %q", got)
	}
}

// After a 103 ReverseProxy drops all headers that were set before, the edge's among them.
func TestEarlyHintsDoNotTakeHeadersAway(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "hello")
	}))
	defer s.Close()
	h := handler(t, Config{DevServer: s.URL})
	front := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	}))
	hints := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil }})
	r, err := http.NewRequestWithContext(ctx, "GET", front, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if hints != 1 || len(res.Header["X-Content-Type-Options"]) != 1 || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%d hints, then %v", hints, res.Header)
	}
}

func TestTheDevServerIsOnThisMachine(t *testing.T) {
	for _, url := range []string{"http://192.0.2.1:5173", "http://example.com", "ftp://localhost", "http://localhost:5173/base", "http://user@localhost:5173", "http://0.0.0.0:5173"} {
		if _, err := New(Config{DevServer: url}, Deps{Origin: "http://localhost:8080", OnError: onError}); err == nil {
			t.Errorf("%s was taken", url)
		}
	}
	if _, err := New(Config{DevServer: "http://localhost:5173"}, Deps{OnError: onError}); err == nil {
		t.Error("without an origin its socket is open to all")
	}
	// A name may come to mean another machine after the start.
	if _, err := devTransport().DialContext(t.Context(), "tcp", "192.0.2.1:80"); err == nil || !strings.Contains(err.Error(), "not on this machine") {
		t.Errorf("dialling elsewhere: %v", err)
	}
}

func TestAClientThatWentAwayIsNoFaultOfTheDevServer(t *testing.T) {
	up, _ := vite(t)
	var got error
	h, err := New(Config{DevServer: up}, Deps{Origin: "http://localhost:8080", OnError: func(_ http.ResponseWriter, _ *http.Request, err error) { got = err }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if errors.Is(got, ErrDevServer) || !errors.Is(got, context.Canceled) {
		t.Errorf("got %v", got)
	}
}
