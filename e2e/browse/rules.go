package browse

import (
	"fmt"
	"net/http"
	"strings"
)

// forbidden are headers that no answer to a browser has: what upstreams say about themselves or try to
// decide for the origin (HDR-09, HDR-10), and HSTS, which has no meaning on plain http (HDR-01).
var forbidden = []string{
	"Server", "X-Powered-By", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Alt-Svc", "Refresh",
	"Service-Worker-Allowed", "Public-Key-Pins", "Nel", "Report-To", "Sourcemap", "Dpop-Nonce", "Authentication-Info",
	"Strict-Transport-Security",
}

// once are headers that every answer has, exactly once (HDR-02, HDR-03, HDR-06, HDR-07).
var once = []string{
	"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy",
}

// Check returns what is wrong with an answer, whatever was asked.
func Check(method string, a *Answer) []string {
	var wrong []string
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, name := range forbidden {
		if v := a.Header.Get(name); v != "" {
			note("has %s: %s", name, v)
		}
	}
	for _, name := range once {
		if n := len(a.Header.Values(name)); n != 1 {
			note("has %d %s headers, want 1", n, name)
		}
	}
	if v := a.Header.Get("X-Content-Type-Options"); v != "nosniff" {
		note("X-Content-Type-Options is %q", v)
	}
	if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors") {
		note("its Content-Security-Policy has no frame-ancestors: %q", csp)
	}
	kind := a.Header.Get("Content-Type")
	if a.Body != "" && kind == "" {
		note("has a body without Content-Type")
	}
	if strings.HasPrefix(kind, "text/html") && !strings.Contains(strings.ToLower(kind), "charset=utf-8") {
		note("is HTML without a charset: %q", kind)
	}
	bff := strings.HasPrefix(a.URL.Path, "/bff/") && a.URL.Path != "/bff/client.js"
	if a.Status == http.StatusTemporaryRedirect || a.Status == http.StatusPermanentRedirect {
		note("redirects with %d, which repeats the request's body (BCP-14)", a.Status)
	}
	if bff || a.Status >= 400 || len(a.Header.Values("Set-Cookie")) > 0 {
		if v := a.Header.Get("Cache-Control"); !strings.Contains(v, "no-store") {
			note("may be stored: Cache-Control %q (HDR-08)", v)
		}
	}
	for _, line := range a.Header.Values("Set-Cookie") {
		wrong = append(wrong, cookieRules(line)...)
	}
	return wrong
}

// cookieRules checks a Set-Cookie line: BBA-6.1-04, -05, -08, -09 and CK-03 hold for deletions too (RPL-04).
func cookieRules(line string) []string {
	var wrong []string
	name, _, _ := strings.Cut(line, "=")
	if !strings.HasPrefix(name, "__Host-Http-") {
		wrong = append(wrong, "cookie "+name+" has no __Host-Http- prefix")
	}
	attributes := make(map[string]int)
	for _, part := range strings.Split(line, ";")[1:] {
		attribute, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "=")
		attributes[attribute]++
	}
	for _, want := range []string{"secure", "httponly", "samesite", "path"} {
		if attributes[want] != 1 {
			wrong = append(wrong, fmt.Sprintf("cookie %s has %d %s attributes, want 1", name, attributes[want], want))
		}
	}
	if attributes["domain"] != 0 {
		wrong = append(wrong, "cookie "+name+" has a Domain")
	}
	if !strings.Contains(strings.ToLower(line), "path=/;") && !strings.HasSuffix(strings.ToLower(line), "path=/") {
		wrong = append(wrong, "cookie "+name+" is not for Path=/")
	}
	return wrong
}
