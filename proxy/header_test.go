package proxy

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var quiet = log.New(io.Discard, "", 0)

// identityHeaders is the requirement's list, written out here a second time on purpose.
var identityHeaders = strings.Fields(`Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-Uri
	X-Forwarded-User X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Access-Token X-Real-IP True-Client-IP CF-Connecting-IP X-Client-IP X-User-Id
	X-Auth-Request-User X-Auth-Request-Email X-SSL-Client-Verify X-SSL-Client-Cert X-Original-URL X-Rewrite-URL Proxy Remote-User X-Amzn-Oidc-Data
	Client-Cert DPoP X-HTTP-Method-Override X-HTTP-Method X-Method-Override X-Request-Id X-CSRF Proxy-Authorization Cookie Cookie2`)

func TestNoIdentityOfTheClientsOwnMakingGoesUp(t *testing.T) { // PRX-40 PRX-29
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	var lines strings.Builder
	for _, h := range identityHeaders {
		for _, variant := range []string{h, strings.ToLower(h), strings.ToUpper(h), strings.ReplaceAll(h, "-", "_"), strings.ReplaceAll(h, "-", "."), strings.Replace(h, "-", "_", 1)} {
			fmt.Fprintf(&lines, "%s: forged\r\n", variant)
		}
	}
	answer, _ := raw(t, g.URL, "POST /x HTTP/1.1\r\nHost: app\r\nConnection: close\r\nContent-Length: 0\r\n"+lines.String()+"\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Fatalf("got %q", answer)
	}
	got := up.request()
	for name, values := range got.Header {
		if slices.Contains(values, "forged") || strings.Contains(name, "_") {
			t.Errorf("upstream got %s: %q", name, values)
		}
	}
	want := http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Proto": {"https"},
		"Forwarded": {"for=192.0.2.1;host=app.example.com;proto=https"}, "X-Request-Id": {"req-1"}, "Authorization": {"Bearer " + token}, "Via": {"1.1 cloakroom-1"}}
	for name, v := range want { // BBA-6.1-25
		if !slices.Equal(got.Header[name], v) {
			t.Errorf("%s: got %q, want %q", name, got.Header[name], v)
		}
	}
	if got.Method != "POST" {
		t.Errorf("method: got %s", got.Method)
	}
}

func TestOrdinaryHeadersGoUp(t *testing.T) {
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	sent := map[string]string{"Accept": "application/json", "Accept-Language": "de", "User-Agent": "browser/1", "Content-Type": "application/json", "If-None-Match": `"e"`,
		"Idempotency-Key": "k", "X-Requested-With": "XMLHttpRequest", "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Origin": "https://app.example.com", "X-Xsrf-Token": "t",
		"Accept-Encoding": "gzip, br", "Range": "bytes=0-1"}
	r := newRequest(t, "POST", g.URL+"/x", "{}")
	for k, v := range sent {
		r.Header.Set(k, v)
	}
	do(t, r)
	got := up.request()
	for k, v := range sent {
		if got.Header.Get(k) != v {
			t.Errorf("%s: got %q, want %q", k, got.Header.Get(k), v)
		}
	}
	if got.Body != "{}" || got.Length != 2 {
		t.Errorf("body: got %q of length %d", got.Body, got.Length)
	}
}

func TestNoCookieGoesUp(t *testing.T) { // BBA-6.1-18
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	get(t, g.URL+"/x", "Cookie", "__Host-Http-session=ticket; theme=dark", "Cookie", "__Host-Http-login-1=sealed")
	if c := up.request().Header["Cookie"]; c != nil {
		t.Errorf("got %q", c)
	}
}

func TestTheBearerIsOursAlone(t *testing.T) { // BBA-6.1-19
	up := newEcho(t)
	for name, c := range map[string]struct {
		bearer string
		want   []string
	}{"with a session": {token, []string{"Bearer " + token}}, "without one": {"", nil}} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, up.URL, func(_ *Config, caller *Caller) { caller.Bearer = c.bearer })
			get(t, g.URL+"/x", "Authorization", "Bearer attacker", "Authorization", "Basic attacker")
			if got := up.request().Header["Authorization"]; !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheBearerIsOursAloneOverHTTP2(t *testing.T) { // BBA-6.1-19
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	h2 := newTLSFront(t, g)
	res, _ := get(t, h2+"/x", "Authorization", "Bearer attacker", "Cookie", "a=b")
	got := up.request().Header
	if res.ProtoMajor != 2 || !slices.Equal(got["Authorization"], []string{"Bearer " + token}) || got["Cookie"] != nil || got.Get("Via") != "2.0 cloakroom-1" {
		t.Errorf("HTTP/%d: got %v", res.ProtoMajor, got)
	}
}

func TestHopByHopFieldsStayHere(t *testing.T) { // PRX-01
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	raw(t, g.URL, "GET /x HTTP/1.1\r\nHost: app\r\nConnection: close, X-A\r\nX-A: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers, deflate\r\nTrailer: X-T\r\nUpgrade: foo\r\nHTTP2-Settings: AA\r\nProxy-Authenticate: x\r\n\r\n")
	got := up.request()
	if got.URI != "/x" {
		t.Fatal("nothing arrived")
	}
	for _, h := range []string{"Connection", "X-A", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Upgrade", "Http2-Settings", "Proxy-Authenticate", "Transfer-Encoding"} {
		if got.Header[h] != nil {
			t.Errorf("%s: got %q", h, got.Header[h])
		}
	}
}

func TestConnectionCannotNameWhatWeAdd(t *testing.T) { // PRX-02 V-03
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	get(t, g.URL+"/x", "Connection", "close, authorization, x-user-id, x-forwarded-for, forwarded, via, x-request-id, x-forwarded-host")
	got := up.request().Header
	for _, h := range []string{"Authorization", "X-Forwarded-For", "Forwarded", "Via", "X-Request-Id", "X-Forwarded-Host"} {
		if len(got[h]) != 1 {
			t.Errorf("%s: got %q", h, got[h])
		}
	}
}

func TestForwarded(t *testing.T) {
	for _, c := range []struct{ name, client, host, want string }{
		{"IPv4", "192.0.2.1", "app.example.com", "for=192.0.2.1;host=app.example.com;proto=https"},
		{"IPv6 and a port are quoted", "2001:db8::1", "app.example.com:8443", `for="[2001:db8::1]";host="app.example.com:8443";proto=https`},
		{"unknown", "", "app.example.com", "for=unknown;host=app.example.com;proto=https"},
	} {
		if got := forwarded(c.client, c.host, "https"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	x := &exchange{route: &Route{via: "c"}, in: &http.Request{}, caller: Caller{ClientIP: netip.Addr{}, Proto: "https", Host: "h"}}
	if h := x.outgoing(); h["X-Forwarded-For"] != nil {
		t.Errorf("unknown client: got %q", h["X-Forwarded-For"])
	}
}

func TestLoopsEnd(t *testing.T) { // PRX-14
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	res, _ := get(t, g.URL+"/x", "Via", "1.0 cdn, 1.1 cloakroom-1 (x)")
	if res.StatusCode != 508 || up.requests() != 0 {
		t.Errorf("got %d, upstream asked %d times", res.StatusCode, up.requests())
	}
	get(t, g.URL+"/x", "Via", "1.1 cloakroom-2")
	if got := up.request().Header.Get("Via"); got != "1.1 cloakroom-2, 1.1 cloakroom-1" {
		t.Errorf("Via: got %q", got)
	}
}

func TestAGatewayThatPointsAtItselfIsNotEndless(t *testing.T) { // PRX-14
	front := newGateway(t, "http://127.0.0.1:1", nil)
	front.table.routes[0].up.servers[0].host = strings.TrimPrefix(front.URL, "http://")
	if res, _ := get(t, front.URL+"/x"); res.StatusCode != 508 {
		t.Errorf("got %d, want 508", res.StatusCode)
	}
}

func TestOptionsWithoutHopsLeftIsAnsweredHere(t *testing.T) { // PRX-15
	up := newEcho(t)
	g := newGateway(t, up.URL, nil)
	res, _ := do(t, newRequest(t, "OPTIONS", g.URL+"/x", "", "Max-Forwards", "0"))
	if res.StatusCode != 204 || res.Header.Get("Allow") == "" || up.requests() != 0 {
		t.Errorf("got %d, upstream asked %d times", res.StatusCode, up.requests())
	}
	do(t, newRequest(t, "OPTIONS", g.URL+"/x", "", "Max-Forwards", "3"))
	if h := up.request().Header["Max-Forwards"]; up.requests() != 1 || !slices.Equal(h, []string{"2"}) {
		t.Errorf("Max-Forwards: got %q", h)
	}
}

// FuzzHeaderFilter: no denied name survives, in whatever way it is written.
func FuzzHeaderFilter(f *testing.F) {
	for _, h := range identityHeaders {
		f.Add(h, uint64(0x5555))
		f.Add(strings.ReplaceAll(h, "-", "_"), uint64(0))
	}
	f.Add("Set-Cookie", uint64(3))
	denied := map[string]bool{}
	for _, h := range identityHeaders {
		denied[fold(h)] = true
	}
	f.Fuzz(func(t *testing.T, name string, cases uint64) {
		b := []byte(name)
		for i := range b { // mix the case of letters
			if cases>>(i%64)&1 == 1 {
				b[i] = strings.ToUpper(string(b[i]))[0]
			}
		}
		for _, n := range []string{name, string(b), http.CanonicalHeaderKey(name), strings.ReplaceAll(name, "-", "_")} { // one by one: the order of a map would look like coverage
			f := fold(n)
			h := http.Header{n: {"v"}}
			if requestRule.filter(h); len(h) > 0 && (denied[f] || strings.HasPrefix(f, "x-forwarded-") || strings.HasPrefix(f, "x-auth-") || strings.HasPrefix(f, "x-ssl-")) {
				t.Errorf("request: %q survived", n)
			}
			h = http.Header{n: {"v"}}
			if responseRule.filter(h); len(h) > 0 && (strings.HasPrefix(f, "set-cookie") || strings.HasPrefix(f, "access-control-") || f == "strict-transport-security" || f == "server" || f == "clear-site-data") {
				t.Errorf("response: %q survived", n)
			}
		}
	})
}

// fold reads a name as CGI and the like do: every other character is as good as a hyphen.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}
