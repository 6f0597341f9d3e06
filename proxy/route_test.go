package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/units"
)

// conf is a route with the defaults of the reference file.
func conf(path string, methods ...string) Config {
	return Config{Path: path, Methods: methods, Upstream: "http://orders:9001/v2", Auth: "required",
		Timeout: 5 * time.Second, Idle: 5 * time.Second, Request: RequestConfig{MaxBody: units.MiB}}
}

func compile(t testing.TB, routes ...Config) *Table {
	t.Helper()
	table, err := Compile(routes, nil, Deps{OnError: func(w http.ResponseWriter, r *http.Request, err error) { w.WriteHeader(502) }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

func TestMatchFindsTheMostSpecificRoute(t *testing.T) {
	table := compile(t, conf("/"), conf("/api/"), conf("/api/orders/{id}"), conf("/api/orders/mine", "GET"), conf("/api/orders/mine", "POST", "PUT"),
		conf("/files/{rest...}"), conf("/only/{$}"), conf("/a/"), conf("/a", "GET"), conf("/w/{x}/"), conf("/größe/x"), conf("/upload", "POST"))
	for _, c := range []struct {
		name, method, path string
		want               string // the route's number, or Allow, or "none"
	}{
		{"prefix takes everything below", "GET", "/api/x/y", "1"},
		{"prefix takes itself", "DELETE", "/api/", "1"},
		{"prefix takes itself without the slash, without a redirect", "POST", "/api", "1"},
		{"wildcard beats prefix", "GET", "/api/orders/7", "2"},
		{"literal beats wildcard, method tells identical patterns apart", "GET", "/api/orders/mine", "3"},
		{"second of identical patterns", "PUT", "/api/orders/mine", "4"},
		{"HEAD goes where GET goes (AUZ-02)", "HEAD", "/api/orders/mine", "3"},
		{"BBA-6.1-17: other methods of the path get 405 and do not fall to a wider route", "DELETE", "/api/orders/mine", "GET HEAD POST PUT"},
		{"BBA-6.1-17: unknown methods get 405", "FOO", "/upload", "POST"},
		{"BBA-6.1-17: OPTIONS is no bypass", "OPTIONS", "/upload", "POST"},
		{"a route without methods takes unknown ones", "PROPFIND", "/api/x", "1"},
		{"PRX-13: TRACE is never matched", "TRACE", "/api/x", "GET HEAD POST PUT PATCH DELETE OPTIONS"},
		{"PRX-13: TRACE in any case of letters", "tRaCe", "/api/x", "GET HEAD POST PUT PATCH DELETE OPTIONS"},
		{"PRX-13: CONNECT is never matched", "CONNECT", "/api/x", "GET HEAD POST PUT PATCH DELETE OPTIONS"},
		{"rest wildcard", "GET", "/files/a/b", "5"},
		{"rest wildcard takes the bare path", "GET", "/files", "5"},
		{"{$} takes the slash alone", "GET", "/only/", "6"},
		{"{$} takes nothing below", "GET", "/only/x", "0"},
		{"{$} takes the bare path without a redirect", "GET", "/only", "6"},
		{"an explicit bare path wins over the prefix's", "GET", "/a", "8"},
		{"and keeps its own methods", "POST", "/a", "GET HEAD"},
		{"wildcard prefix without its slash", "GET", "/w/7", "9"},
		{"decoded path with an umlaut", "GET", "/größe/x", "10"},
		{"case of letters counts (PRX-24)", "GET", "/API/x", "0"},
		{"/bff is never matched", "GET", "/bff", "none"},
		{"nothing under /bff is matched", "POST", "/bff/logout", "none"},
		{"/bffx is a path like others", "GET", "/bffx", "0"},
		{"a path that is not clean matches nothing", "GET", "/api/../admin", "none"},
		{"double slash matches nothing", "GET", "//api/x", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", nil)
			r.URL.Path = c.path
			route, allow := table.Match(r)
			got := "none"
			switch {
			case route != nil:
				got = fmt.Sprint(route.index)
			case allow != nil:
				got = strings.Join(allow, " ")
			}
			if got != c.want {
				t.Errorf("%s %s: got %s, want %s", c.method, c.path, got, c.want)
			}
		})
	}
}

func TestMatchLooksAtNothingButPathAndMethod(t *testing.T) { // PRX-23
	table := compile(t, conf("/api/private"), conf("/public/"))
	r := httptest.NewRequest("GET", "/api/private?x=/public/", nil)
	for _, h := range []string{"X-Forwarded-Uri", "X-Original-URL", "X-Rewrite-URL", "User-Agent"} {
		r.Header.Set(h, "/public/")
	}
	r.Host = "public"
	if route, _ := table.Match(r); route == nil || route.Config.Path != "/api/private" {
		t.Errorf("got %+v, want the private route", route)
	}
}

func TestRoutesThatCannotStandSideBySide(t *testing.T) {
	for _, c := range []struct {
		name   string
		routes []Config
		want   string // part of the reason; "" for no conflict
	}{
		{"identical, disjoint methods", []Config{conf("/a", "GET"), conf("/a", "POST")}, ""},
		{"identical, same method", []Config{conf("/a", "GET", "POST"), conf("/a", "POST")}, "POST"},
		{"identical, GET includes HEAD", []Config{conf("/a", "GET"), conf("/a", "HEAD")}, "HEAD"},
		{"identical, one takes all", []Config{conf("/a"), conf("/a", "POST")}, "any method"},
		{"identical, the other takes all", []Config{conf("/a", "POST"), conf("/a")}, "any method"},
		{"identical but for wildcard names", []Config{conf("/a/{x}"), conf("/a/{y}")}, "any method"},
		{"identical but for wildcard names, disjoint methods", []Config{conf("/a/{x}", "GET"), conf("/a/{y}", "PUT")}, ""},
		{"prefix and its long form", []Config{conf("/a/"), conf("/a/{rest...}")}, "any method"},
		{"neither more specific", []Config{conf("/{x}/b"), conf("/a/{y}")}, "neither is more specific"},
		{"neither more specific, even with disjoint methods", []Config{conf("/{x}/b", "GET"), conf("/a/{y}", "POST")}, "neither is more specific"},
		{"only the bare path overlaps", []Config{conf("/a/{x}/"), conf("/{y}/b")}, "neither is more specific"},
		{"prefix and its bare path", []Config{conf("/a/"), conf("/a")}, ""},
		{"prefix and wildcard", []Config{conf("/a/"), conf("/{x}")}, ""},
		{"more specific", []Config{conf("/a/"), conf("/a/b/"), conf("/a/{x}/")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Conflicts(c.routes)
			_, err := Compile(c.routes, nil, Deps{}, nil)
			if c.want == "" {
				if len(got) > 0 || err != nil {
					t.Fatalf("got %v, %v, want none", got, err)
				}
				return
			}
			if len(got) != 1 || got[0].A != 0 || got[0].B != 1 || !strings.Contains(got[0].Reason, c.want) {
				t.Fatalf("got %+v, want routes 0 and 1 because of %q", got, c.want)
			}
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", c.routes[0].Path)) || !strings.Contains(err.Error(), fmt.Sprintf("%q", c.routes[1].Path)) {
				t.Errorf("error %v does not name both paths", err)
			}
		})
	}
}

func TestRoutesThatDoNotCompile(t *testing.T) {
	with := func(change func(*Config)) Config { c := conf("/api/orders/{id}"); change(&c); return c }
	for name, c := range map[string]Config{
		"host":                          conf("evil.test/x"),
		"method":                        conf("GET /x"),
		"empty":                         conf(""),
		"under /bff":                    conf("/bff/extra"),
		"/bff itself":                   conf("/bff"),
		"/bff/{x}":                      conf("/bff/{x}"),
		"dot segment":                   conf("/a/../b"),
		"empty segment":                 conf("/a//b"),
		"escape":                        conf("/a%2fb"),
		"bad wildcard":                  conf("/a{x}"),
		"wildcard twice":                conf("/{x}/{x}"),
		"TRACE":                         conf("/x", "TRACE"),
		"TRACK":                         conf("/x", "TRACK"),
		"CONNECT":                       conf("/x", "CONNECT"),
		"small letters":                 conf("/x", "get"),
		"prefix not of the path":        with(func(c *Config) { c.StripPrefix = "/other" }),
		"prefix not of whole segments":  with(func(c *Config) { c.StripPrefix = "/api/ord" }),
		"prefix reaches into wildcards": with(func(c *Config) { c.StripPrefix = "/api/orders/{id}" }),
		"upstream of another scheme":    with(func(c *Config) { c.Upstream = "ftp://orders" }),
		"upstream with a password":      with(func(c *Config) { c.Upstream = "http://u:p@orders" }),
		"upstream with a query":         with(func(c *Config) { c.Upstream = "http://orders/?a" }),
		"upstream with dot segments":    with(func(c *Config) { c.Upstream = "http://orders/a/../b" }),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Compile([]Config{c}, nil, Deps{}, nil); err == nil {
				t.Errorf("route %+v compiled", c)
			}
		})
	}
}

func TestCompileReportsAllThatIsWrong(t *testing.T) {
	_, err := Compile([]Config{conf("x"), conf("/a"), conf("/a"), conf("/y", "TRACE")}, nil, Deps{}, nil)
	for _, want := range []string{`route 0 ("x")`, `route 1 ("/a") and route 2 ("/a")`, `route 3 ("/y")`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

func TestAllowIsSorted(t *testing.T) {
	table := compile(t, conf("/a", "PUT", "GET"), conf("/a", "DELETE"))
	_, allow := table.Match(httptest.NewRequest("POST", "/a", nil))
	if !slices.IsSorted(allow) || len(allow) != 4 {
		t.Errorf("got %v", allow)
	}
}
