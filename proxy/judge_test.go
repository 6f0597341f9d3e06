package proxy

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/units"

	"cloakroom/proxy/schema"
)

const ordersAPI = `
openapi: 3.1.0
info: {title: Orders, version: "2"}
servers: [{url: /v2}]
paths:
  /orders:
    post:
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
      responses: {"200": {description: stored, content: {application/json: {schema: {type: object, properties: {uri: {type: string}}, additionalProperties: false}}}}}
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer}}
        - {name: X-Tenant, in: header, required: true, schema: {type: string}}
        - {name: X-User-Id, in: header, required: true, schema: {type: string}}
      responses: {"200": {description: all, content: {application/json: {schema: {type: object, properties: {uri: {type: string}}, additionalProperties: false}}}}}
components: {schemas: {Order: {type: object, additionalProperties: false, required: [product], properties: {product: {type: string}, note: {type: string}}}}}
`

// checks counts what Deps.ObserveCheck is told.
type checks struct {
	mu   sync.Mutex
	seen []string
}

func (c *checks) observe(rt *Route, message, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, message+" "+result)
}

func (c *checks) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.seen, ", ")
}

// judged is a gateway under /api/ with the API's description.
type judged struct {
	*gateway
	checks *checks
	log    *bytes.Buffer
}

func newJudged(t testing.TB, upstream string, change func(*Config)) judged {
	t.Helper()
	file := filepath.Join(t.TempDir(), "orders.yaml")
	if err := os.WriteFile(file, []byte(ordersAPI), 0o600); err != nil {
		t.Fatal(err)
	}
	j := judged{checks: &checks{}, log: new(bytes.Buffer)}
	deps := Deps{ObserveCheck: j.checks.observe, Log: slog.New(slog.NewTextHandler(j.log, nil))}
	j.gateway = newGatewayWith(t, Upstream{URL: upstream + "/v2"}, deps, func(c *Config, _ *Caller) {
		c.Path, c.StripPrefix = "/api/", "/api"
		c.Request.MaxBody = 4 << 10
		c.Request.OpenAPI, c.Request.MaxChecked = file, 1<<10
		c.Response.OpenAPI, c.Response.MaxChecked, c.Response.Mode = file, 1<<10, "report"
		if change != nil {
			change(c)
		}
	})
	return j
}

// refusal is what OnError got last.
func (j judged) refusal(t testing.TB) *Refusal {
	t.Helper()
	r, ok := errors.AsType[*Refusal](j.lastError())
	if !ok {
		t.Fatalf("no refusal: %v", j.lastError())
	}
	return r
}

// VAL-01, PRX-30: the bytes that were judged are the bytes that the upstream gets, with their length.
func TestJudgedBytesAreForwarded(t *testing.T) {
	e := newEcho(t)
	j := newJudged(t, e.URL, nil)
	body := "\n {\"product\" : \"l\\u0061mp\",\t\"note\":\"\u00e9 \U0001f600 \\ud83d\\ude00\"}  \r\n"
	for _, chunked := range []bool{false, true} {
		r := newRequest(t, "POST", j.URL+"/api/orders", body, "Content-Type", "application/json")
		if chunked {
			r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(body))
		}
		if res, _ := do(t, r); res.StatusCode != 200 {
			t.Fatalf("chunked %v: %d, %v", chunked, res.StatusCode, j.lastError())
		}
		got := e.request()
		if sha256.Sum256([]byte(got.Body)) != sha256.Sum256([]byte(body)) {
			t.Errorf("chunked %v: the upstream got %q, want %q", chunked, got.Body, body)
		}
		if got.Length != int64(len(body)) || got.URI != "/v2/orders" {
			t.Errorf("chunked %v: the upstream got %d bytes for %s", chunked, got.Length, got.URI)
		}
	}
	if got := j.checks.all(); got != "request ok, response ok, request ok, response ok" {
		t.Error(got)
	}
}

// VAL-01, VAL-02, VAL-03, VAL-06, PRX-30, PRX-31: what is not as described never reaches the upstream.
func TestMisdescribedRequestsStayHere(t *testing.T) {
	e := newEcho(t)
	j := newJudged(t, e.URL, nil)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(`{"product":"lamp"}`))
	z.Close()
	asJSON := []string{"Content-Type", "application/json"}
	for _, c := range []struct {
		name         string
		method, path string
		body         string
		header       []string
		status       int
		reason       string
	}{
		{"a key twice", "POST", "/api/orders", `{"product":"a","product":"b"}`, asJSON, 400, schema.ReasonDuplicateKey},
		{"two values", "POST", "/api/orders", `{"product":"a"}{"product":"b"}`, asJSON, 400, schema.ReasonNotJSON},
		{"a byte order mark", "POST", "/api/orders", "\xef\xbb\xbf" + `{"product":"a"}`, asJSON, 400, schema.ReasonNotJSON},
		{"an unknown field", "POST", "/api/orders", `{"product":"a","role":"admin"}`, asJSON, 400, schema.ReasonSchema},
		{"JSON as text", "POST", "/api/orders", `{"product":"a"}`, []string{"Content-Type", "text/plain"}, 415, schema.ReasonMediaType},
		{"another charset", "POST", "/api/orders", `{"product":"a"}`, []string{"Content-Type", "application/json; charset=utf-7"}, 415, schema.ReasonCharset},
		{"a type that does not cross", "POST", "/api/orders", `{"product":"a"}`, append([]string{"Connection", "Content-Type"}, asJSON...), 415, schema.ReasonMediaType},
		{"a header that does not cross", "GET", "/api/orders", "", []string{"X-Tenant", "a", "Connection", "X-Tenant"}, 400, schema.ReasonParameter},
		{"a compressed body", "POST", "/api/orders", zipped.String(), append([]string{"Content-Encoding", "gzip"}, asJSON...), 415, schema.ReasonEncoding},
		{"no body", "POST", "/api/orders", "", asJSON, 400, schema.ReasonBodyMissing},
		{"more than is checked", "POST", "/api/orders", `{"product":"` + strings.Repeat("a", 2000) + `"}`, asJSON, 413, schema.ReasonTooLarge},
		{"an unknown parameter", "GET", "/api/orders?admin=1", "", []string{"X-Tenant", "a"}, 400, schema.ReasonUndeclared},
		{"an unknown operation", "GET", "/api/admin", "", nil, 404, schema.ReasonOperation},
		{"an unknown method", "PUT", "/api/orders", `{"product":"a"}`, asJSON, 405, schema.ReasonMethod},
		{"OPTIONS", "OPTIONS", "/api/orders", "", nil, 405, schema.ReasonMethod},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, chunked := range []bool{false, true} {
				r := newRequest(t, c.method, j.URL+c.path, c.body, c.header...)
				if chunked {
					if c.body == "" {
						continue
					}
					r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(c.body))
				}
				res, _ := do(t, r)
				if got := j.refusal(t); res.StatusCode != c.status || got.Reason != c.reason {
					t.Errorf("chunked %v: got %d %s, want %d %s", chunked, res.StatusCode, got.Reason, c.status, c.reason)
				}
				if text := j.lastError().Error(); strings.Contains(text, "admin") || strings.Contains(text, "lamp") {
					t.Errorf("the log would show the request: %s", text)
				}
			}
		})
	}
	if e.requests() != 0 {
		t.Errorf("the upstream got %d requests", e.requests())
	}
}

// Headers that we set ourselves are not asked of the client, whatever the description says.
func TestWhatDoesNotComeFromTheClientIsNotAskedOfIt(t *testing.T) {
	j := newJudged(t, newEcho(t).URL, nil)
	if res, _ := get(t, j.URL+"/api/orders?limit=3", "X-Tenant", "a"); res.StatusCode != 200 {
		t.Errorf("got %d, %v", res.StatusCode, j.lastError())
	}
}

// max_body counts before anything is read, and max_checked while it is.
func TestJudgedBodiesAreBounded(t *testing.T) {
	e := newEcho(t)
	j := newJudged(t, e.URL, nil)
	for _, n := range []int{5 << 10, 3 << 10} {
		r := newRequest(t, "POST", j.URL+"/api/orders", strings.Repeat(" ", n), "Content-Type", "application/json")
		r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(strings.Repeat(" ", n)))
		if res, _ := do(t, r); res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%d bytes: %d", n, res.StatusCode)
		}
	}
	if e.requests() != 0 {
		t.Error("it reached the upstream")
	}
}

// A client that does not send the body that is waited for is answered as on any other route (PRX-30).
func TestJudgedBodiesHaveADeadline(t *testing.T) {
	j := newJudged(t, newEcho(t).URL, func(c *Config) { c.Idle = 50e6 })
	answer, _ := raw(t, j.URL, "POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if !strings.HasPrefix(answer, "HTTP/1.1 408 ") {
		t.Errorf("got %.100q", answer)
	}
}

func TestNoSocketsWhereRequestsAreJudged(t *testing.T) {
	e := newEcho(t)
	for name, change := range map[string]func(*Config){"requests": nil, "answers": func(c *Config) { c.Request.OpenAPI, c.Response.Mode = "", "enforce" }} {
		j := newJudged(t, e.URL, change)
		answer, closed := raw(t, j.URL, "GET /api/orders HTTP/1.1\r\nHost: x\r\nX-Tenant: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !closed || e.requests() != 0 {
			t.Errorf("%s are judged: got %.100q, closed %v, %d requests", name, answer, closed, e.requests())
		}
	}
}

// VAL-05: an answer that is not as described is counted, or refused, and nothing of it gets out.
func TestAnswersAreJudged(t *testing.T) {
	const secret = "hunter2"
	type answer struct {
		status          int
		typ, body, code string
		flush           bool
	}
	for _, c := range []struct {
		name   string
		answer answer
		result string
	}{
		{"as described", answer{status: 200, typ: "application/json", body: `{"uri":"/"}`}, "ok"},
		{"in pieces", answer{status: 200, typ: "application/json", body: `{"uri":"/"}`, flush: true}, "ok"},
		{"a field that leaks", answer{status: 200, typ: "application/json", body: `{"uri":"/","password":"` + secret + `"}`}, "schema"},
		{"another status", answer{status: 500, typ: "text/plain", body: "stack trace " + secret}, "undeclared_status"},
		{"another type", answer{status: 200, typ: "text/html", body: "<p>" + secret}, "media_type"},
		{"a stream", answer{status: 200, typ: "text/event-stream", body: "data: " + secret + "\n\n"}, "stream"},
		{"compressed", answer{status: 200, typ: "application/json", body: secret, code: "gzip"}, "content_encoding"},
		{"more than is checked", answer{status: 200, typ: "application/json", body: `{"uri":"` + strings.Repeat(secret, 300) + `"}`, flush: true}, "too_large"},
		{"no JSON", answer{status: 200, typ: "application/json", body: secret}, "not_json"},
	} {
		url := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding")+r.Header.Get("Range") != "" {
				t.Error("the upstream may compress its answer, or send a part of it")
			}
			w.Header().Set("Content-Type", c.answer.typ)
			w.Header().Set("X-Secret", secret)
			if c.answer.code != "" {
				w.Header().Set("Content-Encoding", c.answer.code)
			}
			w.WriteHeader(c.answer.status)
			half := len(c.answer.body) / 2
			io.WriteString(w, c.answer.body[:half])
			if c.answer.flush {
				w.(http.Flusher).Flush()
			}
			io.WriteString(w, c.answer.body[half:])
		})
		for _, mode := range []string{"report", "enforce"} {
			t.Run(c.name+", "+mode, func(t *testing.T) {
				j := newJudged(t, url, func(c *Config) { c.Response.Mode = mode })
				res, body := get(t, j.URL+"/api/orders", "X-Tenant", "a", "Accept-Encoding", "gzip", "Range", "bytes=0-3")
				if got, want := j.checks.all(), "request ok, response "+c.result; got != want {
					t.Errorf("counted %s, want %s", got, want)
				}
				if mode == "report" || c.result == "ok" {
					if res.StatusCode != c.answer.status || body != c.answer.body {
						t.Errorf("got %d %.100q", res.StatusCode, body)
					}
				} else if all := fmt.Sprint(res.Header, body); res.StatusCode != 502 || !errors.Is(j.lastError(), ErrUndescribed) || strings.Contains(all, secret) {
					t.Errorf("got %d %.100q, %v", res.StatusCode, all, j.lastError())
				}
				if strings.Contains(j.log.String(), secret) {
					t.Errorf("the log has the value: %s", j.log)
				}
				if reported := strings.Contains(j.log.String(), "answer is not as described"); reported != (mode == "report" && c.result != "ok") {
					t.Errorf("reported %v: %s", reported, j.log)
				}
			})
		}
	}
}

// VAL-04: a description that cannot be used stops the start; Descriptions says so by the key.
func TestDescriptionsAreJudgedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bad, good := write("bad.json", `{"$ref":"http://127.0.0.1/x"}`), write("orders.yaml", ordersAPI)
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"a schema that refers elsewhere", func(c *Config) { c.Request.Schema = bad }, "request.schema: "},
		{"of answers", func(c *Config) { c.Response.Schema = bad }, "response.schema: "},
		{"a file that is gone", func(c *Config) { c.Request.OpenAPI = filepath.Join(dir, "gone.yaml") }, "request.openapi: "},
		{"no file", func(c *Config) { c.Request.OpenAPI = dir }, "request.openapi: "},
		{"an API elsewhere", func(c *Config) { c.Request.OpenAPI, c.Upstream = good, c.Upstream+"/v3" }, "request.openapi: #/paths: none of its paths"},
		{"one that fits", func(c *Config) { c.Request.OpenAPI, c.Upstream = good, c.Upstream+"/v2" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			route := conf("/")
			route.Upstream = "http://orders:9001"
			route.Request.MaxChecked, route.Response.MaxChecked = units.MiB, units.MiB
			c.change(&route)
			table, err := Compile([]Config{route}, nil, Deps{OnError: func(http.ResponseWriter, *http.Request, error) {}}, nil)
			if table != nil {
				defer table.Close()
			}
			got := ""
			Descriptions([]Config{route}, nil, func(i int, key, problem string) { got = fmt.Sprintf("%s: %s", key, problem) })
			if (err == nil) != (c.want == "") || !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("got  %v\nand  %s\nwant %s", err, got, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// What a route asks of its upstream, in the terms of a description.
func TestAreas(t *testing.T) {
	for _, c := range []struct{ path, strip, base, want string }{
		{"/", "", "", "/"},
		{"/api/", "", "", "/api/"},
		{"/api/", "/api", "", "/"},
		{"/api/", "/api", "/v2", "/v2/"},
		{"/api/orders/{id}", "/api", "/v2", "/v2/orders/{any}"},
		{"/api/{rest...}", "/api", "/v2", "/v2/"},
		{"/api/x/{$}", "/api", "", "/x/"},
		{"/api", "/api", "/v2", "/v2"},
		{"/exact", "", "", "/exact"},
	} {
		rt := &Route{Config: Config{Path: c.path}, target: newTarget(c.base, c.strip)}
		if got := rt.area().String(); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}
