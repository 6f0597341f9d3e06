package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Why a stream is over is told to whoever tracks it.
func TestAStreamSaysWhyItIsOver(t *testing.T) {
	upstream := func(t *testing.T, then func(w http.ResponseWriter, r *http.Request, c *websocket.Conn)) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				if c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}); err == nil {
					then(w, r, c)
				}
				return
			}
			w.Header().Set("Content-Type", eventStream)
			io.WriteString(w, "data: first\n\n")
			http.NewResponseController(w).Flush()
			then(w, r, nil)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	waits := func(_ http.ResponseWriter, r *http.Request, c *websocket.Conn) {
		if c == nil {
			<-r.Context().Done()
			return
		}
		c.Read(context.Background())
		c.CloseNow()
	}
	for _, tt := range []struct {
		name   string
		socket bool
		then   func(http.ResponseWriter, *http.Request, *websocket.Conn)
		client func(t *testing.T, body io.Closer, c *websocket.Conn)
		want   Over
	}{
		{"an event stream that the client leaves", false, waits, func(_ *testing.T, body io.Closer, _ *websocket.Conn) { body.Close() }, OverClient},
		{"an event stream that the upstream ends", false, func(http.ResponseWriter, *http.Request, *websocket.Conn) {}, nil, OverUpstream},
		{"an event stream that the upstream breaks off", false, func(http.ResponseWriter, *http.Request, *websocket.Conn) { panic(http.ErrAbortHandler) }, nil, OverFailed},
		{"an event stream whose upstream is silent", false, waits, nil, OverIdle},
		{"a socket that the client closes", true, waits, func(_ *testing.T, _ io.Closer, c *websocket.Conn) { c.Close(1000, "") }, OverClient},
		{"a socket whose client is gone", true, waits, func(_ *testing.T, _ io.Closer, c *websocket.Conn) { c.CloseNow() }, OverClient},
		{"a socket that the upstream closes", true, func(_ http.ResponseWriter, _ *http.Request, c *websocket.Conn) { c.Close(1000, "") },
			func(t *testing.T, _ io.Closer, c *websocket.Conn) { c.Read(t.Context()) }, OverUpstream},
		{"a socket whose upstream is gone", true, func(_ http.ResponseWriter, _ *http.Request, c *websocket.Conn) { c.CloseNow() },
			func(t *testing.T, _ io.Closer, c *websocket.Conn) { c.Read(t.Context()); c.CloseNow() }, OverUpstream},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newTracked()
			g := newGateway(t, upstream(t, tt.then), func(conf *Config, c *Caller) {
				c.Track = k.track
				if tt.want == OverIdle {
					conf.Idle = 100 * time.Millisecond
				}
			})
			var body io.Closer
			var c *websocket.Conn
			if tt.socket {
				var err error
				if c, _, err = dial(t, g.URL, nil); err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
			} else {
				req, _ := http.NewRequestWithContext(t.Context(), "GET", g.URL+"/x", nil)
				req.Header.Set("Accept", eventStream)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				body = res.Body
				if _, err := io.ReadFull(res.Body, make([]byte, len("data: first\n\n"))); err != nil {
					t.Fatal(err)
				}
			}
			if tt.client != nil {
				tt.client(t, body, c)
			}
			await(t, "over", k.gone)
			k.mu.Lock()
			defer k.mu.Unlock()
			if k.over != tt.want {
				t.Errorf("over by %q, want %q", k.over, tt.want)
			}
		})
	}
}
