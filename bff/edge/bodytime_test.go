package edge

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// PRX-42: a client that announces a body and sends none gets its answer and loses its connection, also where no handler reads bodies.
func TestBodyThatNeverComes(t *testing.T) {
	for _, framing := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
		t.Run(framing, func(t *testing.T) {
			srv := httptest.NewServer(Chain(
				Handler(func(http.ResponseWriter, *http.Request) error { return &Problem{Code: "signed_out"} }),
				RequestID(), BodyTime(20*time.Millisecond)))
			defer srv.Close()
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: app.example\r\n"+framing+"\r\n\r\n")
			got, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 401 ") {
				t.Errorf("%v, answer %.60q", err, got)
			}
		})
	}
}

// A request without a body has no such deadline: it would end the wait for a slow answer.
func TestNoBodyHasAllTheTime(t *testing.T) {
	srv := httptest.NewServer(Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusGatewayTimeout)
		case <-time.After(50 * time.Millisecond):
		}
	}), BodyTime(10*time.Millisecond)))
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("%d", res.StatusCode)
	}
}
