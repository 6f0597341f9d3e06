package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// hostile is what an upstream may say that must not reach a browser.
var hostile = strings.Fields(`Set-Cookie Set-Cookie2 SET-COOKIE set_cookie Server X-Powered-By Via Access-Control-Allow-Origin Access-Control-Allow-Credentials Clear-Site-Data
	Strict-Transport-Security Public-Key-Pins Public-Key-Pins-Report-Only Alt-Svc Refresh Service-Worker-Allowed NEL Report-To Reporting-Endpoints SourceMap X-SourceMap
	WWW-Authenticate Proxy-Authenticate DPoP-Nonce Authentication-Info Content-Security-Policy X-Frame-Options Referrer-Policy Permissions-Policy
	Cross-Origin-Opener-Policy Cross-Origin-Embedder-Policy Cross-Origin-Resource-Policy X-Content-Type-Options X-Internal-Node X-Request-Id X-Cloakroom
	CDN-Cache-Control Surrogate-Control X-Accel-Redirect X-Sendfile X-AspNet-Version Content-Location Trailer Keep-Alive`)

func hostileLines(value string) string {
	var b strings.Builder
	for _, h := range hostile {
		fmt.Fprintf(&b, "%s: %s\r\n", h, value)
	}
	return b.String()
}

func TestWhatAnUpstreamMustNotSayToABrowser(t *testing.T) { // HDR-09 CK-07 V-05
	for name, answer := range map[string]string{
		"200":                                "HTTP/1.1 200 OK\r\n" + hostileLines("__Host-Http-session=evil") + "Content-Length: 2\r\n\r\nok",
		"304":                                "HTTP/1.1 304 Not Modified\r\n" + hostileLines("__Host-Http-session=evil") + "\r\n",
		"401":                                "HTTP/1.1 401 Unauthorized\r\n" + hostileLines("__Host-Http-session=evil") + "Content-Length: 0\r\n\r\n",
		"folded":                             "HTTP/1.1 200 OK\r\nX-Ok: 1\r\nSet-Cookie: a=__Host-Http-session=evil;\r\n Path=/\r\nContent-Length: 0\r\n\r\n",
		"in a 103":                           "HTTP/1.1 103 Early Hints\r\n" + hostileLines("__Host-Http-session=evil") + "Link: </x>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"in a trailer":                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie, X-T\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: __Host-Http-session=evil\r\nX-T: 1\r\n\r\n",
		"in a trailer that nobody announced": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: __Host-Http-session=evil\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			up, _ := rawUpstream(t, answer)
			g := newGateway(t, up, nil)
			got, _ := raw(t, g.URL, "GET /x HTTP/1.1\r\nHost: app\r\nConnection: close\r\nTE: trailers\r\n\r\n")
			if strings.Contains(got, "evil") || !strings.HasPrefix(got, "HTTP/1.1 ") || strings.Contains(got, "X-T:") {
				t.Errorf("client got %q", got)
			}
			if strings.HasPrefix(got, "HTTP/1.1 103") { // V-13 PRX-16
				t.Errorf("a 1xx came through: %q", got)
			}
		})
	}
}

func TestWhatAnUpstreamMaySay(t *testing.T) {
	up, _ := rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"1\"\r\nX-Total-Count: 7\r\nContent-Encoding: br\r\nLink: </x?page=2>; rel=next\r\nContent-Disposition: attachment\r\nVary: Accept\r\nContent-Length: 2\r\n\r\n{}")
	g := newGateway(t, up, nil)
	res, body := get(t, g.URL+"/x")
	for h, want := range map[string]string{"Content-Type": "application/json", "Etag": `"1"`, "X-Total-Count": "7", "Content-Encoding": "br", "Link": "</x?page=2>; rel=next", "Content-Disposition": "attachment", "Vary": "Accept"} {
		if res.Header.Get(h) != want {
			t.Errorf("%s: got %q, want %q", h, res.Header.Get(h), want)
		}
	}
	if body != "{}" {
		t.Errorf("body: got %q", body)
	}
}

func TestTenThousandEarlyHintsAreBounded(t *testing.T) { // PRX-16
	up, _ := rawUpstream(t, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 10_000)+"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	g := newGateway(t, up, nil)
	if res, _ := get(t, g.URL+"/x"); res.StatusCode != 502 {
		t.Errorf("got %d, want 502", res.StatusCode)
	}
}

func TestATokenThatComesBackInAHeaderIsDropped(t *testing.T) {
	g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		w.Header().Set("X-Other", "fine")
	}), nil)
	res, _ := get(t, g.URL+"/x")
	if res.Header.Get("X-Echo") != "" || res.Header.Get("X-Other") != "fine" {
		t.Errorf("got %v", res.Header)
	}
}

func TestCaching(t *testing.T) { // HDR-12
	for _, c := range []struct{ name, auth, bearer, upstream, want, vary string }{
		{"nothing said", "required", token, "", "no-store", ""},
		{"public is overridden", "required", token, "public, max-age=600", "no-store", ""},
		{"max-age alone is overridden", "required", token, "max-age=600", "no-store", ""},
		{"private is the upstream's own policy, and varies with the cookie", "required", token, "private, max-age=60", "private, max-age=60", "Cookie"},
		{"private for some fields only is not", "required", token, `private="x", max-age=60`, "no-store", ""},
		{"private and public at once", "required", token, "private, public", "no-store", ""},
		{"private with a time for shared caches", "required", token, "private, s-maxage=9", "no-store", ""},
		{"optional, signed in", "optional", token, "public", "no-store", ""},
		{"optional, anonymous", "optional", "", "public, max-age=5", "public, max-age=5", "Cookie"},
		{"open route", "none", "", "public, max-age=5", "public, max-age=5", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
				if c.upstream != "" {
					w.Header().Set("Cache-Control", c.upstream)
				}
			}), func(conf *Config, caller *Caller) { conf.Auth, caller.Bearer = c.auth, c.bearer })
			res, _ := get(t, g.URL+"/x.css")
			if got := strings.Join(res.Header["Cache-Control"], "; "); got != c.want || res.Header.Get("Vary") != c.vary {
				t.Errorf("got %q, Vary %q; want %q, %q", got, res.Header.Get("Vary"), c.want, c.vary)
			}
		})
	}
}

func TestRedirects(t *testing.T) { // PRX-27 BBA-6.1-20
	c := conf("/api/")
	c.StripPrefix = "/api"
	rt := compile(t, c).routes[0]
	asked, _ := url.Parse("http://orders:9001/v2/orders/7")
	for _, c := range []struct{ name, location, want string }{
		{"absolute on the upstream", "http://orders:9001/v2/orders/8?a=1;b#f", "/api/orders/8?a=1;b#f"},
		{"in other letters", "HTTP://ORDERS:9001/v2/x", "/api/x"},
		{"path", "/v2/orders/8", "/api/orders/8"},
		{"base path alone", "/v2", "/api"},
		{"escapes stay", "/v2/a%2Cb%20c", "/api/a%2Cb%20c"},
		{"relative path", "8", "/api/orders/8"},
		{"relative query", "?page=2", "/api/orders/7?page=2"},
		{"relative upwards", "../users", "/api/users"},
		{"out of the base path", "/admin", ""},
		{"out of the base path by dots", "/v2/../admin", ""},
		{"out of the base path by a similar name", "/v2x/a", ""},
		{"out of the base path by escaped dots", "/v2/%2e%2e/admin", ""},
		{"empty segment", "/v2//evil.test", ""},
		{"other port of the upstream", "http://orders:9002/v2/x", ""},
		{"other scheme of the upstream", "https://orders/v2/x", ""},
		{"our own origin", "https://app.example.com/welcome", "https://app.example.com/welcome"},
		{"our own name by http", "http://app.example.com/welcome", ""},
		{"internal host", "http://internal:8080/x", ""},
		{"internal host by https", "https://internal/x", ""},
		{"cluster name", "https://orders.payments.svc.cluster.local/x", ""},
		{"short cluster name", "https://orders.payments.svc/x", ""},
		{"cloud-internal name", "https://ip-10-0-0-1.eu-west-1.compute.internal/", ""},
		{"IP address", "https://10.0.0.1/x", ""},
		{"IPv6 address", "https://[fd00::1]/x", ""},
		{"localhost", "https://localhost/x", ""},
		{"public https", "https://bucket.s3.amazonaws.com/key?sig=1", "https://bucket.s3.amazonaws.com/key?sig=1"},
		{"public https, second level", "https://pay.example.co.uk/x", "https://pay.example.co.uk/x"},
		{"public http", "http://pay.example.com/x", ""},
		{"network path", "//evil.example.com/x", ""},
		{"user name", "https://app.example.com@evil.example.org/x", ""},
		{"backslash", `/\evil.example.com`, ""},
		{"javascript", "javascript:alert(1)", ""},
		{"no URL", "http://[::1", ""},
		{"leading space", " /v2/x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := rt.location(c.location, asked, Caller{Proto: "https", Host: "app.example.com"})
			if ok != (c.want != "") || ok && got != c.want {
				t.Errorf("%q: got %q, %v, want %q", c.location, got, ok, c.want)
			}
		})
	}
}

func TestARedirectToOurOwnOriginPassesWhereBothAreOnOneHost(t *testing.T) { // as in development
	c := conf("/")
	c.Upstream = "http://localhost:9001"
	rt := compile(t, c).routes[0]
	asked, _ := url.Parse("http://localhost:9001/a")
	for location, want := range map[string]string{
		"http://localhost:8080/b": "http://localhost:8080/b",
		"http://localhost:9001/b": "/b",
		"http://localhost:9002/b": "",
	} {
		if got, _ := rt.location(location, asked, Caller{Proto: "http", Host: "localhost:8080"}); got != want {
			t.Errorf("%s: got %q, want %q", location, got, want)
		}
	}
}

func TestAnAnswerWithoutATypeGetsNone(t *testing.T) { // HDR-04
	const page = "<html><script>alert(1)</script>"
	up, _ := rawUpstream(t, "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n"+page)
	g := newGateway(t, up, nil)
	for _, front := range []string{g.URL, newTLSFront(t, g)} {
		if res, body := get(t, front+"/upload"); res.Header["Content-Type"] != nil || body != page {
			t.Errorf("%s: Content-Type %q, body %q", res.Proto, res.Header["Content-Type"], body)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) { // PRX-27 BBA-6.1-20
	second := newEcho(t)
	for _, c := range []struct {
		status   int
		location string
		want     int
		header   string
	}{
		{302, second.URL + "/steal", 502, ""},
		{307, second.URL + "/steal", 502, ""},
		{302, "/next", 302, "/next"},
		{201, second.URL + "/made", 201, ""},
		{201, "/made", 201, "/made"},
	} {
		g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", c.location)
			w.Header().Set("Alt-Svc", `h2="`+second.URL+`"`)
			w.WriteHeader(c.status)
		}), nil)
		res, _ := get(t, g.URL+"/x")
		if res.StatusCode != c.want || res.Header.Get("Location") != c.header {
			t.Errorf("%d to %s: got %d, %q", c.status, c.location, res.StatusCode, res.Header.Get("Location"))
		}
	}
	if second.requests() > 0 {
		t.Error("the second server was asked")
	}
}

func TestAnswersThatDoNotParseEndHere(t *testing.T) { // PRX-12
	const next = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
	for _, c := range []struct{ name, answer string }{
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\nok"},
		{"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nleftover"},
		{"more than the length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nleftover"},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nleftover"},
		{"no HTTP at all", "leftover leftover leftover\r\n\r\n"},
		{"line break in a header", "HTTP/1.1 200 OK\r\nX-A: a\rleftover\r\nContent-Length: 0\r\n\r\n"},
		{"control character in a name", "HTTP/1.1 200 OK\r\nX\x01A: leftover\r\nContent-Length: 0\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			up, _ := rawUpstream(t, c.answer, next)
			g := newGateway(t, up, nil)
			first, _ := raw(t, g.URL, "GET /alice HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
			second, _ := raw(t, g.URL, "GET /bob HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
			if strings.Contains(first+second, "leftover") {
				t.Errorf("leftovers: %q then %q", first, second)
			}
		})
	}
}

func TestNothingSplitsAHeader(t *testing.T) { // HDR-11
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	answer, _ := raw(t, g.URL, "GET /x?a=%0d%0aSet-Cookie:%20evil HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
	if got := up.request().URI; got != "/x?a=%0d%0aSet-Cookie:%20evil" || strings.Contains(strings.ToLower(answer), "\nset-cookie") {
		t.Errorf("upstream got %q, client %q", got, answer)
	}
}

func TestNothingSaysWhoWeAre(t *testing.T) { // HDR-10
	g := newGateway(t, newEcho(t).URL, nil)
	res, _ := get(t, g.URL+"/x")
	for _, h := range []string{"Server", "Via", "X-Powered-By"} {
		if v := res.Header[h]; v != nil {
			t.Errorf("%s: %q", h, v)
		}
	}
}

func TestPublicNames(t *testing.T) {
	yes := []string{"example.com", "a.b.example.co.uk", "bucket.s3.amazonaws.com", "x.github.io", "example.com."}
	no := []string{"com", "co.uk", "internal", "a.internal", "a.local", "a.lan", "orders.payments.svc", "10.0.0.1", "::1", "", "localhost", "printer.home.arpa."}
	for _, h := range yes {
		if !public(h) {
			t.Errorf("%q is public", h)
		}
	}
	for _, h := range no {
		if public(h) {
			t.Errorf("%q is not public", h)
		}
	}
}

func TestTheUpstreamsHeadersStandBesideTheChains(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Vary"], w.Header()["X-Custom"] = []string{"Accept", "Accept-Language"}, []string{"a", "b"}
		w.Header().Set("Content-Type", "application/json")
	})
	c := conf("/")
	c.Upstream = up
	rt := compile(t, c).routes[0]
	chain := []string{"Origin"}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Vary"], w.Header()["X-Ours"] = chain, []string{"1"}
		rt.Forward(w, r, Caller{Proto: "https", Host: "app.example.com"})
	}))
	t.Cleanup(front.Close)
	for range 2 { // the chain's values are shared by all answers: they must not grow
		res, _ := get(t, front.URL+"/x")
		for name, want := range map[string][]string{"Vary": {"Origin", "Accept", "Accept-Language"}, "X-Custom": {"a", "b"}, "X-Ours": {"1"}, "Content-Type": {"application/json"}} {
			if !slices.Equal(res.Header[name], want) {
				t.Errorf("%s: got %q, want %q", name, res.Header[name], want)
			}
		}
	}
}
