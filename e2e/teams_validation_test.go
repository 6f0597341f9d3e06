package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/up"
)

// checkedFiles are of a team whose APIs have descriptions: one of each version of OpenAPI, and a schema, in folders beside its file and above it.
func checkedFiles() map[string]string {
	return map[string]string{
		"teams/checked.yaml": `defaults: {upstream: checkedapi, strip_prefix: /c}
upstreams:
  checkedapi: {url: "${env:ECHO_URL}/v2"}
routes:
  - {path: /c/orders/, request: {openapi: apis/orders.yaml}}
  - {path: /c/ledger/, request: {openapi: ../apis/ledger.json}}
  - {path: /c/notes, methods: [POST, PUT], request: {schema: apis/note.json}}
  - {path: /c/watched/, response: {openapi: apis/answers.yaml}}
  - {path: /c/guarded/, response: {openapi: apis/answers.yaml, mode: enforce}}
`,
		"teams/apis/orders.yaml": `openapi: 3.1.0
info: {title: Orders, version: "2.0"}
servers: [{url: https://orders.example.com/v2}]
paths:
  /orders/:
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
        - {name: X-Page, in: header, schema: {type: integer}}
      responses: {"200": {description: the newest}}
    post:
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}
      responses: {"201": {description: stored}}
  /orders/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer, minimum: 1}}]
      responses: {"200": {description: one}}
components:
  schemas:
    Order:
      type: object
      additionalProperties: false
      required: [product, quantity]
      properties:
        id: {type: integer, readOnly: true}
        product: {type: string, maxLength: 40}
        quantity: {type: integer, minimum: 1, maximum: 100}
        note: {type: [string, "null"]}
        price: {type: number}
`,
		"apis/ledger.json": `{"openapi": "3.0.3", "info": {"title": "Ledger", "version": "1"}, "servers": [{"url": "/v2"}],
 "paths": {"/ledger/entries": {"post": {"requestBody": {"required": true, "content": {"application/json": {"schema": {
   "type": "object", "required": ["amount"], "additionalProperties": false, "properties": {
     "amount": {"type": "number", "minimum": 0, "exclusiveMinimum": true}, "memo": {"type": "string", "nullable": true}}}}}},
   "responses": {"200": {"description": "stored"}}}}}}
`,
		"teams/apis/note.json": `{"type": "object", "additionalProperties": false, "required": ["text"], "properties": {"text": {"type": "string", "maxLength": 20}}}`,
		"teams/apis/answers.yaml": `openapi: 3.0.3
info: {title: Answers, version: "1"}
servers: [{url: /v2}]
paths:
  /guarded/json: {get: {responses: {"200": {$ref: "#/components/responses/Whole"}}}}
  /guarded/leak/json: {get: {responses: {"200": {$ref: "#/components/responses/Part"}}}}
  /guarded/status/503: {get: {responses: {"200": {$ref: "#/components/responses/Whole"}}}}
  /watched/leak/json: {get: {responses: {"200": {$ref: "#/components/responses/Part"}}}}
components:
  responses:
    Whole: {description: whole, content: {application/json: {schema: {type: object, properties: {items: {type: array, items: {type: object, properties: {id: {type: integer}, total: {type: string}}}}}}}}}
    Part: {description: part, content: {application/json: {schema: {type: object, properties: {items: {type: array, items: {type: object, additionalProperties: false, properties: {id: {type: integer}}}}}}}}}
`,
	}
}

// found are the errors of a problem: pointer or parameter, and detail.
func (s *story) found(a *browse.Answer) map[string]string {
	s.Helper()
	var problem struct {
		Errors []struct {
			Pointer, Detail string
			Parameter       struct{ In, Name string }
		}
	}
	s.check(json.Unmarshal([]byte(a.Body), &problem))
	found := make(map[string]string)
	for _, e := range problem.Errors {
		where := e.Pointer
		if e.Parameter.Name != "" {
			where = e.Parameter.In + " " + e.Parameter.Name
		}
		found[where] = e.Detail
	}
	return found
}

// post sends a body of a type and demands a status.
func (s *story) post(b *browse.Browser, path, kind, body string, status int, header ...string) *browse.Answer {
	s.Helper()
	a, err := b.Fetch(s.ctx, "POST", path, body, append(header, "Content-Type: "+kind)...)
	s.check(err)
	if a.Status != status {
		s.Fatalf("POST %s %s: %d, want %d\n%s", path, body, a.Status, status, s.brief(a))
	}
	return a
}

// VAL-01, VAL-02, VAL-03, VAL-06: what is not as described never reaches the upstream, and the problem names each field.
func TestWhatIsNotDescribedDoesNotReachTheUpstream(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("vera")
	const wild = "?wild"
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		where              []string
	}{
		"a field too much, one too large, one missing": {"POST", "/c/orders/", `{"quantity":500,"role":"admin"}`, nil, 400, []string{"#/product", "#/quantity", "#/role"}},
		"what is for answers only":                     {"POST", "/c/orders/", `{"id":7,"product":"wild","quantity":1}`, nil, 400, []string{"#/id"}},
		"a key twice":                                  {"POST", "/c/orders/", `{"product":"wild","quantity":1,"quantity":2}`, nil, 400, nil},
		"a key twice, once in disguise":                {"POST", "/c/orders/", `{"product":"wild","quantity":1,"quantit\u0079":2}`, nil, 400, nil},
		"two values":                                   {"POST", "/c/orders/", `{"product":"wild","quantity":1} {}`, nil, 400, nil},
		"no body":                                      {"POST", "/c/orders/", "", []string{"Content-Type: application/json"}, 400, nil},
		"another type":                                 {"POST", "/c/orders/", `{"product":"wild","quantity":1}`, []string{"Content-Type: text/plain"}, 415, nil},
		"another charset":                              {"POST", "/c/orders/", `{"product":"wild","quantity":1}`, []string{"Content-Type: application/json; charset=utf-7"}, 415, nil},
		"a compressed body":                            {"POST", "/c/orders/", "wild", []string{"Content-Encoding: gzip"}, 415, nil},
		"no type":                                      {"POST", "/c/orders/", `{"product":"wild","quantity":1}`, []string{"Content-Type: "}, 415, nil},
		"a parameter too large":                        {"GET", "/c/orders/?limit=500", "", nil, 400, []string{"query limit"}},
		"a parameter that is none":                     {"GET", "/c/orders/?wild=1", "", nil, 400, []string{"query wild"}},
		"a parameter twice":                            {"GET", "/c/orders/?limit=5&limit=500", "", nil, 400, []string{"query limit"}},
		"a parameter behind a semicolon":               {"GET", "/c/orders/?limit=5;limit=500", "", nil, 400, nil},
		"a number in another form":                     {"GET", "/c/orders/?limit=+7", "", nil, 400, []string{"query limit"}},
		"a header of another type":                     {"GET", "/c/orders/" + wild, "", []string{"X-Page: one"}, 400, nil},
		"a path parameter of another type":             {"GET", "/c/orders/seven", "", nil, 400, []string{"path id"}},
		"an operation that is not there":               {"GET", "/c/orders/7/items", "", nil, 404, nil},
		"a method that is not there":                   {"DELETE", "/c/orders/7", "", nil, 405, nil},
		"3.0: a limit that is excluded":                {"POST", "/c/ledger/entries", `{"amount":0}`, nil, 400, []string{"#/amount"}},
		"3.0: a query that nobody declared":            {"POST", "/c/ledger/entries?wild=1", `{"amount":1}`, nil, 400, []string{"query wild"}},
		"a schema: a field too long":                   {"POST", "/c/notes", `{"text":"123456789012345678901"}`, nil, 400, []string{"#/text"}},
		"a schema: a deep bomb":                        {"POST", "/c/notes", strings.Repeat("[", 1<<16), nil, 400, nil},
		"a schema: too much to hold":                   {"POST", "/c/notes", `{"text":"` + strings.Repeat("a", 2<<20) + `"}`, nil, 413, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := b.Fetch(s.ctx, c.method, c.path, c.body, c.header...)
			if err != nil {
				t.Fatal(err)
			}
			if a.Status != c.status || a.Header.Get("X-Cloakroom") != "problem" {
				t.Fatalf("%d, want %d\n%s", a.Status, c.status, s.brief(a))
			}
			found := s.found(a)
			if where := slices.Sorted(maps.Keys(found)); c.where != nil && !slices.Equal(where, c.where) {
				t.Errorf("it names %v, want %v\n%s", where, c.where, a.Body)
			}
			for where, detail := range found {
				if detail == "" {
					t.Errorf("nothing is said of %s", where)
				}
			}
		})
	}
	for _, r := range s.echo.Seen() {
		if strings.HasPrefix(r.Target, "/v2/orders") && strings.Contains(r.Target+r.Body, "wild") || strings.HasPrefix(r.Target, "/v2/notes") && len(r.Body) > 40 {
			t.Errorf("the upstream got %s %s %.80s", r.Method, r.Target, r.Body)
		}
	}
}

// VAL-01: the bytes that were judged are the bytes that arrive, with their length: blanks, escapes, spellings of numbers and the order of keys.
func TestTheBytesThatWereJudgedArrive(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("walter")
	for path, bodies := range map[string][]string{
		"/c/orders/": {
			"\r\n{ \"quantity\" :\t7 , \"product\":\"caf\\u00e9 \\ud83d\\ude00 \\/ <&>\" ,\"price\":1.50e0,\"note\":null}\n\n",
			`{"product":"é😀","quantity":10e0,"price":-0.0}`,
		},
		"/c/ledger/entries": {`{"memo":null,  "amount":0.10}`},
		"/c/notes":          {`{"text":"\u0061\tb"} `},
	} {
		for _, body := range bodies {
			s.post(b, path, "application/json", body, 200)
			same := func(r up.Request) bool {
				return r.Body == body && slices.Equal(r.Values("Content-Length"), []string{strconv.Itoa(len(body))}) && r.Values("Transfer-Encoding") == nil
			}
			if seen := reached(s.echo, "/v2"+strings.TrimPrefix(path, "/c")); !slices.ContainsFunc(seen, same) {
				t.Errorf("sent %q, and nothing arrived that is the same", body)
			}
		}
	}
	s.get(b, "/c/orders/7", 200)
	s.get(b, "/c/orders/?limit=7", 200)
	if len(reached(s.echo, "/v2/orders/?limit=7")) != 1 {
		t.Error("the query has not arrived as it was")
	}
}

// VAL-05: an upstream's answer that is not as described gets out where that is reported, and nothing of it where that is enforced.
func TestAnswersThatAreNotAsDescribed(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("xaver")
	if a := s.get(b, "/c/guarded/json", 200); !strings.Contains(a.Body, "12.50") {
		t.Errorf("an answer as described came as %s", a.Body)
	}
	for _, path := range []string{"/c/guarded/leak/json", "/c/guarded/status/503", "/c/guarded/undeclared"} {
		a, err := b.Fetch(s.ctx, "GET", path, "")
		s.check(err)
		if a.Status < 400 || a.Status == 503 || strings.Contains(a.Body, "12.50") {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	s.problem(s.get(b, "/c/guarded/leak/json", 502), "undescribed_answer")
	if a := s.get(b, "/c/watched/leak/json", 200); !strings.Contains(a.Body, "12.50") {
		t.Errorf("a reported answer came as %s", a.Body)
	}
	_, metrics, err := s.Replicas[0].Get(s.ctx, "/metrics")
	s.check(err)
	for _, line := range []string{
		`cloakroom_checks_total{message="response",result="schema",route="/c/watched/"} 1`,
		`cloakroom_checks_total{message="response",result="undeclared_status",route="/c/guarded/"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
