package compose

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOnlyStrictJSONIsTaken(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       error
	}{
		{"an object", `{"a":[1,2.5e3,"x\"y\\",null,true]}`, nil},
		{"white space around it", " \n{} ", nil},
		{"text alone", `"x"`, nil},
		{"nothing", ``, errNotJSON},
		{"two values", `{} {}`, errNotJSON},
		{"a tail", `{}x`, errNotJSON},
		{"a comma too many", `[1,]`, errNotJSON},
		{"a comment", `{} // x`, errNotJSON},
		{"NaN", `NaN`, errNotJSON},
		{"a byte order mark", "\ufeff{}", errNotJSON},
		{"half of a value", `{"a":`, errNotJSON},
		{"a line break in text", "\"a\nb\"", errNotJSON},
		{"bytes that are no UTF-8", "\"\xff\"", errText},
		{"as deep as allowed", strings.Repeat("[", 64) + strings.Repeat("]", 64), nil},
		{"deeper", strings.Repeat("[", 65) + strings.Repeat("]", 65), errDeep},
		{"deep objects", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), errDeep},
		{"wide and flat", "[" + strings.Repeat("[],", 1000) + "[]]", nil},
		{"brackets in text", `"` + strings.Repeat("[", 100) + `"`, nil},
		{"a number as long as allowed", strings.Repeat("9", 64), nil},
		{"a longer one", strings.Repeat("9", 65), errNumber},
		{"many numbers", "[" + strings.Repeat("1234567890,", 100) + "1]", nil},
		{"digits in text", `"` + strings.Repeat("9", 100) + `"`, nil},
		{"digits behind text", `["\\",` + strings.Repeat("9", 65) + `]`, errNumber},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, keep := range []bool{false, true} {
				if _, err := decode([]byte(c.body), keep); !errors.Is(err, c.want) {
					t.Errorf("%.80q, keep %t: %v, want %v", c.body, keep, err, c.want)
				}
			}
		})
	}
}

func TestOnlyJSONTypesAreTaken(t *testing.T) {
	for kind, want := range map[string]error{
		"application/json": nil, "Application/JSON; charset=UTF-8": nil, "application/problem+json": nil, "application/hal+json; profile=x": nil, "": errNotJSON, "text/html": errNotJSON, "text/json": errNotJSON,
		"application/jsonp": errNotJSON, "application/json; charset=utf-16": errText, "application/json;x=;;": errNotJSON,
	} {
		if err := typed(http.Header{"Content-Type": {kind}}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", kind, err, want)
		}
	}
	for h, want := range map[string]error{"gzip": errEncoded, "identity": nil} {
		if err := typed(http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {h}}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", h, err, want)
		}
	}
	if err := typed(http.Header{"Content-Type": {"application/json", "text/html"}}); !errors.Is(err, errNotJSON) {
		t.Errorf("two types: %v", err)
	}
}

// What is taken is what encoding/json takes, but for the bounds, and means the same.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,"\\\""],"a":null,"":{}}`, `[[[[]]]]`, `1e5`, `"\u0000\ud800\ud83d\ude00"`, `{}{}`, `-0.1E+7`, ` [ true , false ] `, `01`, `-`, `1.`, `"\x"`, `nul`, `{"a" : 1 , }`, "\"\x7f\u2028\"", `9007199254740993`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decode(body, true)
		if _, dry := decode(body, false); !errors.Is(dry, err) {
			t.Fatalf("%q: %v, and without values %v", body, err, dry)
		}
		bounded := errors.Is(err, errDeep) || errors.Is(err, errNumber)
		if ok := json.Valid(body) && utf8.Valid(body); ok != (err == nil) && !bounded {
			t.Fatalf("%q: %v", body, err)
		}
		if err != nil {
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %#v, want %#v (%v)", body, got, want, err)
		}
		if d := depth(got); d > maxDepth {
			t.Errorf("%q is %d deep", body, d)
		}
	})
}

func depth(v any) (d int) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			d = max(d, depth(item))
		}
		return d + 1
	case map[string]any:
		for _, item := range v {
			d = max(d, depth(item))
		}
		return d + 1
	}
	return 0
}
