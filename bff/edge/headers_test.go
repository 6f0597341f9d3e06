package edge_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"cloakroom/bff/edge"
)

// HDR-01, HDR-02, HDR-03, HDR-05, HDR-06, HDR-07: on answers and errors of every kind.
func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	chain := edge.Chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("x")
		case "/redirect":
			w.Header().Set("Location", "/x")
			w.WriteHeader(http.StatusFound)
		case "/fresh":
			w.WriteHeader(http.StatusNotModified)
		}
	}), edge.RequestID(), edge.SecurityHeaders(own), edge.Recover(), edge.Methods(), edge.Host(own), edge.CanonicalPath())
	for _, tt := range []struct {
		method, host, path string
		status             int
	}{
		{"GET", "app.example.com", "/x", 200},
		{"OPTIONS", "app.example.com", "/x", 200},
		{"GET", "app.example.com", "/redirect", 302},
		{"GET", "app.example.com", "/fresh", 304},
		{"GET", "app.example.com", "/a;b", 400},
		{"TRACE", "app.example.com", "/x", 405},
		{"GET", "evil.example", "/x", 421},
		{"GET", "app.example.com", "/panic", 500},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		chain.ServeHTTP(w, r)
		h := w.Header()
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s %s: %s: %q, want %q", tt.method, tt.path, name, got, want)
			}
		}
		csp := h.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, directive) {
				t.Errorf("%s %s: CSP %q without %s", tt.method, tt.path, csp, directive)
			}
		}
		hsts := regexp.MustCompile(`^max-age=(\d+); includeSubDomains$`).FindStringSubmatch(h.Get("Strict-Transport-Security"))
		if hsts == nil {
			t.Fatalf("%s %s: Strict-Transport-Security %q", tt.method, tt.path, h.Get("Strict-Transport-Security"))
		}
		if age, err := strconv.Atoi(hsts[1]); err != nil || age < 365*24*3600 {
			t.Errorf("Strict-Transport-Security for %s seconds, want a year", hsts[1])
		}
		if w.Code != tt.status || !strings.Contains(h.Get("Permissions-Policy"), "camera=()") || len(h.Get("X-Request-Id")) != 26 {
			t.Errorf("%s %s: status %d, want %d; %v", tt.method, tt.path, w.Code, tt.status, h)
		}
	}
}

// HDR-01
func TestPlainHTTPSendsNoStrictTransportSecurity(t *testing.T) {
	w := httptest.NewRecorder()
	edge.SecurityHeaders(edge.Origin{Scheme: "http", Host: "localhost:8080"})(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header()["Strict-Transport-Security"]; got != nil {
		t.Errorf("Strict-Transport-Security: %q over http", got)
	}
}

// HDR-05: the values are shared, so a handler that adds to one must not change the next answer's.
func TestOneAnswersHeaderIsNotTheNexts(t *testing.T) {
	h := edge.SecurityHeaders(own)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Content-Security-Policy", "sandbox")
		w.Header().Set("Referrer-Policy", "same-origin")
	}))
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if csp := w.Header()["Content-Security-Policy"]; len(csp) != 2 || csp[0] != edge.OwnCSP || w.Header().Get("Referrer-Policy") != "same-origin" {
			t.Errorf("headers %v", w.Header())
		}
	}
}

// ERR-04
func TestRequestIDIsOurs(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		var inside string
		h := edge.RequestID()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = edge.From(r.Context()).ID }))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", "mine")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if id := w.Header().Get("X-Request-Id"); id != inside || seen[id] || !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(id) {
			t.Fatalf("X-Request-Id %q, handler saw %q, seen before: %v", id, inside, seen[id])
		}
		seen[inside] = true
	}
}
