package schema

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// VAL-04: a description that cannot be used is refused at the start, with its place.
func TestDescriptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change []string
		want   string
	}{
		{"another version", []string{"3.0.3", "3.2.0"}, `#/openapi: "3.2.0" is neither OpenAPI 3.0 nor 3.1`},
		{"Swagger", []string{"openapi: 3.0.3", `swagger: "2.0"`}, `#/openapi: "" is neither`},
		{"no YAML", []string{"openapi: 3.0.3", "openapi: ["}, "is not YAML"},
		{"a key twice", []string{"info:", "openapi: 3.0.3\ninfo:"}, "is not YAML"},
		{"a reference by HTTP", []string{`"#/components/schemas/Status"`, `"http://127.0.0.1:1/s.json"`}, "nothing is loaded from elsewhere"},
		{"a reference to a file", []string{`"#/components/schemas/Status"`, `"./status.yaml"`}, "nothing is loaded from elsewhere"},
		{"a reference to the root of the disk", []string{`"#/components/schemas/Status"`, `"file:///etc/passwd"`}, "nothing is loaded from elsewhere"},
		{"a reference without a scheme", []string{`"#/components/schemas/Status"`, `"//127.0.0.1/s.json"`}, "nothing is loaded from elsewhere"},
		{"a reference to nothing", []string{`"#/components/schemas/Status"`, `"#/components/schemas/Nothing"`}, "Nothing"},
		{"a dialect of its own", []string{"3.0.3", "3.1.0\njsonSchemaDialect: https://example.com/dialect", "minimum: 0, exclusiveMinimum: true", "minimum: 0"}, "#/jsonSchemaDialect"},
		{"a pattern with a lookahead", []string{"^[a-z]+([ -][a-z]+)*$", "^(?=a).*$"}, "is not RE2"},
		{"its place", []string{"^[a-z]+([ -][a-z]+)*$", "^(?=a).*$"}, "#/components/schemas/Order/properties/product/pattern: "},
		{"a pattern with a back reference", []string{"^[a-z]+([ -][a-z]+)*$", `^(a)\\1$`}, "is not RE2"},
		{"a path parameter that is not described", []string{"    parameters:\n      - {$ref: \"#/components/parameters/Id\"}\n    get:\n      responses: {\"200\"", "    get:\n      responses: {\"200\""}, "id"},
		{"a body of another type", []string{"multipart/form-data", "application/xml"}, "#/paths/~1orders~1{id}~1photo/put/requestBody/content/application~1xml: bodies of application/xml cannot be checked; unchecked_media: [application/xml]"},
		{"servers with different paths", []string{"servers: [", "servers: [{url: /v1}, "}, `#/servers: have different paths ("/v1" and "/v2")`},
		{"a server elsewhere", []string{"example.com/v2", "example.com/v3"}, "#/paths: none of its paths lies where this route leads: the upstream is asked for /v2/, and the description's paths lie under /v3; openapi_base"},
		{"an object in a query without a form", []string{"style: deepObject, ", ""}, "#/paths/~1orders/get/parameters/4: an object is only supported"},
		{"a list or a text", []string{"schema: {type: array, maxItems: 3, items: {type: string}}", "schema: {anyOf: [{type: array, items: {type: string}}, {type: string}]}"}, "#/paths/~1orders/get/parameters/2/schema: may be a list or something else"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := compileText(t, "orders.yaml", text(t, c.change...), Request{UncheckedMedia: []string{"multipart/form-data"}}, orders)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "openapi: ") {
				t.Errorf("got  %v\nwant %s", err, c.want)
			} else if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), here) || len(err.Error()) > 700 {
				t.Errorf("the error is not one short line of our own: %v", err)
			}
		})
	}
}

func TestSchemasAreRefused(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"no JSON", "s.json", `{"type":`, "is not JSON"},
		{"a key twice", "s.json", `{"type":"object","type":"array"}`, "#/type: is there twice"},
		{"no schema", "s.json", `{"type":"thing"}`, "/type"},
		{"a reference by HTTP", "s.json", `{"$ref":"https://example.com/s.json"}`, "nothing is loaded from elsewhere"},
		{"a dynamic one", "s.json", `{"$dynamicRef":"https://example.com/s.json"}`, "nothing is loaded from elsewhere"},
		{"a metaschema by HTTP", "s.json", `{"$schema":"https://example.com/meta"}`, "nothing is loaded from elsewhere"},
		{"in the disguise of a base", "s.json", `{"$id":"https://example.com/a.json","items":{"$ref":"#/$defs/x"},"$defs":{"x":{"$ref":"b.json"}}}`, "nothing is loaded from elsewhere"},
		{"very deep", "s.json", strings.Repeat(`{"items":`, 300) + "{}" + strings.Repeat("}", 300), "nested too deeply"},
		{"very deep in YAML", "s.yaml", strings.Repeat(`{"items":`, 300) + "{}" + strings.Repeat("}", 300), "nested deeper"},
		{"a pattern that is no RE2", "s.yaml", `{pattern: "(?!a)"}`, "is not RE2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := compileText(t, "", c.text, Request{Schema: c.file}, orders)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "schema: ") {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// VAL-04: no reference is ever followed: a listener that all of them name hears nothing.
func TestNothingIsFetched(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var heard atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			heard.Add(1)
			conn.Close()
		}
	}()
	sink := "http://" + l.Addr().String()
	for _, ref := range []string{sink + "/s.json", strings.TrimPrefix(sink, "http:") + "/s.json"} {
		for _, keyword := range []string{"$ref", "$dynamicRef", "$schema", "$id", "$recursiveRef", "externalDocs"} {
			s := `{"` + keyword + `":"` + ref + `","$defs":{"x":{"` + keyword + `":"` + ref + `"}},"items":{"$ref":"x.json"}}`
			_, _ = compileText(t, "", s, Request{Schema: "s.json"}, orders)
			_, _ = compileText(t, "o.yaml", text(t, "{type: string, enum: [open, paid]}", s), Request{}, orders)
			_, _ = compileText(t, "o.yaml", text(t, append(to31, "{type: string, enum: [open, paid]}", s)...), Request{}, orders)
		}
		_, _ = compileText(t, "o.yaml", text(t, "responses: {default:", "responses: {$ref: \""+ref+"\", default:"), Request{}, orders)
		_, _ = compileText(t, "o.yaml", text(t, "/orders/mine:\n", "/orders/mine:\n    $ref: \""+ref+"\"\n"), Request{}, orders)
	}
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, conn) // until the listener has heard it
	conn.Close()
	l.Close()
	<-done
	if n := heard.Load(); n != 1 {
		t.Errorf("%d connections, want our own alone", n)
	}
}

// A reference within the file is followed, wherever it leads; openapi_base wins over servers.
func TestDescriptionsAreTaken(t *testing.T) {
	for _, c := range []struct {
		name   string
		change []string
		base   string
		path   string
	}{
		{"a relative server", []string{"https://orders.example.com/v2", "/v2"}, "", "/v2/orders/7"},
		{"a server with variables", []string{`{url: "https://orders.example.com/v2"}`, `{url: "https://{host}/{v}", variables: {host: {default: a.example}, v: {default: v2}}}`}, "", "/v2/orders/7"},
		{"no server", []string{`servers: [{url: "https://orders.example.com/v2"}]`, "tags: []"}, "/v2", "/v2/orders/7"},
		{"a base of its own", []string{"example.com/v2", "example.com/gateway"}, "/v2/deep", "/v2/deep/orders/7"},
		{"a path in the middle of another's schema", []string{`{$ref: "#/components/schemas/Status"}`, `{$ref: "#/paths/~1orders~1%7Bid%7D/put/requestBody/content/application~1json/schema"}`}, "", "/v2/orders/7"},
		{"an example that looks like a reference", []string{"maxLength: 20", "maxLength: 20, example: {$ref: \"#x\"}"}, "", "/v2/orders/7"},
		{"anchors of YAML", []string{"note: {type: string, nullable: true}", "note: &s {type: string}", "by: {type: string, format: email}", "by: *s"}, "", "/v2/orders/7"},
		{"a pattern as JavaScript writes it", []string{"^[a-z]+([ -][a-z]+)*$", `^[\\u0061-\\u007a ]+\\/?$`}, "", "/v2/orders/7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := compileText(t, "orders.yaml", text(t, c.change...), Request{OpenAPIBase: c.base, UncheckedMedia: []string{"multipart/form-data"}}, orders)
			if err != nil {
				t.Fatal(err)
			}
			if r := judge(q, asked{method: "GET", path: c.path}); r != nil {
				t.Errorf("%s: %s", c.path, shown(r))
			}
		})
	}
}

// What no request of the route can reach is not compiled, and not judged.
func TestOnlyWhatARouteReachesIsCompiled(t *testing.T) {
	narrow := Place{Area: Area{Segments: []string{"v2", "orders", "mine"}}}
	q, err := compileText(t, "orders.yaml", text(t), Request{}, narrow) // with a form that could not be checked
	if err != nil {
		t.Fatal(err)
	}
	if r := judge(q, asked{method: "GET", path: "/v2/orders/mine"}); r != nil {
		t.Error(shown(r))
	}
	if _, err := compileText(t, "orders.yaml", text(t), Request{}, orders); err == nil {
		t.Error("a form is taken where it can be reached")
	}
}

// A file is read once, however many routes name it.
func TestDocumentsAreReadOnce(t *testing.T) {
	reads := 0
	docs := NewDocuments(func(string) ([]byte, error) { reads++; return []byte(text(t)), nil })
	for range 3 {
		if _, err := docs.Requests(Request{OpenAPI: "o.yaml", UncheckedMedia: []string{"multipart/form-data"}}, orders); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := docs.Responses(Response{OpenAPI: "o.yaml"}, orders); err != nil || reads != 1 {
		t.Errorf("%d reads (%v)", reads, err)
	}
}
