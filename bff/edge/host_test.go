package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/edge"
)

func TestParseOriginWritesItAsBrowsersDo(t *testing.T) {
	for in, want := range map[string]string{
		"https://app.example.com":      "https://app.example.com",
		"https://app.example.com/":     "https://app.example.com",
		"HTTPS://App.Example.COM:443":  "https://app.example.com",
		"https://app.example.com:0443": "https://app.example.com",
		"https://app.example.com:8443": "https://app.example.com:8443",
		"http://localhost:8080":        "http://localhost:8080",
		"http://localhost:80":          "http://localhost",
		"http://127.0.0.1:80":          "http://127.0.0.1",
		"https://[2001:DB8:0::1]":      "https://[2001:db8::1]",
		"https://[::1]:8443":           "https://[::1]:8443",
		"https://my_app.example":       "https://my_app.example",
	} {
		if o, err := edge.ParseOrigin(in); err != nil || o.String() != want {
			t.Errorf("ParseOrigin(%q) = %q, %v; want %q", in, o, err, want)
		}
	}
}

func TestParseOriginRefusesWhatIsNoOrigin(t *testing.T) {
	for _, in := range []string{
		"", "app.example.com", "//app.example.com", "ftp://app.example.com", "https:app.example.com", "https://", "https://app.example.com/x",
		"https://app.example.com?x", "https://app.example.com?", "https://app.example.com#x", "https://u:p@app.example.com", "https://app.example.com:0",
		"https://app.example.com:65536", "https://app.example.com:x", "https://app..example.com", "https://app.example.com.", "https://bücher.example",
		"https://app example.com", "https://*.example.com", "https://[fe80::1%25eth0]", "https://" + strings.Repeat("a", 64), "https://app.example.com\\x", "https://a,b",
	} {
		if o, err := edge.ParseOrigin(in); err == nil {
			t.Errorf("ParseOrigin(%q) = %q, want an error", in, o)
		}
	}
	if _, err := edge.ParseOrigin("https://user:hunter2@app.example.com:x/"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password, or there is none: %v", err)
	}
}

// serve runs h on a real server without net/http's own answer to OPTIONS *.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.DisableGeneralOptionsHandler = true
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// raw sends bytes and returns the answers' statuses until the server closes the connection, or until n are there.
func raw(t *testing.T, addr, request string, n int) (statuses []int, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for range n {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses, true
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return statuses, true
		}
		statuses = append(statuses, res.StatusCode)
	}
	return statuses, false
}

// PRX-28
func TestForeignNamesAreMisdirected(t *testing.T) {
	addr := serve(t, edge.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "app.example.com" || r.URL.Host != "" || r.URL.Scheme != "" || !strings.HasPrefix(r.RequestURI, "/") {
			t.Errorf("handler saw Host %q, URL %q, RequestURI %q", r.Host, r.URL, r.RequestURI)
		}
		fmt.Fprint(w, "ok")
	}), edge.RequestID(), edge.Host(own), edge.CanonicalPath()))
	for _, tt := range []struct {
		name, line, host string
		want             int
	}{
		{"own name", "GET /x", "app.example.com", 200},
		{"own name in capitals", "GET /x", "APP.Example.com", 200},
		{"own name with the default port", "GET /x", "app.example.com:443", 200},
		{"own name with an empty port", "GET /x", "app.example.com:", 200},
		{"http's default port", "GET /x", "app.example.com:80", 421},
		{"another port", "GET /x", "app.example.com:8443", 421},
		{"another name", "GET /x", "evil.example", 421},
		{"a longer name", "GET /x", "app.example.com.evil.example", 421},
		{"a final dot", "GET /x", "app.example.com.", 421},
		{"empty", "GET /x", "", 421},
		{"two names", "GET /x", "app.example.com\r\nHost: evil.example", 400},
		{"absolute target with our name", "GET https://app.example.com/x", "evil.example", 200},
		{"absolute target without a path", "GET https://app.example.com", "app.example.com", 200},
		{"absolute target with another name", "GET https://evil.example/x", "app.example.com", 421},
		{"absolute target with another scheme", "GET http://app.example.com/x", "app.example.com", 421},
		{"absolute target with a user", "GET https://u@app.example.com/x", "app.example.com", 421},
		{"a path that looks like a target", "GET //evil.example/x", "app.example.com", 400},
		{"no path", "OPTIONS *", "app.example.com", 400},
		{"tunnel", "CONNECT evil.example:443", "evil.example:443", 421},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := raw(t, addr, tt.line+" HTTP/1.1\r\nHost: "+tt.host+"\r\n\r\n", 1)
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("%s with Host %q: status %v, want %d", tt.line, tt.host, got, tt.want)
			}
		})
	}
}

// PRX-03
func TestRequestAfterAnAmbiguousOneIsNotAnswered(t *testing.T) {
	served := make(chan string, 2)
	addr := serve(t, edge.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		served <- r.URL.Path
	}), edge.CloseChunked()))
	const next = "GET /admin/ HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, tt := range []struct {
		name, first string
		answers     int
	}{
		{"both lengths", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1},
		{"both lengths, the other way around", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 1},
		{"chunked alone", "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1},
		{"a length alone keeps the connection", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			statuses, closed := raw(t, addr, tt.first+next, 2)
			n := len(served)
			for range n {
				<-served
			}
			if len(statuses) != tt.answers || closed != (tt.answers == 1) || n != tt.answers {
				t.Errorf("answers %v, closed %v, handler served %d; want %d", statuses, closed, n, tt.answers)
			}
		})
	}
}

// PRX-13
func TestTraceAndConnectAreRefused(t *testing.T) {
	addr := serve(t, edge.Chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("handler reached") }),
		edge.RequestID(), edge.Methods()))
	for _, line := range []string{"TRACE /x", "CONNECT /x", "CONNECT evil.example:443"} {
		if got, _ := raw(t, addr, line+" HTTP/1.1\r\nHost: app.example.com\r\n\r\n", 1); len(got) != 1 || got[0] != 405 {
			t.Errorf("%s: status %v, want 405", line, got)
		}
	}
}
