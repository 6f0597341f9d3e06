package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// VAL-01: what two parsers could read in two ways is refused, and named.
func TestParse(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an object", `{"a":[1,-2.5e3,true,false,null,"x"]}`, ""},
		{"white space around", " \t\r\n[ 1 , { \"a\" : 2 } ] \n", ""},
		{"empty ones", `[{},[],""]`, ""},
		{"escapes", `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, ""},
		{"a key twice", `{"role":"user","role":"admin"}`, "duplicate_key"},
		{"a key twice, once in escapes", `{"role":"user","r\u006fle":"admin"}`, "duplicate_key"},
		{"a second value", `{"a":1}{"a":2}`, "not_json"},
		{"a second value behind a space", `{"a":1} {"a":2}`, "not_json"},
		{"nothing", ``, "not_json"},
		{"a byte order mark", "\xef\xbb\xbf{}", "not_json"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "not_json"},
		{"NaN", `NaN`, "not_json"},
		{"Infinity", `-Infinity`, "not_json"},
		{"a comment", `{/**/}`, "not_json"},
		{"a comma at the end", `[1,]`, "not_json"},
		{"a comma at the end of an object", `{"a":1,}`, "not_json"},
		{"a comma at the beginning", `[,1]`, "not_json"},
		{"single quotes", `{'a':1}`, "not_json"},
		{"a bare key", `{a:1}`, "not_json"},
		{"a control character", "\"a\nb\"", "not_json"},
		{"NUL behind the value", "{}\x00", "not_json"},
		{"a form feed as white space", "\f{}", "not_json"},
		{"an escape that does not exist", `"\x41"`, "not_json"},
		{"a short escape", `"\u12"`, "not_json"},
		{"a sign in an escape", `"\u+123"`, "not_json"},
		{"a leading zero", `01`, "not_json"},
		{"a plus", `+1`, "not_json"},
		{"hexadecimal", `0x10`, "not_json"},
		{"no digit behind the point", `1.`, "not_json"},
		{"no digit before the point", `.5`, "not_json"},
		{"no digit in the exponent", `1e`, "not_json"},
		{"a minus alone", `-`, "not_json"},
		{"a string without an end", `"a`, "not_json"},
		{"an object without an end", `{"a":1`, "not_json"},
		{"a list without an end", `[1`, "not_json"},
		{"the wrong end", `[1}`, "not_json"},
		{"a literal cut off", `tru`, "not_json"},
		{"invalid UTF-8", "\"\xff\"", "not_utf8"},
		{"overlong UTF-8", "\"\xc0\xae\"", "not_utf8"},
		{"invalid UTF-8 in a key", "{\"\xff\":1}", "not_utf8"},
		{"half a pair", `"\ud800"`, "not_utf8"},
		{"the other half", `"\udc00"`, "not_utf8"},
		{"two first halves", `"\ud800\ud800"`, "not_utf8"},
		{"a first half before a letter", `"\ud800\u0041"`, "not_utf8"},
		{"an exponent that takes long", `1e1000000`, "number"},
		{"an exponent that takes for ever", `1e99999999999999999999`, "number"},
		{"infinite to a float", `1e309`, "number"},
		{"nothing to a float", `1e-400`, "number"},
		{"zero with a long exponent", `0e99999999`, "number"},
		{"forty digits", strings.Repeat("1", 40), ""},
		{"forty-one digits", strings.Repeat("1", 41), "number"},
		{"64 levels", strings.Repeat("[", 64) + strings.Repeat("]", 64), ""},
		{"65 levels", strings.Repeat("[", 65) + strings.Repeat("]", 65), "too_deep"},
		{"10,000 levels", strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), "too_deep"},
		{"a million opened", strings.Repeat("[", 1<<20), "too_deep"},
		{"50,000 values", "[" + strings.Repeat("1,", MaxValues-2) + "1]", ""},
		{"one more", "[" + strings.Repeat("1,", MaxValues-1) + "1]", "too_many_values"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, m := parse([]byte(c.in))
			got := ""
			if m != nil {
				got = m.reason
			}
			if got != c.want {
				t.Errorf("%.60q: got %q, want %q", c.in, got, c.want)
			}
			agree(t, []byte(c.in))
		})
	}
}

// agree holds the parser against encoding/json: what it takes, the other reads as the same value, without a key twice; what it refuses as no JSON, the
// other refuses too.
func agree(t *testing.T, data []byte) {
	t.Helper()
	got, m := parse(data)
	want, err := standard(data)
	switch {
	case m == nil && err != nil:
		t.Fatalf("%.100q: encoding/json refuses it: %v", data, err)
	case m == nil && !reflect.DeepEqual(got, want):
		t.Fatalf("%.100q: got %#v, want %#v", data, got, want)
	case m == nil && (repeats(data) || !utf8.Valid(data)):
		t.Fatalf("%.100q: a key is there twice, or it is not UTF-8", data)
	case m != nil && m.reason == ReasonNotJSON && err == nil:
		t.Fatalf("%.100q: encoding/json takes it", data)
	}
}

func standard(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// repeats looks for a key that is there twice, in the tokens.
func repeats(data []byte) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		keys   map[string]bool // nil for a list
		expect bool            // a key comes next
	}
	var open []*level
	for {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		var top *level
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		if key, ok := tok.(string); ok && top != nil && top.keys != nil && top.expect {
			if top.keys[key] {
				return true
			}
			top.keys[key], top.expect = true, false
			continue
		}
		if top != nil {
			top.expect = true // a value ends, or one begins whose end comes before the next key
		}
		switch tok {
		case json.Delim('{'):
			open = append(open, &level{keys: map[string]bool{}, expect: true})
		case json.Delim('['):
			open = append(open, &level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
	}
}

func TestRepeatsFindsWhatItLooksFor(t *testing.T) {
	for in, want := range map[string]bool{`{"a":1,"a":2}`: true, `{"a":{"a":1},"b":{"a":1}}`: false, `[{"x":["x","x"],"y":{"q":1,"q":1}}]`: true} {
		if repeats([]byte(in)) != want {
			t.Errorf("%s: want %v", in, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,true,null,"x"],"b":{"c":"\u00e9\ud83d\ude00"}}`, `{"role":"user","r\u006fle":"admin"}`, `{}{}`, "\xef\xbb\xbf{}", `1e1000000`, `"\ud800"`, `[[[[]]]]`, ` -0.0e-0 `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, data) })
}

// VAL-04: neither a pattern that makes other engines think for ever, nor a bomb, takes longer than 50 ms.
func TestBombsAreCheap(t *testing.T) {
	evil, err := compileText(t, "s.json", `{"type":"object","properties":{
		"p":{"type":"string","pattern":"^(a+)+$"},"q":{"type":"string","pattern":"^(a|aa)+$"},"n":{"type":"array","items":{"multipleOf":0.01}},
		"u":{"type":"array","uniqueItems":true},"e":{"type":"string","format":"email"}}}`, Request{Schema: "s.json"}, orders)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, body, want string }{
		{"an evil pattern", `{"p":"` + strings.Repeat("a", 50_000) + `!"}`, "schema"},
		{"another", `{"q":"` + strings.Repeat("a", 50_000) + `!"}`, "schema"},
		{"depth", strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), "too_deep"},
		{"an exponent", `{"n":[1e1000000]}`, "number"},
		{"many exponents", `{"n":[` + strings.Repeat("1e1000000,", 50_000) + `1]}`, "number"},
		{"a long address", `{"e":"` + strings.Repeat("a@", 50_000) + `"}`, "schema"},
		{"values that are compared", `{"u":[` + strings.Repeat("[],", 10_000) + `1]}`, "schema"},
		{"more values than are looked at", `{"n":[` + strings.Repeat("1.001,", 150_000) + `1]}`, "too_many_values"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cheap(t, func() {
				if r := judge(evil, asked{method: "POST", path: "/", body: c.body}); r == nil || r.Reason != c.want {
					t.Fatalf("got %s, want %s", cut(shown(r), 200), c.want)
				}
			})
		})
	}
}

// cheap demands that something takes less than 50 ms. The machine may be busy with something else, so it may try again.
func cheap(t *testing.T, do func()) {
	t.Helper()
	var took []time.Duration
	for range 5 {
		start := time.Now()
		do()
		if took = append(took, time.Since(start)); took[len(took)-1] < limitUnderRace*50*time.Millisecond {
			return
		}
	}
	t.Errorf("took %v", took)
}

func BenchmarkSmallBody(b *testing.B) {
	q := document(b)
	body := []byte(`{"product":"desk lamp","quantity":2,"note":"for the office","by":"ann@example.com","lines":[{"sku":"a-1","n":1},{"sku":"b-2","n":2}]}`)
	h := asked{body: "x"}.head()
	b.ReportAllocs()
	for b.Loop() {
		call, r := q.Match("POST", "/v2/orders")
		if r == nil {
			_, r = call.Head(h, "", int64(len(body)))
		}
		if r == nil {
			r = call.Body(body)
		}
		if r != nil {
			b.Fatal(shown(r))
		}
	}
}

func BenchmarkParameters(b *testing.B) {
	q := document(b)
	h := asked{}.head()
	b.ReportAllocs()
	for b.Loop() {
		call, _ := q.Match("GET", "/v2/orders")
		if _, r := call.Head(h, "limit=5&status=open", 0); r != nil {
			b.Fatal(shown(r))
		}
	}
}
