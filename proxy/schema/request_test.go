package schema

import (
	"net/http"
	"testing"
)

// to31 makes the document one of OpenAPI 3.1.
var to31 = []string{"3.0.3", "3.1.0", "minimum: 0, exclusiveMinimum: true", "exclusiveMinimum: 0", "type: string, nullable: true", `type: [string, "null"]`}

// VAL-01, VAL-02, VAL-03, VAL-06: only what is declared passes.
func TestRequests(t *testing.T) {
	const good = `{"product":"lamp","quantity":2}`
	docs := map[string]*Requests{"3.0.3": document(t), "3.1.0": document(t, to31...)}
	typ := func(lines ...string) http.Header { return http.Header{"Content-Type": lines} }
	for _, c := range []struct {
		name string
		asked
		want string
	}{
		{"a declared operation passes", asked{method: "GET", path: "/v2/orders/7"}, "passes"},
		{"HEAD is GET", asked{method: "HEAD", path: "/v2/orders/7"}, "passes"},
		{"a path that is not declared is not found", asked{method: "GET", path: "/v2/admin"}, "Not Found, undeclared_operation"},
		{"a path outside of the base is not found", asked{method: "GET", path: "/orders/7"}, "Not Found, undeclared_operation"},
		{"a trailing slash is another path", asked{method: "GET", path: "/v2/orders/7/"}, "Not Found, undeclared_operation"},
		{"another method is not allowed", asked{method: "DELETE", path: "/v2/orders/7"}, "Method Not Allowed, undeclared_method; allow GET HEAD PUT"},
		{"OPTIONS must be declared too", asked{method: "OPTIONS", path: "/v2/orders/7"}, "Method Not Allowed, undeclared_method; allow GET HEAD PUT"},
		{"a literal wins over a parameter", asked{method: "PUT", path: "/v2/orders/mine", body: good}, "Method Not Allowed, undeclared_method; allow GET HEAD"},

		{"a parameter of the path has its type", asked{method: "GET", path: "/v2/orders/seven"}, "Bad Request, parameter; path id: must be integer, is string"},
		{"its bounds", asked{method: "GET", path: "/v2/orders/0"}, "Bad Request, parameter; path id: must be at least 1"},
		{"its format", asked{method: "GET", path: "/v2/orders/99999999999999999999"}, "Bad Request, parameter; path id: must be of the format int64"},
		{"one way to write a number", asked{method: "GET", path: "/v2/orders/+7"}, "Bad Request, parameter; path id: must be integer, is string"},
		{"no leading zero", asked{method: "GET", path: "/v2/orders/007"}, "Bad Request, parameter; path id: must be integer, is string"},
		{"a parameter that is part of a segment", asked{method: "GET", path: "/v2/orders/7/report.pdf"}, "passes"},
		{"and its values", asked{method: "GET", path: "/v2/orders/7/report.exe"}, "Bad Request, parameter; path format: value must be one of 'pdf', 'csv'"},

		{"a declared query passes", asked{method: "GET", path: "/v2/orders", query: "limit=5&status=open&status=paid&fields=a,b&sort=x%7Cy&filter[since]=2026-01-31&filter%5Bpaid%5D=true&near=%7B%22lat%22:1.5%7D&draft="}, "passes"},
		{"a query parameter that is not declared", asked{method: "GET", path: "/v2/orders", query: "admin=1"}, "Bad Request, undeclared_parameter; query admin: is not a parameter of this operation"},
		{"its name in other letters", asked{method: "GET", path: "/v2/orders", query: "Limit=1"}, "Bad Request, undeclared_parameter; query Limit: is not a parameter of this operation"},
		{"a list by brackets", asked{method: "GET", path: "/v2/orders", query: "limit[]=1"}, "Bad Request, undeclared_parameter; query limit[]: is not a parameter of this operation"},
		{"an escaped name is the same parameter", asked{method: "GET", path: "/v2/orders", query: "li%6dit=1000"}, "Bad Request, parameter; query limit: must be at most 100"},
		{"one value for what is no list", asked{method: "GET", path: "/v2/orders", query: "limit=5&limit=1000"}, "Bad Request, repeated_parameter; query limit: is there more than once"},
		{"also where the name is escaped", asked{method: "GET", path: "/v2/orders", query: "limit=5&li%6dit=5"}, "Bad Request, repeated_parameter; query limit: is there more than once"},
		{"one text for a list by commas", asked{method: "GET", path: "/v2/orders", query: "fields=a&fields=b"}, "Bad Request, repeated_parameter; query fields: is there more than once"},
		{"a list has its bounds", asked{method: "GET", path: "/v2/orders", query: "fields=a,b,c,d"}, "Bad Request, parameter; query fields: must have at most 3 items"},
		{"a comma that is written %2C is part of an item", asked{method: "GET", path: "/v2/orders", query: "fields=a%2Cb,c"}, "passes"},
		{"and to some servers it is none", asked{method: "GET", path: "/v2/orders", query: "fields=a%2cb%2Cc,d"}, "Bad Request, parameter; query fields: must have at most 3 items"},
		{"a list has its items", asked{method: "GET", path: "/v2/orders", query: "status=open&status=gone"}, "Bad Request, parameter; query status: value must be one of 'open', 'paid'"},
		{"an object has its fields", asked{method: "GET", path: "/v2/orders", query: "filter[admin]=1"}, "Bad Request, parameter; query filter: is not a field of this object"},
		{"each once", asked{method: "GET", path: "/v2/orders", query: "filter[paid]=true&filter[paid]=false"}, "Bad Request, repeated_parameter; query filter: has a field that is there more than once, or is not UTF-8"},
		{"JSON in a query is as strict as a body", asked{method: "GET", path: "/v2/orders", query: `near={"lat":1,"lat":2}`}, "Bad Request, duplicate_key; query near: is there twice"},
		{"a semicolon is ambiguous", asked{method: "GET", path: "/v2/orders", query: "limit=5;limit=1000"}, "Bad Request, query; query: a ; in the query must be written %3B"},
		{"a value that is not UTF-8", asked{method: "GET", path: "/v2/orders", query: "fields=%ff"}, "Bad Request, query; query fields: is not UTF-8"},
		{"an operation without a query", asked{method: "GET", path: "/v2/orders/7", query: "x"}, "Bad Request, undeclared_parameter; query x: is not a parameter of this operation"},

		{"a header that must be there", asked{method: "GET", path: "/v2/orders", header: http.Header{"X-Tenant": nil}}, "Bad Request, parameter; header X-Tenant: is missing"},
		{"its pattern", asked{method: "GET", path: "/v2/orders", header: http.Header{"X-Tenant": {"ACME"}}}, "Bad Request, parameter; header X-Tenant: must match the pattern ^[a-z]+$"},
		{"two answers to one question", asked{method: "GET", path: "/v2/orders", header: http.Header{"X-Tenant": {"a", "b"}}}, "Bad Request, repeated_parameter; header X-Tenant: is there more than once"},

		{"a body passes", asked{method: "POST", path: "/v2/orders", body: good}, "passes"},
		{"with its charset", asked{method: "POST", path: "/v2/orders", body: good, header: typ("Application/JSON; charset=UTF-8")}, "passes"},
		{"a body that must be there", asked{method: "POST", path: "/v2/orders"}, "Bad Request, body_missing; #: a body is missing"},
		{"a body that nobody wants", asked{method: "GET", path: "/v2/orders/7", body: good}, "Bad Request, body_unwanted; #: this operation takes no body"},
		{"JSON must say that it is", asked{method: "POST", path: "/v2/orders", body: good, header: typ("text/plain")}, "Unsupported Media Type, media_type; header Content-Type: must be one of [application/json]"},
		{"not saying anything is no way around", asked{method: "POST", path: "/v2/orders", body: good, header: typ()}, "Unsupported Media Type, media_type; header Content-Type: must be one of [application/json]"},
		{"another kind of JSON is another type", asked{method: "POST", path: "/v2/orders", body: good, header: typ("application/merge-patch+json")}, "Unsupported Media Type, media_type; header Content-Type: must be one of [application/json]"},
		{"another charset", asked{method: "POST", path: "/v2/orders", body: good, header: typ("application/json; charset=utf-16")}, "Unsupported Media Type, charset; header Content-Type: must be utf-8, or not say a charset"},
		{"a malformed parameter", asked{method: "POST", path: "/v2/orders", body: good, header: typ("application/json;x")}, "Unsupported Media Type, media_type; header Content-Type: is not a media type"},
		{"two types", asked{method: "POST", path: "/v2/orders", body: good, header: typ("application/json", "text/plain")}, "Unsupported Media Type, media_type; header Content-Type: is not one plain media type"},
		{"two types in a line", asked{method: "POST", path: "/v2/orders", body: good, header: typ("application/json, text/plain")}, "Unsupported Media Type, media_type; header Content-Type: is not one plain media type"},
		{"a compressed body", asked{method: "POST", path: "/v2/orders", body: good, header: http.Header{"Content-Encoding": {"gzip"}}}, "Unsupported Media Type, content_encoding; header Content-Encoding: must not be there: send the body as it is"},
		{"a type that is not checked passes where it is declared", asked{method: "PUT", path: "/v2/orders/7/photo", body: "x", header: typ("multipart/form-data; boundary=y")}, "passes"},
		{"and nowhere else", asked{method: "POST", path: "/v2/orders", body: "x", header: typ("multipart/form-data; boundary=y")}, "Unsupported Media Type, media_type; header Content-Type: must be one of [application/json]"},

		{"fields are named", asked{method: "POST", path: "/v2/orders", body: `{"quantity":0,"lines":[{"sku":1,"n":3000000000},{}],"role":"admin","note":null}`},
			"Bad Request, schema; #/role: is not a field of this object; #/product: is missing; #/lines/0/n: must be of the format int32; #/lines/0/sku: must be string, is number; #/lines/1/sku: is missing; #/quantity: must be more than 0"},
		{"what is read-only may not be written", asked{method: "PUT", path: "/v2/orders/7", body: `{"id":8,"product":"lamp","quantity":2}`}, "Bad Request, schema; #/id: may not be there"},
		{"a format is asserted", asked{method: "POST", path: "/v2/orders", body: `{"product":"lamp","quantity":2,"by":"nobody"}`}, "Bad Request, schema; #/by: must be of the format email"},
		{"a key twice is located", asked{method: "POST", path: "/v2/orders", body: `{"product":"lamp","lines":[{"sku":"a","sku":"b"}],"quantity":2}`}, "Bad Request, duplicate_key; #/lines/0/sku: is there twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, version := range []string{"3.0.3", "3.1.0"} {
				q := docs[version]
				if got := sortedFaults(judge(q, c.asked)); got != sortFaults(c.want) {
					t.Errorf("%s: %s %s?%s %s\ngot  %s\nwant %s", version, c.method, c.path, c.query, c.body, got, sortFaults(c.want))
				}
			}
		})
	}
}

// VAL-03: where a deep object may have further fields, none of them is one that was judged to a server that reads brackets loosely.
func TestADeepObjectsFieldsHaveOneNameEach(t *testing.T) {
	q := document(t, "schema: {type: object, additionalProperties: false, properties: {since:", "schema: {type: object, properties: {since:")
	for query, passes := range map[string]bool{
		"filter[paid]=true&filter[more]=1":        true,
		"filter[paid]=true&filter[paid]x]=admin":  false,
		"filter[paid]=true&filter[paid]]=admin":   false,
		"filter[paid]=true&filter%5Bpaid%5D%5D=1": false,
		"filter[paid][x]=true":                    false,
		"filter[[paid]=true":                      false,
		"filter[]=true":                           false,
	} {
		if r := judge(q, asked{method: "GET", path: "/v2/orders", query: query}); (r == nil) != passes {
			t.Errorf("%s: %v", query, r)
		}
	}
}

// A number that does not fit is too large in whatever form it is written.
func TestWholeNumbersFitTheirFormat(t *testing.T) {
	for format, numbers := range map[string]map[string]bool{
		"int32": {"2147483647": true, "-2147483648": true, "2147483648": false, "-2147483649": false, "2e3": true, "1e30": false, "2147483648.0": false, "1.5": true},
		"int64": {"9223372036854775807": true, "-9223372036854775808": true, "9223372036854775808": false, "1e18": true, "1e19": false, "-1E300": false, "9223372036854775808.0": false, `"9e99"`: true},
	} {
		q, err := compileText(t, "", `{"format":"`+format+`"}`, Request{Schema: "s.json"}, orders)
		if err != nil {
			t.Fatal(err)
		}
		for body, fits := range numbers {
			if r := judge(q, asked{method: "POST", path: "/v2/orders", body: body}); (r == nil) != fits {
				t.Errorf("%s as %s: %v", body, format, r)
			}
		}
	}
}
