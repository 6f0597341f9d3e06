package schema

import (
	"strings"
	"sync"
	"testing"
)

// filters is a language of filters, as APIs have them: each level has three ways down.
const filters = `{"$ref":"#/$defs/filter","$defs":{"filter":{"KEYWORD":[
	{"type":"object","additionalProperties":false,"required":["field"],"properties":{"field":{"type":"string","format":"email"}}},
	{"type":"object","required":["op","arg"],"properties":{"op":{"const":"not"},"arg":{"$ref":"#/$defs/filter"}}},
	{"type":"object","required":["op","arg"],"properties":{"op":{"const":"neg"},"arg":{"$ref":"#/$defs/filter"}}},
	{"type":"object","required":["op","args"],"properties":{"op":{"const":"and"},"args":{"type":"array","items":{"$ref":"#/$defs/filter"}}}}]}}}`

// VAL-04: a schema that refers back to itself does not make much work of a small body.
func TestSchemasThatReferBack(t *testing.T) {
	for _, keyword := range []string{"oneOf", "anyOf"} {
		q, err := compileText(t, "", strings.Replace(filters, "KEYWORD", keyword, 1), Request{Schema: "s.json"}, orders)
		if err != nil {
			t.Fatal(err)
		}
		nested := func(n int, inside string) string {
			return strings.Repeat(`{"op":"neg","arg":`, n) + inside + strings.Repeat("}", n)
		}
		leaf := `{"field":"ann@example.com"}`
		for _, c := range []struct{ name, body, want string }{
			{"a filter", leaf, ""},
			{"filters in filters", nested(3, leaf), ""},
			{"many filters", `{"op":"and","args":[` + strings.Repeat(leaf+",", 1000) + leaf + `]}`, ""},
			{"a format in it", `{"field":"nobody"}`, ReasonSchema},
			{"a format deep in it", nested(3, `{"field":"nobody"}`), ReasonSchema},
			{"sixty levels", nested(60, leaf), ReasonTooComplex},
			{"sixty levels that end badly", nested(60, "1"), ReasonTooComplex},
		} {
			t.Run(keyword+", "+c.name, func(t *testing.T) {
				cheap(t, func() {
					r := judge(q, asked{method: "POST", path: "/", body: c.body})
					got := ""
					if r != nil {
						got = r.Reason
					}
					if got != c.want {
						t.Fatalf("got %s, want %s", cut(shown(r), 300), c.want)
					}
				})
			})
		}
		if r := judge(q, asked{method: "POST", path: "/", body: leaf}); r != nil {
			t.Errorf("after all that a good one is refused: %s", shown(r))
		}
	}
}

// Each request has its own steps, whatever others do at the same time.
func TestStepsAreCountedForEachRequest(t *testing.T) {
	q, err := compileText(t, "", strings.Replace(filters, "KEYWORD", "oneOf", 1), Request{Schema: "s.json"}, orders)
	if err != nil {
		t.Fatal(err)
	}
	bomb := strings.Repeat(`{"op":"neg","arg":`, 40) + "1" + strings.Repeat("}", 40)
	var wg sync.WaitGroup
	for i := range 16 {
		body, want := `{"field":"ann@example.com"}`, ""
		if i%2 == 0 {
			body, want = bomb, ReasonTooComplex
		}
		wg.Go(func() {
			r := judge(q, asked{method: "POST", path: "/", body: body})
			if (r == nil) != (want == "") || r != nil && r.Reason != want {
				t.Errorf("got %s, want %q", shown(r), want)
			}
		})
	}
	wg.Wait()
}

// Which descriptions are counted: those that lead back to themselves, in whatever way.
func TestRefersBack(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{`{"items":{"$ref":"#/$defs/a"},"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"type":"string"}}}`, false},
		{`{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],"$defs":{"a":{}}}`, false},
		{`{"properties":{"$ref":{"type":"string"}}}`, false},
		{`{"items":{"$ref":"#"}}`, true},
		{`{"items":{"$ref":"#/$defs/a"},"$defs":{"a":{"items":{"$ref":"#/$defs/a"}}}}`, true},
		{`{"$defs":{"a":{"items":{"$ref":"#/$defs/b"}},"b":{"not":{"$ref":"#/$defs/a"}}}}`, true},
		{`{"$defs":{"a b":{"items":{"$ref":"#/$defs/a%20b"}}}, "items":{"$ref":"#/$defs/a%20b"}}`, true},
		{`{"$anchor":"x","items":{"$ref":"#x"}}`, true},
		{`{"$dynamicAnchor":"x","items":{"$dynamicRef":"#x"}}`, true},
	} {
		v, m := parse([]byte(c.text))
		if m != nil || refersBack(v) != c.want {
			t.Errorf("%s: want %v (%v)", c.text, c.want, m)
		}
	}
}
