package edge_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	stdpath "path"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"cloakroom/bff/edge"
)

// paths are the payloads of PRX-20 and others of their classes, one by one: either refused, or with the one path
// that everybody sees.
var paths = []struct {
	name, raw     string
	path, encoded string
	reason        string
}{
	// PRX-20
	{"dot segments", "/api/../admin", "", "", "path_dot_segment"},
	{"encoded dots", "/api/%2e%2e/admin", "", "", "path_dot_segment"},
	{"encoded dots and slash", "/api/%2E%2E%2Fadmin", "", "", "path_encoded_delimiter"},
	{"encoded slash after dots", "/api/..%2fadmin", "", "", "path_encoded_delimiter"},
	{"dots with an empty parameter", "/api/..;/admin", "", "", "path_delimiter"},
	{"a parameter before dots", "/api/;x=1/../admin", "", "", "path_delimiter"},
	{"double encoding", "/api/%252e%252e/admin", "", "", "path_encoded_percent"},
	{"doubled slash", "/api//admin", "", "", "path_empty_segment"},
	{"doubled slash in front", "//api/x", "", "", "path_empty_segment"},
	{"encoded slash in front of a segment", "/api/%2fadmin", "", "", "path_encoded_delimiter"},
	{"encoded backslash", "/api/..%5cadmin", "", "", "path_encoded_delimiter"},
	{"encoded backslashes around dots", "/api/%5c..%5cadmin", "", "", "path_encoded_delimiter"},
	{"single dot", "/api/./x", "", "", "path_dot_segment"},
	{"encoded single dot", "/api/%2e/x", "", "", "path_dot_segment"},
	{"an encoded letter is that letter", "/%61pi/x", "/api/x", "/api/x", ""},
	{"case is kept", "/API/x", "/API/x", "/API/x", ""},
	{"a trailing slash is kept", "/api/x/", "/api/x/", "/api/x/", ""},
	{"NUL", "/api/x%00", "", "", "path_control_character"},
	{"CR LF", "/api/x%0d%0aX:1", "", "", "path_control_character"},
	{"a trailing space is part of the name", "/api/x%20", "/api/x ", "/api/x%20", ""},
	{"a fragment", "/api/x#f", "", "", "path_delimiter"},
	{"an encoded fragment", "/api/x%23f", "", "", "path_encoded_delimiter"},
	{"an encoded query", "/api/x%3fa=b", "", "", "path_encoded_delimiter"},
	{"a raw byte that is no UTF-8", "/api/\x80", "", "", "path_not_utf8"},
	{"an encoded byte that is no UTF-8", "/api/%80", "", "", "path_not_utf8"},
	{"overlong dots", "/api/%c0%ae%c0%ae/admin", "", "", "path_not_utf8"},
	{"overlong slash", "/api/..%c0%afadmin", "", "", "path_not_utf8"},
	{"fullwidth dots and slash", "/api/\uFF0E\uFF0E\uFF0Fadmin", "", "", "path_slash_alike"},
	{"fullwidth dots, encoded", "/api/%EF%BC%8E%EF%BC%8E/admin", "", "", "path_dot_segment"},
	{"too long", "/" + strings.Repeat("a", 8192), "", "", "path_too_long"},
	{"as long as may be", "/" + strings.Repeat("a", 8191), "/" + strings.Repeat("a", 8191), "/" + strings.Repeat("a", 8191), ""},
	// forms of the target
	{"empty", "", "", "", "path_not_absolute"},
	{"asterisk", "*", "", "", "path_not_absolute"},
	{"no slash in front", "api/x", "", "", "path_not_absolute"},
	{"root", "/", "/", "/", ""},
	// dots
	{"dots at the end", "/api/..", "", "", "path_dot_segment"},
	{"half-encoded dots", "/api/.%2e/x", "", "", "path_dot_segment"},
	{"three dots", "/api/.../x", "", "", "path_dot_segment"},
	{"dots and a space, as Windows drops it", "/api/..%20/x", "", "", "path_dot_segment"},
	{"a space and dots", "/api/%20../x", "", "", "path_dot_segment"},
	{"two-dot leader", "/api/\u2025/x", "", "", "path_dot_segment"},
	{"an ellipsis in a name", "/api/wait%E2%80%A6/x", "/api/wait…/x", "/api/wait%E2%80%A6/x", ""},
	{"dots in a name", "/api/..a/b..c/.well-known", "/api/..a/b..c/.well-known", "/api/..a/b..c/.well-known", ""},
	{"an encoded dot in a name", "/api/x%2ejson", "/api/x.json", "/api/x.json", ""},
	// delimiters
	{"backslash", `/api\..\admin`, "", "", "path_delimiter"},
	{"semicolon", "/api;jsessionid=1/x", "", "", "path_delimiter"},
	{"encoded semicolon", "/api/..%3b/x", "", "", "path_encoded_delimiter"},
	{"encoded percent", "/api/100%25", "", "", "path_encoded_percent"},
	{"fullwidth backslash", "/api/%EF%BC%BC", "", "", "path_slash_alike"},
	// escapes
	{"broken escape", "/api/%zz", "", "", "path_bad_escape"},
	{"escape cut off", "/api/%4", "", "", "path_bad_escape"},
	{"percent alone", "/api/%", "", "", "path_bad_escape"},
	{"IIS's own escape", "/api/%u002e", "", "", "path_bad_escape"},
	{"lower-case digits are raised", "/api/caf%c3%a9", "/api/café", "/api/caf%C3%A9", ""},
	{"a raw letter is encoded", "/api/café", "/api/café", "/api/caf%C3%A9", ""},
	{"a raw bar is encoded", "/api/a|b", "/api/a|b", "/api/a%7Cb", ""},
	{"reserved characters stay as they were sent", "/api/a%40b+c%2Bd!e%21", "/api/a@b+c+d!e!", "/api/a%40b+c%2Bd!e%21", ""},
	// control characters
	{"raw tab", "/api/\t", "", "", "path_control_character"},
	{"raw DEL", "/api/\x7f", "", "", "path_control_character"},
	{"C1 control", "/api/%C2%85", "", "", "path_control_character"},
}

// PRX-20, PRX-21
func TestOnePathOrNone(t *testing.T) {
	for _, tt := range paths {
		t.Run(tt.name, func(t *testing.T) {
			path, encoded, reason := edge.Canonical(tt.raw)
			if path != tt.path || encoded != tt.encoded || reason != tt.reason {
				t.Errorf("Canonical(%q) = %q, %q, %q; want %q, %q, %q", tt.raw, path, encoded, reason, tt.path, tt.encoded, tt.reason)
			}
		})
	}
}

// PRX-20: what the checks decide about and what an upstream serves is the same path, over net/http on both sides.
func TestUpstreamServesThePathThatWasChecked(t *testing.T) {
	for _, tt := range paths {
		t.Run(tt.name, func(t *testing.T) {
			var checked, sent string
			h := edge.Chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				checked, sent = r.URL.Path, r.URL.EscapedPath()
				if want := sent; r.RequestURI != want {
					t.Errorf("RequestURI = %q, want %q", r.RequestURI, want)
				}
			}), edge.RequestID(), edge.CanonicalPath())
			target, err := url.ParseRequestURI(tt.raw)
			if err != nil {
				return // net/http answers 400 by itself
			}
			r := &http.Request{Method: "GET", URL: target, RequestURI: tt.raw, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if tt.reason != "" || strings.Contains(tt.raw, "?") {
				if w.Code != http.StatusBadRequest || checked != "" {
					t.Errorf("%q: status %d, handler saw %q; want 400 and nothing", tt.raw, w.Code, checked)
				}
				return
			}
			served, err := url.ParseRequestURI(sent)
			if err != nil || checked != tt.path || served.Path != checked || !clean(served.Path) {
				t.Errorf("%q: checked %q, sent %q, served %v (%v)", tt.raw, checked, sent, served, err)
			}
		})
	}
}

// clean reports whether a server that cleans paths would serve p itself.
func clean(p string) bool {
	c := stdpath.Clean(p)
	return c == p || c+"/" == p
}

// PRX-20, PRX-21: the tables of look-alikes are Unicode's.
func TestLookAlikesAreThoseOfUnicode(t *testing.T) {
	for c := rune(0x80); c <= unicode.MaxRune; c++ {
		folded := norm.NFKC.String(string(c))
		if folded == string(c) {
			continue
		}
		segment := "/a/" + string(c) + "/b"
		_, _, reason := edge.Canonical(segment)
		if dangerous := strings.ContainsAny(folded, `/\`) || strings.Trim(folded, ".") == ""; dangerous && reason == "" {
			t.Errorf("%U becomes %q elsewhere and was let through", c, folded)
		}
	}
}

// PRX-20, PRX-21
func FuzzCanonical(f *testing.F) {
	for _, tt := range paths {
		f.Add(tt.raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		path, encoded, reason := edge.Canonical(raw)
		if reason != "" {
			if path != "" || encoded != "" {
				t.Fatalf("Canonical(%q) refused (%s) and still returned %q, %q", raw, reason, path, encoded)
			}
			return
		}
		for range 3 { // as it is, and decoded once and twice more
			if !clean(path) || strings.ContainsAny(path, "\\;?#%") || strings.ContainsFunc(path, unicode.IsControl) {
				t.Fatalf("Canonical(%q) let %q through", raw, path)
			}
			again, err := url.PathUnescape(path)
			if err != nil || again != path {
				t.Fatalf("Canonical(%q) = %q, which decodes once more to %q (%v)", raw, path, again, err)
			}
		}
		u, err := url.ParseRequestURI(encoded)
		if err != nil || u.Path != path || u.RawQuery != "" || u.Host != "" {
			t.Fatalf("Canonical(%q) = %q, %q, but the latter parses as %#v (%v)", raw, path, encoded, u, err)
		}
		if p, e, reason := edge.Canonical(encoded); p != path || e != encoded || reason != "" {
			t.Fatalf("Canonical(%q) = %q, but of that it is %q, %q, %s", raw, encoded, p, e, reason)
		}
	})
}

// PRX-25
func TestQueryReadsTheSameToEveryParser(t *testing.T) {
	for _, tt := range []struct{ name, query, reason string }{
		{"empty", "", ""},
		{"ordinary", "a=1&b=%20x&c", ""},
		{"a semicolon is a character", "a=1;b=2", ""},
		{"escaped line breaks are text", "a=%0d%0a", ""},
		{"other encodings than UTF-8 are the upstream's", "a=%e9", ""},
		{"broken escape", "a=%zz", "query_bad_escape"},
		{"escape cut off", "a=%4", "query_bad_escape"},
		{"escaped NUL", "a=x%00y", "query_control_character"},
		{"raw control character", "a=\x01", "query_control_character"},
		{"raw DEL", "a=\x7f", "query_control_character"},
		{"raw space", "a=b c", "query_control_character"},
		{"a fragment", "a=b#c", "query_fragment"},
		{"as many parameters as may be", strings.Repeat("a&", 9_999), ""},
		{"more parameters than rules would see", strings.Repeat("a&", 10_000) + "role=admin", "query_too_many_parameters"},
	} {
		if got := edge.CanonicalQuery(tt.query); got != tt.reason {
			t.Errorf("%s: CanonicalQuery = %q, want %q", tt.name, got, tt.reason)
		}
		r := httptest.NewRequest("GET", "/x", nil)
		r.URL.RawQuery = tt.query
		w := httptest.NewRecorder()
		var seen string
		edge.Chain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.URL.RawQuery }), edge.CanonicalPath()).ServeHTTP(w, r)
		if tt.reason == "" && seen != tt.query || tt.reason != "" && (w.Code != 400 || seen != "") {
			t.Errorf("%s: status %d, handler saw %q", tt.name, w.Code, seen)
		}
	}
}
