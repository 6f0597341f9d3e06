package schema

import (
	"net/http"
	"strings"
	"testing"
)

// VAL-05: what an upstream answers is held against the description too.
func TestResponses(t *testing.T) {
	const good = `{"id":7,"product":"lamp","quantity":2}`
	for _, version := range [][]string{nil, to31} {
		docs := NewDocuments(func(string) ([]byte, error) { return []byte(text(t, version...)), nil })
		s, err := docs.Responses(Response{OpenAPI: "orders.yaml", Mode: "enforce"}, orders)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name, method, path string
			status             int
			typ, body          string
			want               string
		}{
			{"as described", "GET", "/v2/orders/7", 200, "application/json", good, "ok"},
			{"a list", "GET", "/v2/orders", 200, "application/json; charset=utf-8", "[" + good + "]", "ok"},
			{"a field that leaks", "GET", "/v2/orders/7", 200, "application/json", `{"id":7,"product":"lamp","quantity":2,"password":"x"}`, "schema"},
			{"what is write-only", "GET", "/v2/orders/7", 200, "application/json", `{"id":7,"product":"lamp","quantity":2,"secret":"x"}`, "schema"},
			{"what is read-only must be there", "GET", "/v2/orders/7", 200, "application/json", `{"product":"lamp","quantity":2}`, "schema"},
			{"in a list", "GET", "/v2/orders", 200, "application/json", `[` + good + `,{}]`, "schema"},
			{"another status", "GET", "/v2/orders/7", 500, "application/json", `{}`, "undeclared_status"},
			{"a class of statuses", "GET", "/v2/orders", 404, "application/problem+json", `{}`, "ok"},
			{"its schema", "GET", "/v2/orders", 404, "application/problem+json", `[]`, "schema"},
			{"another type", "GET", "/v2/orders/7", 200, "text/html", "<html>", "media_type"},
			{"no type", "GET", "/v2/orders/7", 200, "", good, "media_type"},
			{"a stream", "GET", "/v2/orders/7", 200, "text/event-stream", "data: x", "stream"},
			{"no JSON", "GET", "/v2/orders/7", 200, "application/json", "{", "not_json"},
			{"a key twice", "GET", "/v2/orders/7", 200, "application/json", `{"id":7,"id":8}`, "duplicate_key"},
			{"a body where none is described", "GET", "/v2/orders/mine", 200, "", "x", "body_unwanted"},
			{"with a type", "GET", "/v2/orders/mine", 200, "text/plain", "x", "media_type"},
			{"none where none is described", "GET", "/v2/orders/mine", 200, "", "", "ok"},
			{"nothing changed", "GET", "/v2/orders/7", 304, "", "", "ok"},
			{"no content", "POST", "/v2/orders", 204, "", "", "ok"},
			{"HEAD has no body", "HEAD", "/v2/orders/7", 200, "application/json", "", "ok"},
			{"any status by default", "GET", "/v2/orders/7/report.pdf", 503, "", "", "ok"},
			{"no operation", "GET", "/v2/admin", 200, "application/json", "{}", "undeclared_operation"},
		} {
			t.Run(c.name, func(t *testing.T) {
				if got := answered(s, c.method, c.path, c.status, c.typ, c.body); got != c.want {
					t.Errorf("%s %s: %d %s %s: got %s, want %s", c.method, c.path, c.status, c.typ, c.body, got, c.want)
				}
			})
		}
	}
}

// answered does what the proxy does. The length is unknown where there is a body, as it may be.
func answered(s *Responses, method, path string, status int, typ, body string) string {
	h := http.Header{}
	if typ != "" {
		h.Set("Content-Type", typ)
	}
	length := int64(-1)
	if body == "" {
		length = 0
	}
	a, r := s.Head(method, path, status, h, length)
	if a != nil {
		r = a.Body([]byte(body))
	}
	if r == nil {
		return "ok"
	}
	return r.Reason
}

func TestResponsesBySchema(t *testing.T) {
	docs := NewDocuments(func(string) ([]byte, error) { return []byte(`{"type":"object","required":["id"]}`), nil })
	s, err := docs.Responses(Response{Schema: "s.json"}, orders)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		status int
		typ    string
		body   string
		want   string
	}{
		{"as described", 200, "application/json", `{"id":1}`, "ok"},
		{"not as described", 200, "application/hal+json", `{}`, "schema"},
		{"another type", 200, "text/plain", `{"id":1}`, "media_type"},
		{"an error is not looked at", 500, "text/plain", "x", "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := answered(s, "GET", "/any", c.status, c.typ, c.body); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if r := compressed(s); r != ReasonEncoding {
		t.Errorf("a compressed answer: %s", r)
	}
}

func compressed(s *Responses) string {
	_, r := s.Head("GET", "/any", 200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, -1)
	if r == nil {
		return "ok"
	}
	return r.Reason
}

// With a schema alone bodies are judged, and nothing else.
func TestRequestsBySchema(t *testing.T) {
	q, err := compileText(t, "", `{"type":"object","required":["text"]}`, Request{Schema: "s.json"}, orders)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		asked
		want string
	}{
		{"a body that fits", asked{method: "POST", path: "/any", query: "x=1;y", body: `{"text":"a"}`}, "passes"},
		{"one that does not", asked{method: "POST", path: "/any", body: `{}`}, "Bad Request, schema; #/text: is missing"},
		{"by whatever method", asked{method: "DELETE", path: "/any", body: `{}`}, "Bad Request, schema; #/text: is missing"},
		{"no body", asked{method: "GET", path: "/any"}, "passes"},
		{"another type", asked{method: "POST", path: "/any", body: `{"text":"a"}`, header: http.Header{"Content-Type": {"text/plain"}}}, "Unsupported Media Type, media_type; header Content-Type: must be application/json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := shown(judge(q, c.asked)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Of many faults 20 are told, and none in more words than a client wants to read.
func TestFaultsAreBounded(t *testing.T) {
	q, err := compileText(t, "", `{"items":{"enum":["a"]},"additionalProperties":false}`, Request{Schema: "s.json"}, orders)
	if err != nil {
		t.Fatal(err)
	}
	many := "[" + strings.Repeat(`"b",`, 10_000) + `"c"]`
	long := `{"` + strings.Repeat("k", 5000) + `":1,"` + strings.Repeat("~/", 500) + `":1}`
	for _, body := range []string{many, long} {
		r := judge(q, asked{method: "POST", path: "/", body: body})
		if r == nil || len(r.Faults) == 0 || len(r.Faults) > 20 || len(r.Places) > 5 {
			t.Fatalf("%.40s: %v", body, r)
		}
		for _, f := range r.Faults {
			if len(f.Pointer) > 3*maxPointer || len(f.Detail) > maxDetail+len("…") {
				t.Errorf("%.40s: %d bytes of pointer, %d of detail", body, len(f.Pointer), len(f.Detail))
			}
		}
	}
}
