package bff

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// agree sends the request to the server that runs, and compares what it does with what was said.
func agree(t *testing.T, h *house, got Explanation, req Request, cookie string) {
	t.Helper()
	before := h.upstream.count()
	res, body := h.send(req, cookie)
	hits := h.upstream.since(before)
	about := fmt.Sprintf("%s %v, body %.60q, signed in %t: explained as %s, %d %s (%v)", req.Method+" "+req.Target, req.Header, req.Body, cookie != "", got.Verdict, got.Status, got.Code, got.Steps)
	if reached := len(hits) > 0; reached != (got.Verdict == Forwarded) || !reached && got.Status != 0 && got.Status != res.StatusCode {
		t.Errorf("%s\nthe server answers %d %.200s, upstream reached: %t", about, res.StatusCode, body, reached)
		return
	}
	var problem struct{ Code string }
	if isProblem := res.Header.Get("X-Cloakroom") == "problem"; isProblem != (got.Verdict == Refused) && got.Verdict != Endpoint && got.Verdict != App {
		t.Errorf("%s\nthe server answers %d, a problem of its own: %t", about, res.StatusCode, isProblem)
	}
	if res.Header.Get("Content-Type") == "application/problem+json" && got.Verdict == Refused && req.Method != http.MethodHead {
		if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Code != got.Code {
			t.Errorf("%s\nthe server says %s (%v)", about, body, err)
		}
	}
	if allowed := res.Header.Get("Access-Control-Allow-Methods") != ""; got.Verdict == Preflight && allowed != strings.Contains(got.Steps[len(got.Steps)-1].Reason, "the browser may send") {
		t.Errorf("%s\nthe server allows it: %t", about, allowed)
	}
	switch {
	case got.Verdict != Forwarded:
	case got.Legs == nil:
		sameRequest(t, h, about, ExplainedLeg{got.Upstream, got.Headers}, got.Method, hits[0])
	default:
		sameLegs(t, h, about, got, hits)
	}
}

// send is the request as a client sends it, byte by byte.
func (h *house) send(req Request, cookie string) (*http.Response, string) {
	h.t.Helper()
	header := maps.Clone(req.Header)
	host := strings.TrimPrefix(h.origin, "http://")
	if len(header["Host"]) > 0 {
		host = header.Get("Host")
	}
	header["Host"] = []string{host}
	if len(header["Connection"]) == 0 {
		header["Connection"] = []string{"close"}
	}
	if cookie != "" {
		header["Cookie"] = append(slices.Clone(header["Cookie"]), cookie)
	}
	if len(req.Body) > 0 {
		header["Content-Length"] = []string{fmt.Sprint(len(req.Body))}
	}
	var raw strings.Builder
	raw.WriteString(req.Method + " " + req.Target + " HTTP/1.1\r\n")
	if err := header.Write(&raw); err != nil {
		h.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(h.origin, "http://"), "localhost", "127.0.0.1", 1))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, raw.String()+"\r\n"+string(req.Body))
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: req.Method})
	if err != nil {
		h.t.Fatalf("%s: %v", raw.String(), err)
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res, string(body)
}

// since are the requests that came after the first n.
func (e *echo) since(n int) []*http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.hits[n:])
}

// sameLegs finds the request of each leg.
func sameLegs(t *testing.T, h *house, about string, got Explanation, hits []*http.Request) {
	t.Helper()
	if len(hits) != len(got.Legs) {
		t.Errorf("%s\n%d legs are explained, %d requests came", about, len(got.Legs), len(hits))
	}
	for name, leg := range got.Legs {
		i := slices.IndexFunc(hits, func(r *http.Request) bool { return h.upstream.URL+r.URL.RequestURI() == leg.Upstream })
		if i < 0 {
			t.Errorf("%s\nleg %s never went to %s", about, name, leg.Upstream)
			continue
		}
		sameRequest(t, h, about+", leg "+name, leg, got.Method, hits[i])
	}
}

// sameRequest compares what went to the upstream with what was said.
func sameRequest(t *testing.T, h *house, about string, said ExplainedLeg, method string, r *http.Request) {
	t.Helper()
	if want := h.upstream.URL + r.URL.RequestURI(); said.Upstream != want || method != r.Method {
		t.Errorf("%s\nis said to go to %s %s, and goes to %s %s", about, method, said.Upstream, r.Method, want)
	}
	changing := []string{"Authorization", "X-Forwarded-For", "Forwarded", "X-Request-Id", "X-Identity", "X-Key"}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if len(said.Headers[name]) == 0 && name != "Content-Length" { // which says how, not what
			t.Errorf("%s\nthe upstream gets %s, which is not explained", about, name)
		}
	}
	for name, values := range said.Headers {
		if len(r.Header[name]) == 0 || !slices.Contains(changing, name) && !slices.Equal(values, r.Header[name]) {
			t.Errorf("%s\n%s is explained as %q, the upstream gets %q", about, name, values, r.Header[name])
		}
	}
}
