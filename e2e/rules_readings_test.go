package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// readingRoutes have rules about what a client says, and about methods.
func readingRoutes(upstream string) string {
	return fmt.Sprintf(`  - {path: /tenants/, upstream: %[1]q, allow: {when: 'request.headers["x-tenant"] == "acme" && request.query.t == "acme"'}}
  - {path: /not-evil/, upstream: %[1]q, allow: {when: 'request.headers["x-tenant"] != "evil" && !("evil" in request.query) && request.query.t != "evil"'}}
  - {path: /read-only/, upstream: %[1]q, allow: {when: 'request.method == "GET"'}}
  - {path: /nobodys/, upstream: %[1]q, allow: {roles: [emperor]}}
`, upstream)
}

// tellings are ways to tell a rule one thing and the upstream another.
var tellings = []struct{ query, headers string }{
	{"t=acme", "X-Tenant: acme"}, {"t=acme&x=1", "x-tenant: acme"}, {"%74=acme", "X-TENANT: acme"}, {"t=ac%6de", "X-Tenant:  acme  "},
	{"t=acme", "X-Tenant: acme\r\nX-Tenant: evil"}, {"t=acme", "X-Tenant: evil\r\nX-Tenant: acme"}, {"t=acme", "X-Tenant: acme, evil"}, {"t=acme", "X-Tenant: acme\r\nx-tenant: acme"},
	{"t=acme", "X_Tenant: evil\r\nX-Tenant: acme"}, {"t=acme", "X-Tenant: acme\r\nX_Tenant: evil"}, {"t=acme", "X_Tenant: acme"}, {"t=acme", "X-Tenant: acme\r\nConnection: x-tenant"},
	{"t=acme", "X-Tenant: acme\r\nConnection: close, X-Tenant"}, {"t=acme", "X-Tenant: ACME"}, {"t=acme", "X-Tenant: acme\t"}, {"t=acme", "X-Tenant:"},
	{"t=acme&t=evil", "X-Tenant: acme"}, {"t=evil&t=acme", "X-Tenant: acme"}, {"t=acme&t=acme", "X-Tenant: acme"}, {"T=evil&t=acme", "X-Tenant: acme"}, {"t=acme&T=evil", "X-Tenant: acme"},
	{"t[]=evil&t=acme", "X-Tenant: acme"}, {"t=acme&t%5B%5D=evil", "X-Tenant: acme"}, {"t=acme&t[0]=evil", "X-Tenant: acme"}, {"t=acme;t=evil", "X-Tenant: acme"}, {"x;t=evil&t=acme", "X-Tenant: acme"},
	{"t=acme&%74=evil", "X-Tenant: acme"}, {"t=acme&+t=evil", "X-Tenant: acme"}, {"t=acme&t+=evil", "X-Tenant: acme"}, {"t=acme%00", "X-Tenant: acme"}, {"t=acme&t%00=evil", "X-Tenant: acme"},
	{"t=acme#&t=evil", "X-Tenant: acme"}, {"t=acme?t=evil", "X-Tenant: acme"}, {"t=acme&t.x=evil", "X-Tenant: acme"}, {"t=acme&amp;t=evil", "X-Tenant: acme"}, {"", "X-Tenant: acme"}, {"t=acme", "X-Other: acme"},
	{"t=%EF%BD%81cme", "X-Tenant: acme"}, {"t=acme%20", "X-Tenant: acme"}, {"t=acme&t", "X-Tenant: acme"}, {"t&t=acme", "X-Tenant: acme"}, {strings.Repeat("a&", 300) + "t=acme", "X-Tenant: acme"},
}

// AUZ-04, AUZ-02: what comes through is what the rule has judged: the upstream sees one value of each thing that was asked about, the right one, however it was told. The first few are the same thing in other words, and do come through.
func TestARuleAndTheUpstreamReadTheSame(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("tess")
	for n, telling := range tellings {
		for _, route := range []string{"tenants", "not-evil"} {
			path := fmt.Sprintf("/%s/%d", route, n)
			a := s.ask(s.authorized(b, "GET "+path+"?"+telling.query) + telling.headers + "\r\n\r\n")
			if n < 4 && a.Status != 200 {
				t.Errorf("%s %q %q: %d%s", route, telling.query, telling.headers, a.Status, s.brief(a))
			}
			for _, r := range reached(s.Upstream, path+"?") {
				_, query, _ := strings.Cut(r.Target, "?")
				values, err := url.ParseQuery(query)
				read := values["t"]
				if route == "tenants" && (err != nil || !slices.Equal(read, []string{"acme"}) || !slices.Equal(r.Values("X-Tenant"), []string{"acme"})) || slices.Contains(r.Values("X-Tenant"), "evil") {
					t.Errorf("%s %q %q: the upstream read %v and %q", route, telling.query, telling.headers, read, r.Values("X-Tenant"))
				}
			}
		}
	}
	if n := len(reached(s.Upstream, "/tenants/")); n < 4 || n > 8 {
		t.Errorf("%d of %d came through", n, len(tellings))
	}
}

// AUZ-02: HEAD is GET, OPTIONS opens nothing, and a method that hides in a header, in the query or in small letters is none.
func TestMethodsAndRules(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("theo")
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "POST": 403, "DELETE": 403, "PATCH": 403, "get": 403, "GeT": 403, "QUERY": 403} {
		a := s.sends(b, method, "/read-only/theo", "X-Http-Method-Override: GET")
		if a.Status != status && !(status == 403 && a.Status == 405) {
			t.Errorf("%s: %d, want %d", method, a.Status, status)
		}
	}
	for _, r := range reached(s.Upstream, "/read-only/theo") {
		if r.Method != "GET" && r.Method != "HEAD" || len(r.Values("X-Http-Method-Override")) > 0 {
			t.Errorf("%s came through, as %q", r.Method, r.Values("X-Http-Method-Override"))
		}
	}
	s.unreached("/nobodys/", func() {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "TRACE", "PROPFIND"} {
			for _, header := range []string{"", "Access-Control-Request-Method: GET", "Upgrade: websocket"} {
				s.sends(b, method, "/nobodys/x", header)
			}
		}
	})
}

// unreached demands that nothing comes through below a path.
func (s *story) unreached(path string, f func()) {
	s.Helper()
	f()
	if got := reached(s.Upstream, path); len(got) > 0 {
		s.Errorf("%s %s came through", got[0].Method, got[0].Target)
	}
}
