package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/units"
)

// slowClient is a client that sends size bytes in pieces, a pause before each, as long as its deadline allows.
type slowClient struct {
	http.ResponseWriter
	size, piece int
	pause       time.Duration
	deadline    time.Time
}

// SetReadDeadline implements what http.ResponseController looks for.
func (c *slowClient) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *slowClient) Read(p []byte) (int, error) {
	if c.size == 0 {
		return 0, io.EOF
	}
	if left := time.Until(c.deadline); left <= c.pause {
		time.Sleep(left)
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(c.pause)
	n := min(c.piece, c.size, len(p))
	c.size -= n
	return n, nil
}

func (c *slowClient) Close() error { return nil }

// A body is waited for no longer than idle and what its bytes take at the slowest rate, however it comes in.
func TestABodyThatDripsIsGivenUp(t *testing.T) { // PRX-42
	const byDefault = 512
	for name, c := range map[string]struct {
		client   slowClient
		rate     units.Base2Bytes
		upstream time.Duration // takes so long for each piece
		after    time.Duration // 408 by then; 0: it passes
	}{
		"a byte now and then":                          {slowClient{size: 1000, piece: 1, pause: 59 * time.Second}, byDefault, 0, 61 * time.Second},
		"a byte a second":                              {slowClient{size: 1000, piece: 1, pause: time.Second}, byDefault, 0, 61 * time.Second},
		"just too slow":                                {slowClient{size: 10 << 20, piece: 500, pause: time.Second}, byDefault, 0, 45 * time.Minute},
		"slow, and fast enough":                        {slowClient{size: 10 << 20, piece: 520, pause: time.Second}, byDefault, 0, 0},
		"a small body within idle":                     {slowClient{size: 50, piece: 1, pause: time.Second}, byDefault, 0, 0},
		"a fast one that stops for almost idle":        {slowClient{size: 1 << 20, piece: 32 << 10, pause: 59 * time.Second}, byDefault, 0, 0},
		"an upstream that takes its time":              {slowClient{size: 1 << 20, piece: 32 << 10, pause: time.Millisecond}, byDefault, time.Hour, 0},
		"no limit, for a body that is a stream itself": {slowClient{size: 1000, piece: 1, pause: 59 * time.Second}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, body := slowExchange(&c.client, c.rate)
				defer x.cancel(nil)
				began, p := time.Now(), make([]byte, 32<<10)
				var err error
				for err == nil {
					_, err = body.Read(p)
					time.Sleep(c.upstream)
				}
				x.unbound()
				took := time.Since(began)
				if passed := err == io.EOF; passed != (c.after == 0) || !passed && (!errors.Is(err, ErrBodyTimeout) || took > c.after) {
					t.Errorf("%v after %s", err, took)
				}
			})
		})
	}
}

// What a large body has earned is no negative number.
func TestTheLargestBodyAtTheSmallestRate(t *testing.T) {
	x, body := slowExchange(&slowClient{}, 1)
	defer x.cancel(nil)
	defer x.unbound()
	body.came, body.waited = 1<<40, 24*time.Hour
	if p := body.patient(); p != time.Minute {
		t.Errorf("waits for %s, want idle", p)
	}
}

// slowExchange is an exchange as Forward makes it, as far as a request's body needs one.
func slowExchange(c *slowClient, rate units.Base2Bytes) (*exchange, *requestBody) {
	route := &Route{Config: Config{Timeout: 100 * 365 * 24 * time.Hour, Idle: time.Minute, Request: RequestConfig{MinRate: rate}}}
	in := (&http.Request{}).WithContext(context.Background())
	x := &exchange{route: route, in: in, client: http.NewResponseController(c), start: time.Now()}
	x.Context, x.cancel = context.WithCancelCause(in.Context())
	x.watch = time.AfterFunc(route.Config.Timeout, func() {})
	return x, &requestBody{x: x, body: c}
}

// The same on real connections: both are free again, and the client is told.
func TestADrippingClientIsTold(t *testing.T) { // PRX-42
	gone := make(chan error, 1)
	up := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		gone <- err
	})
	g := newGateway(t, up, func(c *Config, _ *Caller) { c.Idle, c.Request.MinRate = 300*time.Millisecond, 512 })
	u, _ := url.Parse(g.URL)
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 500 // at a byte every 10 ms it would take 5 s
	fmt.Fprintf(conn, "POST /x HTTP/1.1\r\nHost: app\r\nContent-Length: %d\r\n\r\n", size)
	answer := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(conn) // a reset ends it as well
		answer <- string(b)
	}()
	drip := time.NewTicker(10 * time.Millisecond)
	defer drip.Stop()
	for range size {
		select {
		case said := <-answer:
			if !strings.HasPrefix(said, "HTTP/1.1 408") || !errors.Is(g.lastError(), ErrBodyTimeout) {
				t.Errorf("got %q, %v", said, g.lastError())
			}
			if err := <-gone; err == nil {
				t.Error("the upstream takes the body for whole")
			}
			return
		case <-drip.C:
			_, _ = io.WriteString(conn, "x") // refused once the answer is there
		}
	}
	t.Errorf("the whole body came, and then %q", <-answer)
}
