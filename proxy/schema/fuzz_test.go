package schema

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// VAL-02: a Content-Type that passes is one media type to every parser, in UTF-8.
func FuzzMediaType(f *testing.F) {
	for _, s := range []string{"application/json", "Application/JSON; charset=UTF-8", "application/json;x", "application/json; charset=utf-16", "application/json, text/plain", "application/json; charset=utf-8; charset=utf-16", "application/json;charset*=utf-8''utf-16", ";", "a/b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		typ, r := mediaType(http.Header{"Content-Type": {line}})
		if r != nil {
			if typ != "" || r.Status != http.StatusUnsupportedMediaType {
				t.Fatalf("%q: %q, %v", line, typ, r)
			}
			return
		}
		bare := strings.ToLower(strings.TrimSpace(strings.SplitN(line, ";", 2)[0])) // as a simple parser would
		_, params, err := mime.ParseMediaType(line)
		charset, has := params["charset"]
		switch {
		case err != nil || typ != bare || strings.Count(typ, "/") != 1:
			t.Fatalf("%q: %q to us, %q to others (%v)", line, typ, bare, err)
		case has && !strings.EqualFold(charset, "utf-8"):
			t.Fatalf("%q: charset %q", line, charset)
		case strings.Count(strings.ToLower(line), "charset") > 1 && !strings.Contains(line, `"`):
			t.Fatalf("%q: two charsets", line)
		}
	})
}

// VAL-03, PRX-25: a query that passes has declared names only, each once, as net/url reads it and as one that splits at semicolons does.
func FuzzQuery(f *testing.F) {
	q := document(f)
	for _, s := range []string{"limit=5", "limit=5&limit=6", "li%6dit=5&limit=6", "limit=5;admin=1", "status=open&status=paid", "fields=a,b", "filter[since]=2026-01-01", "&&limit=1", "limit", "=1", "%=1", "draft="} {
		f.Add(s)
	}
	single := map[string]bool{"limit": true, "fields": true, "sort": true, "near": true, "draft": true}
	f.Fuzz(func(t *testing.T, raw string) {
		if judge(q, asked{method: "GET", path: "/v2/orders", query: raw}) != nil {
			return
		}
		for _, text := range []string{raw, strings.ReplaceAll(raw, ";", "&")} {
			values, err := url.ParseQuery(text)
			if err != nil {
				t.Fatalf("%q passes: %v", raw, err)
			}
			for name, all := range values {
				if !single[name] && name != "status" && !strings.HasPrefix(name, "filter[") || single[name] && len(all) > 1 {
					t.Fatalf("%q passes with %s=%q", raw, name, all)
				}
				for _, v := range all {
					if !utf8.ValidString(v) {
						t.Fatalf("%q passes, which is not UTF-8", raw)
					}
				}
			}
		}
	})
}
