package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

var errOver = errors.New("over")

// tracked notes streams, and ends them.
type tracked struct {
	mu    sync.Mutex
	kinds []Kind
	ends  map[int]func(Ending)
	begun chan int // by number
	gone  chan int
	over  Over // of the last one that is gone
}

func newTracked() *tracked {
	return &tracked{ends: map[int]func(Ending){}, begun: make(chan int, 2000), gone: make(chan int, 2000)}
}

func (k *tracked) track(kind Kind, end func(Ending)) (func(Over), error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(k.kinds)
	k.kinds, k.ends[n] = append(k.kinds, kind), end
	k.begun <- n
	return func(by Over) {
		k.mu.Lock()
		k.over = by
		k.mu.Unlock()
		k.gone <- n
	}, nil
}

func (k *tracked) end(n int, code uint16) {
	k.mu.Lock()
	end := k.ends[n]
	k.mu.Unlock()
	end(Ending{Code: code, Reason: "session ended", Cause: errOver})
}

// await fails the test where nothing comes for a while.
func await[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(5 * time.Second):
		t.Fatalf("it never happened: %s", what)
	}
	return v
}

// newTrackedGateway has a gateway whose streams are tracked.
func newTrackedGateway(t testing.TB, upstream string) (*gateway, *tracked) {
	k := newTracked()
	return newGateway(t, upstream, func(_ *Config, c *Caller) { c.Track = k.track }), k
}

func TestASocketIsClosedWithTheEndsCode(t *testing.T) { // WS-06
	up, _ := newSocketEcho(t)
	g, k := newTrackedGateway(t, up)
	c, _, err := dial(t, g.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	n := await(t, "tracked", k.begun)
	if k.kinds[n] != Socket {
		t.Errorf("tracked as %s", k.kinds[n])
	}
	start := time.Now()
	k.end(n, 4401)
	_, _, err = c.Read(t.Context())
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4401 || closed.Reason != "session ended" {
		t.Errorf("the client got %v", err)
	}
	await(t, "the exchange is over", k.gone)
	if took := time.Since(start); took > lastFrame {
		t.Errorf("it took %s although everybody was awake", took)
	}
}

// newRawSocket is an upstream that agrees to a socket and then hands out its connection.
func newRawSocket(t testing.TB, most int) (url string, conns <-chan net.Conn) {
	c := make(chan net.Conn, most)
	return upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		c <- conn
	}), c
}

// openRaw is a client that has a socket open and sees every byte.
func openRaw(t testing.TB, server string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(server, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	io.WriteString(c, "GET /x HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v, %v", res, err)
	}
	return c, r
}

func TestTheEndWaitsForTheFrameUnderWayWhereverItIsSplit(t *testing.T) {
	message := append(frame(0x01, 3, false), frame(0x80, 200, false)...) // a message of two parts: between them is as good as anywhere
	first := 5
	bye := closeFrame(4401, "session ended")
	for _, split := range []int{0, 1, 2, 4, 5, 6, 7, 8, 9, 100, len(message) - 1, len(message)} {
		up, conns := newRawSocket(t, 1)
		g, k := newTrackedGateway(t, up)
		_, r := openRaw(t, g.URL)
		server := await(t, "upgraded", conns)
		server.Write(message[:split])
		got := make([]byte, split)
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatal(err)
		}
		k.end(await(t, "tracked", k.begun), 4401)
		server.Write(append(slices.Clone(message[split:]), closeFrame(1000, "the upstream's own")...))
		rest, _ := io.ReadAll(r)
		got = append(got, rest...)
		if !bytes.HasSuffix(got, bye) {
			t.Errorf("split at %d: no close frame in % x", split, rest)
			continue
		}
		if n := len(got) - len(bye); n != 0 && n != first && n != len(message) || n < split {
			t.Errorf("split at %d: %d bytes went before the close frame, which is no frame's end", split, n)
		}
		await(t, "the exchange is over", k.gone)
	}
}

func TestAFrameThatDoesNotEndIsCutOff(t *testing.T) {
	up, conns := newRawSocket(t, 1)
	g, k := newTrackedGateway(t, up)
	_, r := openRaw(t, g.URL)
	await(t, "upgraded", conns).Write(frame(0x82, 1000, false)[:100])
	io.ReadFull(r, make([]byte, 100))
	start := time.Now()
	k.end(await(t, "tracked", k.begun), 4401)
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("% x in the middle of a frame", rest)
	}
	await(t, "the exchange is over", k.gone)
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTheStrongerCodeWins(t *testing.T) {
	for _, codes := range [][]uint16{{1001, 4401}, {4401, 1001}} {
		up, conns := newRawSocket(t, 1)
		g, k := newTrackedGateway(t, up)
		_, r := openRaw(t, g.URL)
		server := await(t, "upgraded", conns)
		server.Write([]byte{0x82}) // a frame is under way, so nothing is said before it is whole
		r.ReadByte()
		n := await(t, "tracked", k.begun)
		k.end(n, codes[0])
		k.end(n, codes[1])
		server.Write([]byte{1, 'x'})
		if got, _ := io.ReadAll(r); !bytes.Equal(got, append([]byte{1, 'x'}, closeFrame(4401, "session ended")...)) {
			t.Errorf("%v: the client got % x", codes, got)
		}
	}
}

func TestAClientThatNeitherReadsNorAnswersIsCutOff(t *testing.T) {
	up, conns := newRawSocket(t, 1)
	g, k := newTrackedGateway(t, up)
	openRaw(t, g.URL)
	server := await(t, "upgraded", conns)
	server.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	for chunk := frame(0x82, 60000, false); ; {
		if _, err := server.Write(chunk); err != nil {
			break // every buffer on the way is full
		}
	}
	start := time.Now()
	k.end(await(t, "tracked", k.begun), 4401)
	await(t, "the exchange is over", k.gone)
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

// events is an upstream whose event stream goes on until its client is gone.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	io.WriteString(w, "data: 1\n\n")
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func TestAnEventStreamBreaksOffAtTheEnd(t *testing.T) { // SSE-01
	for _, accept := range []string{"text/event-stream", "*/*"} {
		g, k := newTrackedGateway(t, upstream(t, events))
		for _, url := range []string{g.URL, newTLSFront(t, g)} {
			res, err := client.Do(newRequest(t, "GET", url+"/x", "", "Accept", accept))
			if err != nil {
				t.Fatal(err)
			}
			n := await(t, "tracked", k.begun)
			if k.kinds[n] != Events {
				t.Errorf("Accept %s: tracked as %s", accept, k.kinds[n])
			}
			first := make([]byte, len("data: 1\n\n")) // the end may overtake what is still on its way
			if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "data: 1\n\n" {
				t.Errorf("Accept %s: got %q and %v", accept, first, err)
			}
			k.end(n, 4401)
			if b, err := io.ReadAll(res.Body); err == nil || len(b) > 0 {
				t.Errorf("Accept %s: got %q and %v, want it broken off", accept, b, err)
			}
			res.Body.Close()
			await(t, "the exchange is over", k.gone)
		}
	}
}

func TestAnAnswerIsTrackedOnceItIsLong(t *testing.T) {
	release := make(chan struct{})
	g, k := newTrackedGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	}))
	start := time.Now()
	done := make(chan int, 1)
	go func() { res, _ := get(t, g.URL+"/slow"); done <- res.StatusCode }()
	n := await(t, "tracked", k.begun)
	if took := time.Since(start); took < longAfter || k.kinds[n] != Answer {
		t.Errorf("tracked as %s after %s", k.kinds[n], took)
	}
	k.end(n, 4401)
	if status := await(t, "answered", done); status != http.StatusTeapot || !errors.Is(g.lastError(), ErrEnded) || !errors.Is(g.lastError(), errOver) {
		t.Errorf("%d, %v", status, g.lastError())
	}
	await(t, "the exchange is over", k.gone)
	close(release)
	get(t, g.URL+"/fast")
	if len(k.kinds) != 1 {
		t.Error("a short answer was tracked")
	}
}

func TestARefusedStreamNeverReachesTheUpstream(t *testing.T) { // WS-07
	up := newEcho(t)
	g := newGateway(t, up.URL, func(_ *Config, c *Caller) {
		c.Track = func(Kind, func(Ending)) (func(Over), error) { return nil, errOver }
	})
	if _, _, err := dial(t, g.URL, nil); err == nil {
		t.Error("the socket was opened")
	}
	get(t, g.URL+"/x", "Accept", "text/event-stream")
	if !errors.Is(g.lastError(), ErrStreamRefused) || !errors.Is(g.lastError(), errOver) || up.requests() > 0 {
		t.Errorf("%v, and %d requests at the upstream", g.lastError(), up.requests())
	}
}

// A thousand sockets are closed within a second, each with its code, and leave nothing behind.
func TestAThousandSocketsAreClosedWithinASecond(t *testing.T) {
	const many = 1000
	before := runtime.NumGoroutine()
	up, _ := newRawSocket(t, many)
	g, k := newTrackedGateway(t, up)
	closed := make(chan []byte, many)
	var wg sync.WaitGroup
	for range many {
		c, r := openRaw(t, g.URL)
		wg.Go(func() {
			b, _ := io.ReadAll(r)
			c.Close()
			closed <- b
		})
	}
	start := time.Now()
	for range many {
		k.end(await(t, "tracked", k.begun), 4401)
	}
	for range many {
		if got := await(t, "closed", closed); !bytes.Equal(got, closeFrame(4401, "session ended")) {
			t.Fatalf("closed with % x", got)
		}
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s", took)
	}
	for range many {
		await(t, "the exchange is over", k.gone)
	}
	wg.Wait()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+20; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
