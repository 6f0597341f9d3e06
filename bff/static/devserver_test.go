package static

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// vite is a development server, and the last request that it saw.
func vite(t *testing.T) (url string, seen <-chan *http.Request) {
	requests := make(chan *http.Request, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		if r.Header.Get("Upgrade") == "websocket" {
			if c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{"vite-hmr"}}); err == nil {
				c.Write(r.Context(), websocket.MessageText, []byte(`{"type":"connected"}`))
				c.Close(websocket.StatusNormalClosure, "")
			}
			return
		}
		for _, h := range append(hiddenByDev, "Access-Control-Allow-Origin") {
			w.Header().Set(h, "evil")
		}
		w.Header().Set("Content-Type", "text/javascript")
		io.WriteString(w, r.RequestURI)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func TestDevServerSeesNothingAboutTheUser(t *testing.T) {
	up, seen := vite(t)
	front := serve(t, handler(t, Config{DevServer: up}))
	const uri = "/src/App.vue?vue&type=style&index=0;x&lang.css&%zz"
	r, _ := http.NewRequest("GET", front+"/", nil)
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(uri, "?")
	if i := strings.IndexByte(uri, '?'); i > 0 {
		r.URL.Path, r.URL.RawQuery = uri[:i], uri[i+1:]
	}
	for _, h := range []string{"Cookie", "Authorization", "X-CSRF", "X-Forwarded-For", "X-Forwarded-User", "Forwarded"} {
		r.Header.Set(h, "__Host-Http-session=ticket")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got := <-seen
	for name, values := range got.Header {
		if strings.Contains(strings.Join(values, ""), "ticket") {
			t.Errorf("the dev server got %s", name)
		}
	}
	if got.RequestURI != uri || got.Host != strings.TrimPrefix(up, "http://") {
		t.Errorf("the dev server was asked for %s on %s", got.RequestURI, got.Host)
	}
	for name, values := range res.Header {
		if strings.Contains(strings.Join(values, ""), "evil") {
			t.Errorf("the browser got %s", name)
		}
	}
	if csp := res.Header["Content-Security-Policy"]; len(csp) != 1 || !strings.Contains(csp[0], "frame-ancestors 'none'") || !strings.Contains(csp[0], "'unsafe-inline'") {
		t.Errorf("policy: got %q", csp)
	}
}

func TestHotReloadSpeaksWebSocket(t *testing.T) {
	up, _ := vite(t)
	front := serve(t, handler(t, Config{DevServer: up}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(front, "http")+"/?token=x", &websocket.DialOptions{Subprotocols: []string{"vite-hmr"}, HTTPHeader: http.Header{"Origin": {"http://localhost:8080"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if _, b, err := c.Read(ctx); err != nil || !strings.Contains(string(b), "connected") || c.Subprotocol() != "vite-hmr" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestNoOtherUpgradeReachesTheDevServer(t *testing.T) {
	up, seen := vite(t)
	front := serve(t, handler(t, Config{DevServer: up}))
	r, _ := http.NewRequest("GET", front+"/", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "h2c")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := <-seen; got.Header.Get("Upgrade") != "" || res.StatusCode != 200 {
		t.Errorf("got %d; the dev server saw Upgrade %q", res.StatusCode, got.Header.Get("Upgrade"))
	}
}

func TestADevServerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	res := ask(handler(t, Config{DevServer: "http://" + l.Addr().String()}), "GET", "/", navigation...)
	if text := body(res); res.StatusCode != 502 || !strings.Contains(text, "start it") {
		t.Errorf("got %d %q", res.StatusCode, text)
	}
}
