package edge_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/edge"
)

// counted serves h for real behind AccessLog and hands over each request's result.
func counted(t *testing.T, h http.HandlerFunc) (addr string, results <-chan edge.Result) {
	t.Helper()
	ch := make(chan edge.Result, 1)
	addr = serve(t, edge.Chain(h, edge.RequestID(), edge.AccessLog(slog.New(slog.DiscardHandler), func(_ *edge.Record, _ *http.Request, res edge.Result) { ch <- res })))
	return addr, ch
}

func TestCountingTakesNothingAway(t *testing.T) {
	const text = "0123456789"
	for name, h := range map[string]http.HandlerFunc{
		"write": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) },
		"text":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) },
		"copy":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader(text)) },
		"files' copy": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.(io.ReaderFrom).ReadFrom(io.LimitReader(strings.NewReader(text), 10))
		},
		"flush": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); _, _ = w.Write([]byte(text)) },
		"controller": func(w http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(w)
			if c.Flush() != nil || c.SetReadDeadline(time.Now().Add(time.Hour)) != nil || c.EnableFullDuplex() != nil {
				panic("the controller does not reach the connection")
			}
			_, _ = w.Write([]byte(text))
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, results := counted(t, h)
			res, err := http.Get("http://" + addr)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if got := <-results; err != nil || string(body) != text || got.Status != 200 || got.Bytes != 10 {
				t.Errorf("body %q (%v), counted %+v", body, err, got)
			}
		})
	}
}

// A flush reaches the client while the handler is still at work.
func TestStreamIsNotHeldBack(t *testing.T) {
	goOn := make(chan struct{})
	addr, _ := counted(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		<-goOn
	})
	res, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); line != "first\n" {
		t.Errorf("read %q, %v", line, err)
	}
	close(goOn)
}

func TestConnectionCanBeTakenOver(t *testing.T) {
	addr, results := counted(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		edge.Answer(w, r, io.ErrUnexpectedEOF) // too late for an answer, and no reason to panic
	})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if got := <-results; err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 101") || got.Status != 101 || got.Aborted {
		t.Errorf("answer %q (%v), counted %+v", answer, err, got)
	}
}
